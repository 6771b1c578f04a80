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
