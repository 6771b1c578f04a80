/**
 * How much of a host's processor a machine may use. The run loop asks before each slice and says
 * what it used; a machine that has used up its quota waits, in pieces so short that typing stays
 * smooth, and who types does not even wait for those. What it waits for is stolen time: it would have
 * run. Relies on the host's monotonic clock. A machine without a quota costs one comparison for each
 * slice.
 */

/** Of its quota, what a machine that waits for something else saves up, in milliseconds. */
const SAVED_MS = 100;
/** And one that wants to run: what a busy host's late timers cost is had back. */
const LATE_MS = 1000;
/** A machine that waits goes on when this much of its quota is there, in milliseconds. */
const SLICE_MS = { least: 1, most: 6 } as const;
/** Time that a slice at most is apart from the next one where the quota allows, in milliseconds. */
const PACE_MS = 30;
/** What a machine runs at once for who types, and waits for afterwards, in milliseconds. */
const AHEAD_MS = 3;
/** Time over which demand is looked at, in milliseconds. */
const WINDOW_MS = 40;
/** Changes of demand that are told. */
const DEMAND_GRAIN = 0.1;
/** Who sleeps for longer is idle; until then it may be a wait for a disk. */
const IDLE_MS = 4;

export class CpuGovernor {
  readonly #now: () => number;
  /** Processors; undefined: as much as there is. */
  #quota: number | undefined;
  /** Milliseconds that it may use now, below 0 when it used more. */
  #credit = 0;
  #at = 0;
  #stealMs = 0;
  #stolenSince: number | undefined;
  #resting = false;
  /** Somebody has typed and waits for an answer. */
  #hurried = false;
  #onDemand: ((demand: number) => void) | undefined;
  #demand = 0;
  #windowFrom = 0;
  #wantedMs = 0;

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get quota(): number | undefined {
    return this.#quota;
  }

  /** Processors from now on: above 0; undefined ends the limit. */
  set quota(quota: number | undefined) {
    if (quota !== undefined && !(quota > 0)) {
      throw new RangeError(`A machine cannot run with ${quota} of a processor.`);
    }
    this.#refill();
    const before = this.#quota;
    this.#quota = quota;
    if (quota === undefined) return;
    this.#credit =
      before === undefined ? quota * PACE_MS : Math.min(this.#credit, quota * SAVED_MS);
  }

  /** Milliseconds in which the guest would have run and was not let. */
  get stealMs(): number {
    const since = this.#stolenSince;
    return this.#stealMs + (since === undefined ? 0 : this.#now() - since);
  }

  /** Is told how many processors the guest would use, 0 to 1, when that changes. */
  onDemand(listener: (demand: number) => void): void {
    this.#onDemand = listener;
  }

  /** Milliseconds of a slice, of `wanted` at most. */
  slice(wanted: number): number {
    if (this.#quota === undefined) return wanted;
    this.#refill();
    const least = this.#hurried ? AHEAD_MS : SLICE_MS.least;
    return Math.min(wanted, Math.max(least, this.#credit));
  }

  /**
   * Somebody has typed: a machine that has used up its quota runs for a moment all the same, and waits
   * for longer then. One that owes such a moment already waits.
   */
  hurry(): void {
    if (this.#quota === undefined) return;
    this.#refill();
    this.#hurried = this.#credit > -AHEAD_MS;
  }

  /** The guest ran for so long. */
  ran(ms: number): void {
    if (this.#quota !== undefined) {
      this.#refill();
      this.#credit -= ms;
    }
    this.#resting = false;
    this.#hurried = false;
    if (this.#onDemand) this.#want(ms);
  }

  /** Milliseconds until a guest that has work may go on; 0: it may. */
  wait(): number {
    const quota = this.#quota;
    if (quota === undefined) return 0;
    this.#refill();
    if (this.#credit > 0 || this.#hurried) return 0;
    return (this.#chunk(quota) - this.#credit) / quota;
  }

  /** The guest has work and waits. */
  steal(): void {
    this.#stolenSince ??= this.#now();
  }

  endSteal(): void {
    const since = this.#stolenSince;
    if (since === undefined) return;
    const ms = this.#now() - since;
    this.#stealMs += ms;
    this.#stolenSince = undefined;
    if (this.#onDemand) this.#want(ms);
  }

  /** The guest waits for something for about so long; its share can be had by others. */
  idle(ms: number): void {
    this.#refill();
    this.#resting = true;
    if (!this.#onDemand || ms < IDLE_MS) return;
    const now = this.#now();
    const passed = now - this.#windowFrom;
    // What it did just before it fell asleep still counts when it wakes up soon.
    if (ms >= WINDOW_MS || passed >= WINDOW_MS) this.#look(now, ms >= WINDOW_MS ? 0 : undefined);
  }

  #chunk(quota: number): number {
    return Math.min(SLICE_MS.most, Math.max(SLICE_MS.least, quota * PACE_MS));
  }

  #refill(): void {
    const now = this.#now();
    if (this.#quota !== undefined) {
      const most = this.#quota * (this.#resting ? SAVED_MS : LATE_MS);
      if (this.#credit < most) {
        this.#credit = Math.min(most, this.#credit + (now - this.#at) * this.#quota);
      }
    }
    this.#at = now;
  }

  #want(ms: number): void {
    this.#wantedMs += ms;
    const now = this.#now();
    if (now - this.#windowFrom >= WINDOW_MS) this.#look(now, undefined);
  }

  /** The window ends; `demand` as far as it is known already. */
  #look(now: number, demand: number | undefined): void {
    const passed = now - this.#windowFrom;
    const seen = demand ?? Math.min(1, this.#wantedMs / Math.max(passed, 1));
    this.#windowFrom = now;
    this.#wantedMs = 0;
    const settled = seen < DEMAND_GRAIN ? 0 : seen > 1 - DEMAND_GRAIN ? 1 : seen;
    const changed = Math.abs(settled - this.#demand) >= DEMAND_GRAIN;
    if (!changed && !(settled === 0 && this.#demand !== 0)) return;
    this.#demand = settled;
    this.#onDemand?.(settled);
  }
}
