/** Interpreter and translator agree: the conformance suite's programs leave the same state in both. */
import { describe, expect, it } from 'vitest';
import { differences, differingBlocks } from '../conformance/compare.ts';
import { generateBlock } from '../conformance/generate.ts';
import { Image } from '../conformance/image.ts';
import { createTarget } from '../conformance/target.ts';
import { FORMS } from './tier.ts';

const BLOCKS_IN_IMAGE = 40;
const IMAGES = 6;
const BUDGET = 1e8;

describe.each(FORMS)('interpreter and translator %s', (_, without) => {
  const interpreted = createTarget('interpreter');
  const translated = createTarget('translator', without);

  it.each([1, 20, 300])('leave the same state, seed %i', (seed) => {
    for (let n = 0; n < IMAGES; n++) {
      const image = new Image();
      for (let i = 0; i < BLOCKS_IN_IMAGE; i++) {
        const block = generateBlock(seed, n * BLOCKS_IN_IMAGE + i, { without: new Set() });
        expect(image.add(block)).toBe(true);
      }
      const a = interpreted(image.bytes, BUDGET);
      const b = translated(image.bytes, BUDGET);
      expect(a.ended && b.ended).toBe(true);
      // Else nothing was compared.
      expect(b.translator?.regions).toBeGreaterThan(100);
      expect(b.instructions).toBe(a.instructions);
      const differing = differingBlocks(a.ram, b.ram, image.blocks.length);
      expect(differing.map((i) => [i, differences(a.ram, b.ram, i)])).toEqual([]);
    }
  });
});
