import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, CpuScheduler, divide, guestCapacity, type Quota } from './scheduler.ts';

const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
const claim = fc.record({
  weight: fc.integer({ min: 1, max: 1000 }),
  cap: fc.double({ min: 0.01, max: 1, noNaN: true }),
  demand: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
});
const EPSILON = 1e-9;

describe('divide', () => {
  it('gives by weight', () => {
    const busy = (weight: number): Claim => ({ weight, cap: 1, demand: 1 });
    expect(divide([busy(1), busy(2), busy(4)], 1.75)).toEqual([0.25, 0.5, 1]);
  });

  it('gives what one leaves to the others', () => {
    const claims = [
      { weight: 1, cap: 1, demand: 1 },
      { weight: 1, cap: 1, demand: 0 },
      { weight: 2, cap: 0.25, demand: 1 },
    ];
    expect(divide(claims, 1)).toEqual([0.75, 0, 0.25]);
  });

  it('conserves work, keeps to caps and demands, and starves nobody', () => {
    fc.assert(
      fc.property(
        fc.array(claim, { maxLength: 20 }),
        fc.double({ min: 0.1, max: 16, noNaN: true }),
        (claims, capacity) => {
          const shares = divide(claims, capacity);
          const wanted = claims.map(({ cap, demand }) => Math.min(cap, demand));
          expect(sum(shares)).toBeCloseTo(Math.min(capacity, sum(wanted)), 6);
          for (const [i, share] of shares.entries()) {
            expect(share).toBeLessThanOrEqual(wanted[i]! + EPSILON);
            if (wanted[i]! > 0) expect(share).toBeGreaterThan(0);
          }
          // Who wants more than it got, got as much for its weight as anybody.
          const short = claims.flatMap(({ weight }, i) =>
            shares[i]! < wanted[i]! - EPSILON ? [shares[i]! / weight] : [],
          );
          const level = Math.max(0, ...claims.map(({ weight }, i) => shares[i]! / weight));
          for (const one of short) expect(one).toBeGreaterThanOrEqual(level - EPSILON);
        },
      ),
    );
  });
});

class Rig {
  readonly quotas = new Map<string, Quota>();
  readonly scheduler: CpuScheduler;

  constructor(capacity: number) {
    this.scheduler = new CpuScheduler(capacity);
  }

  put(id: string, weight: number, cap = 1): void {
    this.scheduler.put(id, {
      weight,
      cap,
      harts: 1,
      setQuota: (quota) => void this.quotas.set(id, quota),
    });
  }
}

describe('a scheduler', () => {
  it('limits nobody who has no competitors', () => {
    const rig = new Rig(1.75);
    rig.put('a', 1);
    rig.put('b', 1);
    rig.scheduler.demand('a', 1);
    expect(rig.quotas.get('a')).toBeUndefined();
    expect(rig.scheduler.quota('b')).toBe(0.875);
  });

  it('holds to weights while all are busy, and gives an idle one’s share away at once', () => {
    const rig = new Rig(1.75);
    for (const [id, weight] of [
      ['a', 1],
      ['b', 2],
      ['c', 4],
    ] as const) {
      rig.put(id, weight);
      rig.scheduler.demand(id, 1);
    }
    expect([...rig.quotas.values()]).toEqual([0.25, 0.5, undefined]);
    rig.scheduler.demand('c', 0);
    expect(rig.quotas.get('a')).toBeCloseTo(0.75);
    expect(rig.quotas.get('b')).toBeUndefined();
    rig.scheduler.demand('c', 1);
    expect(rig.quotas.get('a')).toBe(0.25);
    rig.scheduler.remove('c');
    expect(rig.quotas.get('a')).toBeCloseTo(0.75);
  });

  it('holds to a cap on an empty host', () => {
    const rig = new Rig(4);
    rig.put('a', 1, 0.2);
    rig.scheduler.demand('a', 1);
    expect(rig.quotas.get('a')).toBe(0.2);
    rig.put('a', 1, 0.5);
    expect(rig.quotas.get('a')).toBe(0.5);
  });

  it('never gives more than there is to those that want all they can get', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 1000 }),
            fc.double({ min: 0.01, max: 1, noNaN: true }),
          ),
          {
            minLength: 1,
            maxLength: 12,
          },
        ),
        fc.integer({ min: 1, max: 8 }),
        (members, cores) => {
          const capacity = guestCapacity(cores);
          const rig = new Rig(capacity);
          for (const [i, [weight, cap]] of members.entries()) rig.put(String(i), weight, cap);
          for (const i of members.keys()) rig.scheduler.demand(String(i), 1);
          const given = sum(members.map((_, i) => rig.scheduler.quota(String(i)) ?? 1));
          const caps = sum(members.map(([, cap]) => cap));
          expect(given).toBeLessThanOrEqual(Math.min(capacity, caps) + 0.01 * members.length);
          expect(given).toBeGreaterThanOrEqual(Math.min(capacity, caps) - 0.01 * members.length);
        },
      ),
    );
  });
});
