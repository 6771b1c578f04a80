import { test } from 'vitest';
import { fuzz } from './fuzzer.ts';
import { ninep } from './ninep.ts';

test('shared folders stand a guest that breaks the rules now and then', async () => {
  await fuzz(ninep, 1, ninep.bounded);
});
