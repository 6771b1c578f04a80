import { expect, test } from 'vitest';
import { virtioRig } from '../../testing/virtio-rig.ts';
import { ENTROPY_LIMIT, EntropyDevice } from './entropy.ts';

function rig() {
  let calls = 0;
  const all = virtioRig(new EntropyDevice((into) => into.fill(++calls)));
  all.driver.start();
  return { ...all, queue: all.driver.queues[0]! };
}

test('fills what it is asked to fill from the source', () => {
  const { queue, driver } = rig();
  const offers = [queue.offer([], [64]), queue.offer([], [3, 5])];
  queue.kick();
  expect(queue.reap().map((used) => used.written)).toEqual([64, 8]);
  expect([...driver.read(offers[0]!.room[0]!)]).toEqual(new Array(64).fill(1));
  expect([...driver.read(offers[1]!.room[1]!)]).toEqual(new Array(5).fill(2));
});

test('a huge request gets a bounded number of bytes, and the rest stays untouched', () => {
  const { queue, driver } = rig();
  const { room } = queue.offer([], [ENTROPY_LIMIT, 100_000]);
  queue.kick();
  expect(queue.reap()[0]!.written).toBe(ENTROPY_LIMIT);
  expect(driver.read(room[1]!).every((byte) => byte === 0)).toBe(true);
});

test('a request without room stops the device', () => {
  const { queue, driver } = rig();
  queue.offer([new Uint8Array(4)], []);
  queue.kick();
  expect(driver.needsReset).toBe(true);
});

test('a source that fails stops the device only', () => {
  const all = virtioRig(
    new EntropyDevice(() => {
      throw new Error('no entropy');
    }),
  );
  all.driver.start();
  all.driver.queues[0]!.offer([], [4]);
  all.driver.queues[0]!.kick();
  expect(all.faults[0]!.reason).toMatch(/no entropy/);
});
