import { expect, test } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { outcomes, snapshots } from './snapshots.ts';

test('what snapshots are kept in is what was stored, or refused with a sentence', async () => {
  await fuzz(snapshots, 1, snapshots.bounded);
  // Else one of the two halves was not looked at.
  expect(outcomes.whole).toBeGreaterThan(snapshots.bounded / 4);
  expect(outcomes.refused).toBeGreaterThan(snapshots.bounded / 4);
});
