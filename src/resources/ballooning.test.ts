import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BallooningGuest, ballooning } from './ballooning.ts';

const MIB = 1024 * 1024;

function guest(change: Partial<BallooningGuest> = {}): BallooningGuest {
  return {
    id: 'a',
    minimum: 96 * MIB,
    maximum: 512 * MIB,
    target: 512 * MIB,
    held: 300 * MIB,
    available: 250 * MIB,
    busy: 0.5,
    balloon: true,
    ...change,
  };
}

describe('ballooning', () => {
  it('does nothing while there is room', () => {
    expect(ballooning(2048 * MIB, [guest(), guest({ id: 'b' })])).toEqual([]);
  });

  it('takes memory when guests hold nearly all, more of those that idle', () => {
    const decisions = ballooning(620 * MIB, [guest(), guest({ id: 'b', busy: 0 })]);
    const [a, b] = ['a', 'b'].map((id) => decisions.find((one) => one.id === id)!);
    expect(a!.why).toBe('host is short');
    expect(a!.target).toBeLessThan(512 * MIB);
    expect(b!.target).toBeLessThanOrEqual(a!.target);
  });

  it('leaves all as it is between the two marks', () => {
    expect(ballooning(360 * MIB, [guest({ target: 320 * MIB })])).toEqual([]);
  });

  it('gives back what was taken, at once where there is room for all', () => {
    expect(ballooning(4096 * MIB, [guest({ target: 200 * MIB, held: 150 * MIB })])).toEqual([
      { id: 'a', target: 512 * MIB, why: 'host has room' },
    ]);
  });

  it('a guest that runs out gets more, also between the marks, of those that have too much', () => {
    const needy = guest({ target: 200 * MIB, available: 2 * MIB, held: 195 * MIB });
    const rich = guest({ id: 'b', available: 400 * MIB, held: 205 * MIB });
    const decisions = ballooning(530 * MIB, [needy, rich]);
    expect(decisions).toContainEqual(expect.objectContaining({ id: 'a', why: 'guest runs out' }));
    expect(decisions.find(({ id }) => id === 'a')!.target).toBeGreaterThan(210 * MIB);
    expect(decisions.find(({ id }) => id === 'b')!.target).toBeLessThan(512 * MIB);
  });

  it('a guest that cannot give is left alone, and counts', () => {
    const decisions = ballooning(620 * MIB, [guest({ balloon: false }), guest({ id: 'b' })]);
    expect(decisions.map(({ id }) => id)).toEqual(['b']);
  });

  const anyGuest = fc
    .record({
      minimum: fc.integer({ min: 16, max: 512 }),
      spread: fc.integer({ min: 0, max: 1536 }),
      target: fc.double({ min: 0, max: 1, noNaN: true }),
      held: fc.double({ min: 0, max: 1, noNaN: true }),
      available: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      busy: fc.constantFrom(0, 0.01, 0.3, 1),
      balloon: fc.boolean(),
    })
    .map(({ minimum, spread, target, held, available, busy, balloon }) => {
      const asked = Math.round((minimum + spread * target) * MIB);
      return {
        minimum: minimum * MIB,
        maximum: (minimum + spread) * MIB,
        target: asked,
        held: Math.round(asked * held),
        available: available === undefined ? undefined : Math.round(asked * available),
        busy,
        balloon,
      };
    });
  const anyGuests = fc
    .array(anyGuest, { maxLength: 12 })
    .map((list) => list.map((one, i) => ({ ...one, id: String(i) })));
  const anyBudget = fc.integer({ min: 0, max: 16_384 }).map((mebibytes) => mebibytes * MIB);

  it('no target leaves the limits, and who cannot give is not asked', () => {
    fc.assert(
      fc.property(anyBudget, anyGuests, (budget, guests) => {
        for (const { id, target } of ballooning(budget, guests)) {
          const one = guests[Number(id)]!;
          expect(one.balloon).toBe(true);
          expect(target).toBeGreaterThanOrEqual(one.minimum);
          expect(target).toBeLessThanOrEqual(one.maximum);
          expect(target).not.toBe(one.target);
        }
      }),
    );
  });

  it('a host that is short never lets a guest have more, unless that one runs out', () => {
    fc.assert(
      fc.property(anyBudget, anyGuests, (budget, guests) => {
        const held = guests.reduce((all, one) => all + one.held, 0);
        fc.pre(held >= 0.9 * budget);
        for (const { id, target } of ballooning(budget, guests)) {
          const one = guests[Number(id)]!;
          if (target <= one.target) continue;
          const least = Math.max(16 * MIB, 0.15 * one.target);
          expect(one.available).toBeLessThan(0.4 * least);
        }
      }),
    );
  });

  /** A guest that uses a fixed amount, and fills part of what it has beyond that with files. */
  const living = fc.array(
    fc.record({
      used: fc.integer({ min: 40, max: 600 }),
      files: fc.double({ min: 0, max: 1, noNaN: true }),
      busy: fc.constantFrom(0, 1),
    }),
    { minLength: 1, maxLength: 10 },
  );

  it('comes to rest when the guests do, and then holds the host below its mark where it can', () => {
    fc.assert(
      fc.property(fc.integer({ min: 600, max: 8192 }), living, (mebibytes, lives) => {
        const budget = mebibytes * MIB;
        const minimum = 64 * MIB;
        const targets = lives.map(() => 1024 * MIB);
        const look = () =>
          lives.map(({ used, files, busy }, i): BallooningGuest => {
            const target = targets[i]!;
            const own = Math.min(used * MIB, target);
            const held = own + (target - own) * files;
            return {
              id: String(i),
              minimum,
              maximum: 1024 * MIB,
              target,
              held,
              available: target - own,
              busy,
              balloon: true,
            };
          });
        let changes = 1;
        for (let step = 0; step < 100 && changes > 0; step++) {
          const decisions = ballooning(budget, look());
          changes = decisions.length;
          for (const { id, target } of decisions) targets[Number(id)] = target;
        }
        expect(changes).toBe(0);
        const needed = lives.reduce((all, { used }) => all + used * 1.3 * MIB + 24 * MIB, 0);
        const held = look().reduce((all, one) => all + one.held, 0);
        if (needed < 0.7 * budget) expect(held).toBeLessThan(0.9 * budget);
      }),
      { numRuns: 300 },
    );
  });
});
