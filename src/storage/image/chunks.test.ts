/** What is fetched before anybody asks: the chunks ahead of a sequential reader, and a boot's. */
import { describe, expect, test } from 'vitest';
import { imageOf } from '../testing/image-fixture.ts';
import { ChunkLibrary, ImageReader } from './chunks.ts';

const CHUNK = 65_536;
/** Chunks that differ, so that each has a name of its own. */
const disk = new Uint8Array(16 * CHUNK).map((_, i) => (i >> 16) + 1);

/** A reader, and the chunks that its source was asked for, by number. */
async function reading(bootOrder?: number[]) {
  const { image, source, asked } = await imageOf(disk);
  const described = bootOrder === undefined ? image : { ...image, bootOrder };
  const reader = new ImageReader(described, source, new ChunkLibrary());
  const numbers = () =>
    asked.map((sha256) => image.chunks.findIndex((chunk) => chunk?.sha256 === sha256));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
  return { reader, numbers, settled };
}

describe('an image', () => {
  test('read from here and there is fetched as it is asked for', async () => {
    const { reader, numbers, settled } = await reading();
    for (const chunk of [9, 3, 12]) await reader.load(chunk);
    await settled();
    expect(numbers()).toEqual([9, 3, 12]);
  });

  test('read in order is fetched ahead, the nearest chunk first, further the longer it goes on', async () => {
    const { reader, numbers, settled } = await reading();
    await reader.load(2);
    await reader.load(3);
    await settled();
    expect(numbers()).toEqual([2, 3, 4]);
    await reader.load(4);
    await settled();
    expect(numbers()).toEqual([2, 3, 4, 5, 6]);
    await reader.load(5);
    await settled();
    expect(numbers()).toEqual([2, 3, 4, 5, 6, 7, 8]);
  });

  test('goes no further than its end', async () => {
    const { reader, numbers, settled } = await reading();
    for (const chunk of [13, 14, 15]) await reader.load(chunk);
    await settled();
    expect(numbers()).toEqual([13, 14, 15]);
  });

  test('that is to be booted comes in the order of the boot', async () => {
    const { reader, numbers, settled } = await reading([11, 0, 7, 5, 6]);
    reader.expectBoot();
    await settled();
    expect(numbers()).toEqual([11, 0, 7, 5, 6]);
    expect(reader.peek(7)).toEqual(disk.subarray(7 * CHUNK, 8 * CHUNK));
  });

  test('notes in what order it is read: a boot order', async () => {
    const { reader } = await reading();
    const order = reader.record();
    for (const chunk of [8, 2, 8, 3]) await reader.load(chunk);
    expect(order).toEqual([8, 2, 3]);
  });
});
