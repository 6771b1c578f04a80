/**
 * The figures of a VM between two looks at its totals. Pure but for what it remembers of the last
 * look; a total that has gone back, at a reset or a restore, counts from zero.
 */
import type { MachineStats } from '../machine/machine.ts';
import type { DiskFigures, Figures } from './figures.ts';

/** What is looked at of a machine. */
export type Totals = Pick<
  MachineStats,
  | 'instructions'
  | 'idle_s'
  | 'steal_s'
  | 'ram_bytes'
  | 'memory_bytes'
  | 'memory'
  | 'disks'
  | 'console_bytes'
  | 'traps'
  | 'interrupts'
  | 'agent'
>;

export interface Look {
  /** Milliseconds on a clock that never goes back. */
  readonly at: number;
  readonly running: boolean;
  readonly wakeups: number;
  readonly totals: Totals;
}

/** Shorter spans give no rates, in seconds. */
const SHORTEST = 1e-3;

export function figuresBetween(before: Look, now: Look): Figures {
  const seconds = Math.max(SHORTEST, (now.at - before.at) / 1000);
  const [last, totals] = [before.totals, now.totals];
  const rate = (one: number, other: number) => since(one, other) / seconds;
  const share = (one: number, other: number) => Math.min(1, rate(one, other));
  const idle = now.running ? share(last.idle_s, totals.idle_s) : 0;
  const steal = now.running ? Math.min(1 - idle, share(last.steal_s, totals.steal_s)) : 0;
  const { memory, agent } = totals;
  return {
    busy: now.running ? Math.max(0, 1 - idle - steal) : 0,
    steal,
    idle,
    memoryInUse: totals.ram_bytes,
    instructions: totals.instructions,
    mips: rate(last.instructions, totals.instructions) / 1e6,
    wakeups: rate(before.wakeups, now.wakeups),
    interrupts: rate(last.interrupts, totals.interrupts),
    traps: rate(last.traps, totals.traps),
    consoleBytes: rate(last.console_bytes, totals.console_bytes),
    disks: totals.disks.map((disk, i) => diskFigures(last.disks[i], disk, seconds)),
    memory: {
      size: totals.memory_bytes,
      target: memory.target_bytes,
      actual: memory.actual_bytes,
      balloon: memory.balloon,
      inflated: memory.inflated_bytes,
      reported: memory.reported_bytes,
      ...(memory.guest && { guest: memory.guest }),
    },
    ...(agent && {
      agent: {
        load: agent.load,
        processes: agent.processes,
        uptime: agent.uptime_s,
        filesystem: agent.filesystem,
        ...(agent.top && { top: agent.top }),
      },
    }),
  };
}

type Disk = Totals['disks'][number];

function diskFigures(last: Disk | undefined, disk: Disk, seconds: number): DiskFigures {
  const grown = (name: keyof Disk) => since(last?.[name] ?? 0, disk[name]);
  const answered = grown('reads') + grown('writes') + grown('flushes') + grown('discards');
  return {
    reads: grown('reads') / seconds,
    writes: grown('writes') / seconds,
    flushes: grown('flushes') / seconds,
    readBytes: grown('read_bytes') / seconds,
    writtenBytes: grown('written_bytes') / seconds,
    latency: answered > 0 ? grown('latency_ms') / answered : 0,
    worstLatency: disk.worst_ms,
    errors: disk.errors,
  };
}

function since(before: number, now: number): number {
  return now >= before ? now - before : now;
}
