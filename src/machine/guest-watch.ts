/**
 * Asks a guest for its figures as often as they are worth the guest's work: its kernel at each look,
 * its agent at each fifth; a guest that idles changes little, and is left alone for longer. Relies on
 * being called about once a second.
 */
import type { Machine, MachineStats } from './machine.ts';

/** The agent's answer costs some ten million instructions, the kernel's next to nothing. */
const LOOKS_PER_AGENT = 5;
/** A guest that waits for this share of the time idles, and is asked so many times more seldom. */
const IDLE_SHARE = 0.97;
const IDLE_FACTOR = 6;

export class GuestWatch {
  readonly #machine: Pick<Machine, 'refreshMemory' | 'refreshAgent'>;
  #sinceMemory = 0;
  #sinceAgent = 0;
  #last = { wall_s: 0, idle_s: 0 };

  constructor(machine: Pick<Machine, 'refreshMemory' | 'refreshAgent'>) {
    this.#machine = machine;
  }

  /** A look at the figures: the next one, or one after it, has what the guest answers. */
  look({ wall_s, idle_s, memory, agent }: Totals): void {
    const ran = wall_s - this.#last.wall_s;
    const idles = idle_s - this.#last.idle_s >= IDLE_SHARE * ran;
    this.#last = { wall_s, idle_s };
    const factor = idles ? IDLE_FACTOR : 1;
    if (++this.#sinceMemory >= (memory.guest ? factor : 1)) {
      this.#sinceMemory = 0;
      this.#machine.refreshMemory();
    }
    if (++this.#sinceAgent >= LOOKS_PER_AGENT * (agent ? factor : 1)) {
      this.#sinceAgent = 0;
      this.#machine.refreshAgent();
    }
  }
}

type Totals = Pick<MachineStats, 'wall_s' | 'idle_s' | 'memory' | 'agent'>;
