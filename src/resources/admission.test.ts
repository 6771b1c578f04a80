import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  admit,
  type Budget,
  type Load,
  overProvisioned,
  recommend,
  recommendationText,
  totalsOf,
} from './admission.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const two: Budget = { cores: 2, memory: 2 * GIB, memoryEnds: true };
const idle: Load = { maximum: 128 * MIB, used: 60 * MIB, busy: 0, live: true };
const micro = { count: 1, memory: 128 * MIB, minimum: 64 * MIB };

describe('admission', () => {
  it('lets through what fits, and what nothing is known about', () => {
    expect(admit(two, [idle, idle], micro)).toEqual({ kind: 'fits' });
    expect(admit({ ...two, memory: undefined }, [], { ...micro, memory: 8 * GIB })).toEqual({
      kind: 'fits',
    });
  });

  it('asks with the numbers when more is promised than there is', () => {
    const verdict = admit(two, [idle], { ...micro, memory: 2 * GIB });
    expect(verdict).toEqual({
      kind: 'ask',
      reasons: [expect.stringMatching(/2 machines may come to use 2\.2 GB.*gives 2 GB.*84 MB in/)],
    });
    const busy = [idle, idle, idle, idle].map((load) => ({ ...load, busy: 1 }));
    expect(admit({ ...two, memory: 64 * GIB }, busy, micro)).toMatchObject({
      kind: 'ask',
      reasons: [expect.stringContaining('about 40% of one each')],
    });
  });

  it('refuses only what would fail: the memory ends, and what is in use leaves too little', () => {
    const full = Array.from({ length: 10 }, () => ({ ...idle, used: 190 * MIB, maximum: 2 * GIB }));
    expect(admit(two, full, micro)).toMatchObject({
      kind: 'refuse',
      reason: expect.stringMatching(/needs 88 MB .* 2\.1 GB of the 2 GB/),
    });
    // As far as was looked, there is more: then it may work.
    expect(admit({ ...two, memoryEnds: false }, full, micro).kind).toBe('ask');
    // A machine that is off holds nothing.
    expect(
      admit(
        two,
        full.map((load) => ({ ...load, live: false })),
        micro,
      ).kind,
    ).toBe('fits');
  });

  it('says in the header what is too much, and what to do', () => {
    expect(overProvisioned(two, [idle])).toBeUndefined();
    const large = { ...idle, maximum: 1.5 * GIB };
    expect(overProvisioned(two, [large, large])).toMatch(
      /over-provisioned: 2 machines.* stop some/,
    );
    const used = { ...large, used: GIB };
    expect(overProvisioned(two, [used, used])).toMatch(/runs out/);
    const busy = { ...idle, busy: 0.7 };
    expect(overProvisioned(two, [busy, busy, busy])).toMatch(/All 2 processors/);
    expect(overProvisioned(two, [busy, { ...busy, live: false }])).toBeUndefined();
  });

  it('recommends fewer of a larger size, and says so in a sentence', () => {
    const list = recommend({ cores: 4, memory: 4 * GIB, memoryEnds: false }, [
      { name: 'tiny', memory: 96 * MIB },
      { name: 'large', memory: 2 * GIB },
    ]);
    expect(list).toMatchObject([
      { waiting: 29, working: 6 },
      { waiting: 1, working: 1 },
    ]);
    expect(recommendationText(list)).toBe(
      'This computer carries about 29 tiny (96 MB; 6 of them at work), or 1 large (2 GB; 1 of them at work).',
    );
    expect(recommendationText([])).toMatch(/too little memory/);
  });

  const bytes = fc.integer({ min: 0, max: 4 * GIB });
  const load = fc.record({
    maximum: bytes,
    used: bytes,
    busy: fc.double({ min: 0, max: 1, noNaN: true }),
    live: fc.boolean(),
  });
  const budget = fc.record({
    cores: fc.integer({ min: 1, max: 64 }),
    memory: fc.option(bytes, { nil: undefined }),
    memoryEnds: fc.boolean(),
  });
  const wanted = fc.record({
    count: fc.integer({ min: 1, max: 30 }),
    memory: bytes,
    minimum: fc.integer({ min: 1, max: 96 * MIB }),
  });

  it('never refuses where memory has not been seen to end; stopping machines never makes it worse', () => {
    const rank = { fits: 0, ask: 1, refuse: 2 };
    fc.assert(
      fc.property(budget, fc.array(load, { maxLength: 20 }), wanted, (host, loads, more) => {
        const verdict = admit(host, loads, more);
        if (!host.memoryEnds || host.memory === undefined) expect(verdict.kind).not.toBe('refuse');
        const fewer = loads.map((one, index) => (index % 2 === 0 ? { ...one, live: false } : one));
        expect(rank[admit(host, fewer, more).kind]).toBeLessThanOrEqual(rank[verdict.kind]);
        expect(totalsOf(fewer).committed).toBeLessThanOrEqual(totalsOf(loads).committed);
      }),
    );
  });

  it('what is recommended is admitted without a question about memory', () => {
    fc.assert(
      fc.property(budget, fc.integer({ min: 32 * MIB, max: 2 * GIB }), (host, memory) => {
        const [one] = recommend(host, [{ name: 'x', memory }]);
        if (one === undefined || one.waiting === 0) return;
        const verdict = admit(host, [], { count: one.waiting, memory, minimum: memory });
        const reasons = verdict.kind === 'ask' ? verdict.reasons : [];
        expect(verdict.kind).not.toBe('refuse');
        expect(reasons.some((reason) => reason.startsWith('Memory'))).toBe(false);
      }),
    );
  });
});
