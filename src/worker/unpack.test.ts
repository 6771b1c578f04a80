import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { unpack } from './unpack.ts';

const data = new Uint8Array(100_000).map((_, i) => (i * 7) % 253);
const image = (bytes: Uint8Array, size = data.length, packed = true) => ({
  name: 'kernel.gz',
  bytes: new Uint8Array(bytes).buffer,
  packed,
  size,
});

test('an image is unpacked, or taken as it is', async () => {
  expect(await unpack(image(gzipSync(data)))).toEqual(data);
  expect(await unpack(image(data, data.length, false))).toEqual(data);
});

test('a damaged image is refused by name', async () => {
  const damaged = new Uint8Array(gzipSync(data));
  damaged[damaged.length - 6] = (damaged[damaged.length - 6] ?? 0) ^ 255;
  await expect(unpack(image(damaged))).rejects.toThrow('kernel.gz is damaged');
  await expect(unpack(image(gzipSync(data).subarray(0, 500)))).rejects.toThrow('is damaged');
});

test('an image that unpacks to more or less than was promised is refused', async () => {
  const large = gzipSync(new Uint8Array(5_000_000));
  await expect(unpack(image(large))).rejects.toThrow('larger than its manifest says');
  await expect(unpack(image(gzipSync(data), data.length + 1))).rejects.toThrow('smaller than');
});
