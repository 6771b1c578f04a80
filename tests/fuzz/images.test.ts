import { expect, test } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { images, outcomes } from './images.ts';

test('files with damaged places are refused with a sentence, or used within bounds', async () => {
  await fuzz(images, 1, images.bounded);
  // Else one of the two halves was not looked at.
  expect(outcomes.accepted).toBeGreaterThan(images.bounded / 10);
  expect(outcomes.refused).toBeGreaterThan(images.bounded / 10);
});
