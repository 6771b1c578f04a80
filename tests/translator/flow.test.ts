/**
 * Control flow at random: programs of many blocks that jump anywhere, call and return, load and
 * store, fault and go on, run in both tiers in slices of odd lengths, the translated one with what
 * the engine has and without. After every slice registers, pc, instret and memory are the same.
 */
import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { BASE, generator, program } from './programs.ts';
import { FORMS, TierRun } from './tier.ts';

const SLICES = 60;
const PROGRAMS = 120;

describe.each(FORMS)('random control flow, %s', (_, without) => {
  it.each(Array.from({ length: PROGRAMS }, (__, i) => i + 1))(
    'program %i is the same in both tiers',
    (seed) => {
      const { bytes } = assemble(program(seed), { base: BASE });
      const a = new TierRun(bytes);
      const b = new TierRun(bytes, { translate: { without } });
      const random = generator(seed * 77);
      for (let slice = 0; slice < SLICES; slice++) {
        const budget = 1 + random(slice < 20 ? 200 : 3000);
        // Slices may end early, each tier at its own place: bring the later one up by single steps.
        let left = a.run(budget);
        let right = b.run(budget);
        for (let i = 0; left.instret !== right.instret && i < 10_000; i++) {
          if (left.instret < right.instret) left = a.run(1);
          else right = b.run(1);
        }
        expect(right).toEqual(left);
      }
      expect(b.translator?.stats.regions).toBeGreaterThan(0);
    },
  );
});

describe('a loop that begins with an instruction for the interpreter', () => {
  it('is translated behind it', () => {
    const { bytes } = assemble(`again:\ncsrr t1, mcycle\n${'addi a0, a0, 1\n'.repeat(20)}j again`, {
      base: BASE,
    });
    const interpreted = new TierRun(bytes);
    const translated = new TierRun(bytes, { translate: {} });
    for (let i = 0; i < 5; i++) {
      expect(translated.run(1000)).toEqual(interpreted.run(1000));
    }
    expect(translated.hart.u64('stat_translated')).toBeGreaterThan(3000n);
  });
});

/** Called by address, so that the region is a straight line, where registers are written through. */
const FAULTS: Readonly<Record<string, string>> = {
  load: 'ld a4, 0(zero)',
  store: 'sd a5, 0(zero)',
  'misaligned store': 'sd a5, 1(zero)',
  atomic: 'amoadd.d a4, a5, (zero)',
  'system instruction': 'csrw mhartid, a5',
  'rounding mode': 'fadd.d fa0, fa1, fa2',
};

describe.each(FORMS)('a write that the next instruction but one replaces, %s', (_, without) => {
  it.each(Object.entries(FAULTS))('is seen when a %s faults between them', (__, fault) => {
    const calls = 50;
    const { bytes } = assemble(
      `
        la t0, handler
        csrw mtvec, t0
        li t0, 0x6000
        csrs mstatus, t0
        csrwi frm, 5
        la s1, work
        li s2, ${calls}
      again:
        jalr s1
        addi s2, s2, -1
        bnez s2, again
      end:
        j end
      work:
        slli a0, s2, 3
        ${fault}
        li a0, 0
        ret
        .align 2
      handler:
        add s3, s3, a0
        csrw mepc, ra
        mret`,
      { base: BASE },
    );
    const interpreted = new TierRun(bytes);
    const translated = new TierRun(bytes, { translate: { without } });
    for (let slice = 0; slice < 60; slice++) {
      expect(translated.run(20)).toEqual(interpreted.run(20));
    }
    expect(translated.hart.x(19)).toBe(BigInt(8 * ((calls * (calls + 1)) / 2)));
    expect(translated.hart.x(18)).toBe(0n);
    expect(translated.translator?.stats.regions).toBeGreaterThan(0);
  });
});
