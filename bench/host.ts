/** The machine that the bench runs on, for its output, and whether figures of it can be trusted. */
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';

/** Other work on the machine, as load of the last minute, from which figures are doubtful. */
const BUSY_LOAD = 0.7;

export interface Host {
  readonly cpu: string;
  readonly memory_bytes: number;
  readonly os: string;
  readonly load_before: number;
}

/** As it is now: ask before anything is measured. */
export function describeHost(): Host {
  const [cpu] = cpus();
  return {
    cpu: `${cpu?.model ?? 'unknown'} × ${cpus().length}`,
    memory_bytes: totalmem(),
    os: `${type()} ${release()} ${arch()}`,
    load_before: loadavg()[0] ?? 0,
  };
}

/** Why figures mean little, if they do. */
export function doubt({ load_before: load }: Host, quick: boolean): string | undefined {
  if (quick) return 'Quick: the amounts are too small for the figures to mean anything.';
  if (load <= BUSY_LOAD) return undefined;
  return `The machine had other work (load ${load.toFixed(1)}): these figures are doubtful.`;
}
