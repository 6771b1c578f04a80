/**
 * The guest's time: ticks of the timebase since power-on, without the time that the machine was
 * paused or off. Relies on the host's monotonic clock; guarantees whole numbers that never go back.
 *
 * A host may stop running the machine without a word: a browser freezes a page in the background, a
 * computer sleeps. Nobody looks at the clock then for far longer than a run loop ever leaves it
 * alone, unless it said so. To the guest such a stall is a pause: an hour that passes within one
 * instruction would set off every watchdog in it (Linux reports CPUs that are stuck and RCU stalls
 * after about twenty seconds, service managers kill what does not answer).
 */
import { TICKS_PER_MS } from './memory-map.ts';

/**
 * A run loop looks at the clock about every millisecond, on a busy host some hundred; watchdogs wait
 * ten seconds and more.
 */
const STALL_MS = 5000;

export class GuestClock {
  readonly #now: () => number;
  readonly #stalled: (ms: number) => void;
  /** Ticks at the moment `#since`, or for good while the clock stands. */
  #base = 0;
  #since: number | undefined;
  #last = 0;
  /** Until when by the host's clock it is no stall that nobody looks. */
  #attended = 0;

  /** `stalled` is told how long the host did not run the machine, as soon as it does again. */
  constructor(now: () => number, stalled: (ms: number) => void = () => {}) {
    this.#now = now;
    this.#stalled = stalled;
  }

  ticks(): number {
    if (this.#since !== undefined) {
      const now = this.#now();
      const late = now - this.#attended;
      if (now > this.#attended) this.#attended = now;
      if (late > STALL_MS) {
        this.#since += late;
        this.#stalled(late);
      }
      const ticks = this.#base + Math.floor((now - this.#since) * TICKS_PER_MS);
      if (ticks > this.#last) this.#last = ticks;
    }
    return this.#last;
  }

  /** Nobody will look for up to `ms`: the guest sleeps. 0 when it is awake again. */
  leaveAlone(ms: number): void {
    this.ticks();
    this.#attended = this.#now() + ms;
  }

  run(): void {
    if (this.#since !== undefined) return;
    this.#base = this.#last;
    this.#since = this.#now();
    this.#attended = this.#since;
  }

  stop(): void {
    this.ticks();
    this.#since = undefined;
  }

  /** Sets the clock: 0 at a reset, the saved time at a restore. */
  set(ticks: number): void {
    this.#base = ticks;
    this.#last = ticks;
    if (this.#since === undefined) return;
    this.#since = this.#now();
    this.#attended = this.#since;
  }

  /** Milliseconds until the clock shows `ticks`; 0 when it already does. */
  msUntil(ticks: number): number {
    return Math.max(0, (ticks - this.ticks()) / TICKS_PER_MS);
  }
}
