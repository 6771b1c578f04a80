/**
 * Keeps one VM within its limits: tells its worker what it may use, and the scheduler what it would.
 * Relies on the scheduler for the division of the host's processors; guarantees that a VM that is
 * off or paused claims nothing, and that a worker which starts gets all that holds for it.
 */
import { capOf, type Limits, weightOf } from '../../resources/limits.ts';
import { type CpuScheduler, guestCapacity, type Quota } from '../../resources/scheduler.ts';
import type { PageMessage } from '../../worker/protocol.ts';

/** Harts of a machine. */
const HARTS = 1;

/** Processors of this host that guests can have, all together. */
export function hostCapacity(): number {
  return guestCapacity(navigator.hardwareConcurrency || 1);
}

export class VmLimits {
  #limits: Limits;
  #live = false;
  #paused = false;
  /** As its worker said last: it says so only when it changes. */
  #demand = 0;

  constructor(
    private readonly id: string,
    limits: Limits,
    private readonly scheduler: CpuScheduler,
    private readonly send: (message: PageMessage) => void,
  ) {
    this.#limits = limits;
  }

  get current(): Limits {
    return this.#limits;
  }

  set(limits: Limits): void {
    this.#limits = limits;
    if (this.#live) this.#apply();
  }

  /** A worker has a machine, which knows of no limits yet. */
  started(): void {
    this.#live = true;
    this.#paused = false;
    this.#demand = 0;
    this.#apply();
  }

  ended(): void {
    this.#live = false;
    this.scheduler.remove(this.id);
  }

  /** It stands still, or goes on. */
  pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#claim();
  }

  /** Its worker says what it would use. */
  demanded(demand: number): void {
    this.#demand = demand;
    this.#claim();
  }

  #claim(): void {
    if (this.#live) this.scheduler.demand(this.id, this.#paused ? 0 : this.#demand);
  }

  #apply(): void {
    const { memory, disk = {}, disks = [] } = this.#limits;
    this.send({ type: 'disk-limits', all: disk, each: disks });
    if (memory?.target !== undefined) this.send({ type: 'memory', target: memory.target });
    this.scheduler.put(this.id, {
      weight: weightOf(this.#limits),
      cap: capOf(this.#limits),
      harts: HARTS,
      setQuota: (quota: Quota) => this.send({ type: 'quota', quota }),
    });
    this.#claim();
  }
}
