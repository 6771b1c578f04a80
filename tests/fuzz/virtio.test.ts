import { expect, test } from 'vitest';
import { Finding, fuzz } from './fuzzer.ts';
import { virtio, virtioWithPlantedFault } from './virtio.ts';

test('virtio devices stand a driver that breaks the rules now and then', async () => {
  await fuzz(virtio, 1, virtio.bounded);
});

test('the fuzzer sees a fault that was planted, and says how to see it again', async () => {
  const run = fuzz(virtioWithPlantedFault, 1, 200);
  await expect(run).rejects.toThrow(Finding);
  await expect(run).rejects.toThrow(/--only virtio --seed \d+ --count 1\n.*planted/s);
});
