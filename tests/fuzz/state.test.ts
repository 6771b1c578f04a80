import { expect, test } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { outcomes, state } from './state.ts';

test('states that are damaged are refused with a sentence, or run and break nothing', async () => {
  await fuzz(state, 1, state.bounded);
  // Else one of the halves was not looked at.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(state.bounded / 30);
});
