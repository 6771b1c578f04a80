/**
 * The guest's time: ticks of the timebase since power-on, without the time that the machine was
 * paused or off. Relies on the host's monotonic clock; guarantees whole numbers that never go back.
 */
import { TICKS_PER_MS } from './memory-map.ts';

export class GuestClock {
  readonly #now: () => number;
  /** Ticks at the moment `#since`, or for good while the clock stands. */
  #base = 0;
  #since: number | undefined;
  #last = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  ticks(): number {
    if (this.#since !== undefined) {
      const ticks = this.#base + Math.floor((this.#now() - this.#since) * TICKS_PER_MS);
      if (ticks > this.#last) this.#last = ticks;
    }
    return this.#last;
  }

  run(): void {
    if (this.#since !== undefined) return;
    this.#base = this.#last;
    this.#since = this.#now();
  }

  stop(): void {
    this.ticks();
    this.#since = undefined;
  }

  /** Sets the clock: 0 at a reset, the saved time at a restore. */
  set(ticks: number): void {
    this.#base = ticks;
    this.#last = ticks;
    if (this.#since !== undefined) this.#since = this.#now();
  }

  /** Milliseconds until the clock shows `ticks`; 0 when it already does. */
  msUntil(ticks: number): number {
    return Math.max(0, (ticks - this.ticks()) / TICKS_PER_MS);
  }
}
