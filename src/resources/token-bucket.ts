/**
 * A token bucket: what is allowed in a second, and how much of it may be saved up. In whole numbers
 * on a clock that is handed in: what a refill does not come to is carried over, so over any time
 * nothing is lost and nothing is minted. One that takes more than there is goes into debt, and what
 * comes next waits: requests that are larger than the bucket pass, and cost what they cost.
 */

const MICROSECONDS = 1_000_000;

export class TokenBucket {
  readonly #now: () => number;
  #rate: number;
  #capacity: number;
  /** Tokens that are there, below 0 in debt. */
  #tokens: number;
  /** Of the next token: parts of 1/MICROSECONDS. */
  #carry = 0;
  /** Until when tokens have been counted, in microseconds. */
  #at: number;

  /** `rate`: tokens a second. `capacity`: tokens saved up at most, and at first. `now`: microseconds. */
  constructor(rate: number, capacity: number, now: () => number) {
    check(rate, capacity);
    this.#rate = rate;
    this.#capacity = capacity;
    this.#tokens = capacity;
    this.#now = now;
    this.#at = Math.floor(now());
  }

  get rate(): number {
    return this.#rate;
  }

  /** Tokens that are there now; below 0: in debt. */
  get level(): number {
    this.#refill();
    return this.#tokens;
  }

  /** From now on; what was saved up so far stays, as far as the bucket holds it. */
  change(rate: number, capacity: number): void {
    check(rate, capacity);
    this.#refill();
    this.#rate = rate;
    this.#capacity = capacity;
    this.#carry = 0;
    this.#tokens = Math.min(this.#tokens, capacity);
  }

  /** Takes them, if the bucket is not in debt and not empty; false: try again after `wait`. */
  take(tokens: number): boolean {
    this.#refill();
    if (this.#tokens <= 0) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** Takes them in any case. */
  charge(tokens: number): void {
    this.#refill();
    this.#tokens -= tokens;
  }

  /** Microseconds until `level` tokens are there, 1 unless given; 0: they are. */
  wait(level = 1): number {
    this.#refill();
    const missing = Math.min(level, this.#capacity) - this.#tokens;
    if (missing <= 0) return 0;
    return Math.ceil((missing * MICROSECONDS - this.#carry) / this.#rate);
  }

  #refill(): void {
    const now = Math.floor(this.#now());
    const passed = now - this.#at;
    if (passed <= 0) return;
    this.#at = now;
    // More time than fills the bucket counts as that: products stay exact.
    const full = ((this.#capacity - this.#tokens) * MICROSECONDS) / this.#rate;
    if (passed >= full) {
      this.#tokens = this.#capacity;
      this.#carry = 0;
      return;
    }
    const parts = passed * this.#rate + this.#carry;
    const tokens = Math.floor(parts / MICROSECONDS);
    this.#carry = parts - tokens * MICROSECONDS;
    this.#tokens += tokens;
  }
}

function check(rate: number, capacity: number): void {
  const fits = (value: number) => Number.isSafeInteger(value) && value > 0;
  if (!fits(rate) || !fits(capacity)) {
    throw new RangeError(`A bucket of ${capacity} tokens at ${rate} a second cannot be.`);
  }
}
