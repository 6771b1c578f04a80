import { expect, test } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { coverage, instructions } from './instructions.ts';

test('both tiers stand random code, stay within bounds and agree', async () => {
  await fuzz(instructions, 1, instructions.bounded);
  // Else nothing was compared.
  expect(coverage.retired).toBeGreaterThan(200 * instructions.bounded);
  expect(coverage.regions).toBeGreaterThan(instructions.bounded);
});
