/**
 * The processes of a browser of ours: what they take of the host, memory and processor time, and a
 * sudden end. Linux alone. Guarantees that memory which processes share is counted once, and that no
 * process of anybody else is ended.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  /** Proportional set size of all processes, in bytes (proc_pid_smaps). */
  readonly memory: number;
  /** Processor time since the start, in seconds; of processes that are still there. */
  readonly processor: number;
}

/** Clock ticks a second, as Linux tells them to programs on every architecture of ours. */
const TICKS = 100;

interface Process {
  readonly parent: number;
  readonly ticks: number;
  readonly command: string;
}

/** `marker`: what the first process has among its arguments, and no other program. */
export function usageOf(marker: string): Usage {
  let memory = 0;
  let ticks = 0;
  for (const [pid, process] of processesOf(marker)) {
    ticks += process.ticks;
    memory += Number(/^Pss:\s+(\d+) kB/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0) * 1024;
  }
  return { memory, processor: ticks / TICKS };
}

/** Ends all of them with SIGKILL, until none is left. */
export function killAll(marker: string): void {
  for (let pids = living(marker); pids.length > 0; pids = living(marker)) {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

/** One that has ended and whose parent has not noticed has no arguments any more. */
function living(marker: string): number[] {
  return [...processesOf(marker)].filter(([, { command }]) => command !== '').map(([pid]) => pid);
}

function processesOf(marker: string): Map<number, Process> {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = read(pid, 'stat');
    // The name in parentheses may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (stat === '') continue;
    const ticks = Number(fields[11]) + Number(fields[12]);
    processes.set(pid, { parent: Number(fields[1]), ticks, command: read(pid, 'cmdline') });
  }
  return new Map([...processes].filter(([pid]) => isOurs(pid, processes, marker)));
}

function isOurs(pid: number, processes: ReadonlyMap<number, Process>, marker: string): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = processes.get(at)?.parent) {
    if (processes.get(at)?.command.includes(marker)) return true;
  }
  return false;
}

/** Empty when the process has ended meanwhile. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
