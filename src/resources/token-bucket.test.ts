import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

const SECOND = 1_000_000;

describe('a token bucket', () => {
  it('gives what was saved up, then its rate', () => {
    let now = 0;
    const bucket = new TokenBucket(100, 50, () => now);
    let taken = 0;
    for (; now < SECOND; now += 1000) while (bucket.take(1)) taken++;
    expect(taken).toBe(50 + 99);
  });

  it('lets a large request pass, and makes the next one wait for it', () => {
    let now = 0;
    const bucket = new TokenBucket(100, 10, () => now);
    expect(bucket.take(110)).toBe(true);
    expect(bucket.take(1)).toBe(false);
    expect(bucket.wait()).toBe(1.01 * SECOND);
    now += bucket.wait();
    expect(bucket.take(1)).toBe(true);
  });

  it('loses nothing and mints nothing', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(fc.record({ passes: fc.nat(50_000), takes: fc.integer({ min: 1, max: 5000 }) })),
        (rate, capacity, steps) => {
          let now = 0;
          const bucket = new TokenBucket(rate, capacity, () => now);
          // Tokens of all time so far, in parts of a microsecond's share, without the brim.
          let spilled = false;
          let taken = 0;
          for (const { passes, takes } of steps) {
            now += passes;
            const whole = BigInt(capacity - taken) * BigInt(SECOND) + BigInt(rate) * BigInt(now);
            if (whole >= BigInt(capacity) * BigInt(SECOND) && now > 0) spilled = true;
            if (!spilled) expect(BigInt(bucket.level)).toBe(whole / BigInt(SECOND));
            // Never more than was saved up and has come since.
            expect(bucket.level).toBeLessThanOrEqual(capacity);
            const before = bucket.level;
            const got = bucket.take(takes);
            expect(got).toBe(before > 0);
            if (got) taken += takes;
            expect(bucket.level).toBe(got ? before - takes : before);
          }
          const most = BigInt(capacity) + (BigInt(rate) * BigInt(now)) / BigInt(SECOND);
          // What was taken last may be owed.
          expect(BigInt(taken)).toBeLessThanOrEqual(most + 5000n);
        },
      ),
    );
  });

  it('waits exactly as long as it takes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        (rate, capacity, debt) => {
          let now = 12_345;
          const bucket = new TokenBucket(rate, capacity, () => now);
          bucket.charge(capacity + debt);
          const wait = bucket.wait();
          now += wait - 1;
          expect(bucket.take(1)).toBe(false);
          now += 1;
          expect(bucket.take(1)).toBe(true);
        },
      ),
    );
  });

  it('keeps what it has when its rate changes', () => {
    let now = 0;
    const bucket = new TokenBucket(10, 10, () => now);
    bucket.change(1000, 5);
    expect(bucket.level).toBe(5);
    bucket.charge(10);
    now += 5000;
    expect(bucket.level).toBe(0);
    expect(bucket.take(1)).toBe(false);
    bucket.change(1, 5);
    now += SECOND;
    expect(bucket.take(1)).toBe(true);
  });

  it.each([
    [0, 1],
    [1, 0],
    [1.5, 1],
    [Number.NaN, 1],
  ])('of %d a second and %d at most cannot be', (rate, capacity) => {
    expect(() => new TokenBucket(rate, capacity, () => 0)).toThrow(RangeError);
  });
});
