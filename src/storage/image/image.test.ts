import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../files.ts';
import { checksum, fromHex, isZero, sha256Hex, toHex } from '../hash.ts';
import { zstdFrame } from '../testing/zstd-frame.ts';
import {
  chunkLength,
  chunkPath,
  type DiskImage,
  diskImageId,
  formatDiskImage,
  parseDiskImage,
  storedSize,
} from './manifest.ts';
import { writeImage } from './write.ts';
import { unpackChunk } from './zstd.ts';

const KIB = 1024;

/** 64 KiB by `zstd -19`. */
const COMPRESSED =
  'KLUv/QRoRSAAhD8AAQECAgMDBAUGBwgJCgsMDQ8QEhMVFhgaHB4gIiQmKCotLzI0Nzk8P0JFSEtOUVRXW15iZWlscHR4fICEiIyQlJmdoqarr7S5vsPIzdLX3OHn7PL3/QIIDhQaICYsMjg+RUtSWF9lbHN6gYiPlp2kq7O6wsnR2ODo8PgACBAYICgxOUJKU1tkbXZ/iJGao6y1v8jS2+Xu+AIMFiAqND5IUl1ncnyHkZynsr3I097p9P8LFiItOURQXGh0gIyYpLC8ydXi7vsHFCEuO0hVYm98iZeksr/N2uj2BBIgLjxKWGZ1g5Kgr73M2+r5CBcmNURTY3KCkaGwwNDg8AAQIDBAUGFxgpKjs8TV5vcIGSo7TF1vgJKjtcbY6vwOIDJEVmh6jZ+yxNfp/A8iNUhbboGUp7vO4vUJHDBEWGyAlKi80OT5DSI2S190iZ6zyN3yBxwxR1xyh52yyN70CiA2TGJ4jqW70uj/FSxDWnGIn7bN5PsTKkJZcYiguNDoABgwSGB4kanC2vMLJD1Wb4ihutPsBR84UmuFnrjS7AYgOlRuiKK91/IMJ0Fcd5KtyOP+GTRPa4aivdn0ECxIZICcuNTwDClFYn6bt9TxDitIZYKfvNn3FDJPbYqoxuQCID5cepi21fMSME9tjKvK6QgnRmWEo8PiAiFBYICgwOAAIEDB4QIiQ2OEpcbnCClKa4ytz/ASM1V2mLrc/iBCZIaoyu0PMlR3mbzfAiVIa46x1PcbPmKFqczwFDhcgKTI7BA0WX2ixusPNFl+o8jtEjdcgafM8hc9Yoiu1PogRmySuN4FK1J4n8XsEzphiK/W/SRLc5rC6RE4YIiw2AAoUHigyPEZQmqTu+QNNl+IsdoDLFV/qNL7JU54osz2IEp0nsjyHUdynMfxHEdyncjzHkl0n8v2Ik15pND8KFSArNgEMFyJteIOO2eUwe4bSHWiz/wpV4Sy3w06aJbE8iBOfKrYBjVjksDvHUx7qtkIN2aVxPMjUoKx4RBAcKDQADBgkMDwIVGCsuMTRHWm1wg5apvM/S9gksP1JliKvO4gUoS26BpNf7LkF0l8r+IVSHuu4RRHe67iFUl8sOQYTIC06BxQhLntIlaLv/QpXpPI/TJnnNEHPHKn3RJIfrTqIFaMwvguZZvSCD91rOMaUYi/9i1km9MKQnmx6CBYkMgAOHCo4BhRicL6M2uk3RZPiMH6M2yl3xhSi8X+OHKs5iBalM4IQn238ixnodwXUo3IAz55tO8rZqLdGVSQzAhEgLz4NHCs6SVintsXVJHOC0iFwv88ebf0Mm+t6ihmpOIgXpzaGFaV0xJQj80MS4rJCEeGxQRDg8ICQYHAAECAwAMA+v37AbI+9b8wF2AD9bAg/w==';

/** An image of `disk`, and the frames that were stored for it. */
async function imageOf(disk: Uint8Array, chunkSize = 64 * KIB) {
  const frames = new Map<string, Uint8Array<ArrayBuffer>>();
  let compressed = 0;
  const image = await writeImage(
    (offset, into) => into.set(disk.subarray(offset, offset + into.length)),
    disk.length,
    {
      compress: async (contents) => {
        compressed++;
        return zstdFrame(contents);
      },
      put: async (sha256, frame) => void frames.set(sha256, frame),
    },
    { chunkSize },
  );
  return { image, frames, compressed };
}

describe('disk image', () => {
  test('is cut into chunks; zeroes are stored nowhere and equal chunks once', async () => {
    const disk = new Uint8Array(5 * 64 * KIB + 512);
    disk.fill(7, 0, 64 * KIB);
    disk.fill(7, 3 * 64 * KIB, 4 * 64 * KIB);
    disk[5 * 64 * KIB + 511] = 1;
    const { image, frames, compressed } = await imageOf(disk);
    expect(compressed).toBe(2);
    expect(image.chunks.map((chunk) => chunk !== null)).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
    expect(storedSize(image)).toBe([...frames.values()].reduce((sum, f) => sum + f.length, 0));
    const back = new Uint8Array(disk.length);
    for (const [index, chunk] of image.chunks.entries()) {
      if (!chunk) continue;
      const frame = frames.get(chunk.sha256)!;
      expect(frame.length).toBe(chunk.size);
      back.set(
        await unpackChunk(frame, chunkLength(image, index), chunk.sha256),
        index * image.chunkSize,
      );
    }
    expect(back).toEqual(disk);
    const again = parseDiskImage(formatDiskImage(image), 'It');
    expect(again).toEqual(image);
    expect(await diskImageId(again)).toBe(await diskImageId(image));
  });

  test('a chunk that is there already is not compressed again', async () => {
    const disk = new Uint8Array(64 * KIB).fill(3);
    const image = await writeImage((_, into) => void into.set(disk), disk.length, {
      has: async () => 77,
      compress: () => Promise.reject(new Error('asked to compress')),
      put: () => Promise.reject(new Error('asked to store')),
    });
    expect(image.chunks[0]?.size).toBe(77);
  });

  test('what cannot be stored is an error, not a manifest', async () => {
    const target = {
      compress: async (contents: Uint8Array<ArrayBuffer>) => contents,
      put: () => Promise.reject(new StorageError('full', 'There is no space left.')),
    };
    await expect(writeImage((_, into) => void into.fill(1), 1 << 20, target)).rejects.toThrow(
      'no space left',
    );
    await expect(writeImage(() => {}, 1000, target)).rejects.toThrow(/No image can be made/);
  });

  test('a damaged, cut or foreign frame is refused', async () => {
    const { image, frames } = await imageOf(new Uint8Array(64 * KIB).map((_, i) => (i * i) >> 5));
    const { sha256 } = image.chunks[0]!;
    const frame = frames.get(sha256)!;
    for (let at = 0; at < frame.length; at += 997) {
      const bad = frame.slice();
      bad[at]! ^= 0x10;
      // zstd leaves a few bits of a frame unused: then the contents are still the right ones.
      const unpacked = await unpackChunk(bad, 64 * KIB, sha256).catch((error: unknown) => error);
      if (unpacked instanceof Uint8Array) expect(unpacked[1000]).toBe(((1000 * 1000) >> 5) & 255);
      else expect(unpacked).toBeInstanceOf(StorageError);
    }
    for (const bad of [
      frame.subarray(0, frame.length - 1),
      new Uint8Array(0),
      zstdFrame(new Uint8Array(9)),
    ]) {
      await expect(unpackChunk(bad, 64 * KIB, sha256)).rejects.toThrow(/is damaged/);
    }
    expect(await unpackChunk(frame, 64 * KIB, sha256)).toHaveLength(64 * KIB);
  });
});

test('a frame that zstd itself compressed is unpacked', async () => {
  const contents = new Uint8Array(64 * KIB).map((_, i) => ((i % KIB) * (i % KIB)) >> 5);
  const frame = Uint8Array.from(atob(COMPRESSED), (c) => c.charCodeAt(0));
  expect(frame.length).toBeLessThan(contents.length / 10);
  expect(await unpackChunk(frame, contents.length, await sha256Hex(contents))).toEqual(contents);
});

describe('manifest', () => {
  const good: DiskImage = {
    format: 1,
    size: 128 * KIB,
    chunkSize: 64 * KIB,
    chunks: [null, { sha256: 'a'.repeat(64), size: 10 }],
    bootOrder: [1, 0],
  };

  test.each([
    ['size', 128 * KIB + 1],
    ['size', 64 * KIB],
    ['size', 2 ** 60],
    ['size', -512],
    ['chunkSize', 100_000],
    ['chunkSize', 32 * KIB],
    ['chunkSize', 0],
    ['chunks', []],
    ['chunks', [null, { sha256: '../../../etc/passwd', size: 10 }]],
    ['chunks', [null, { sha256: 'a'.repeat(64), size: 2 ** 31 }]],
    ['chunks', [null, { sha256: 'a'.repeat(64), size: 10, backing: '/etc/passwd' }]],
    ['bootOrder', [2]],
    ['format', 2],
    ['backing', 'x'],
  ])('with %s %j is refused in one sentence', (field, value) => {
    const text = JSON.stringify({ ...good, [field]: value });
    expect(() => parseDiskImage(text, 'disk.json')).toThrow(
      /^disk\.json is not the manifest of a disk image: .{3,240}\.$/,
    );
  });

  test('is read whatever the order of its fields, and has one id', async () => {
    const reversed = JSON.stringify(Object.fromEntries(Object.entries(good).reverse()));
    expect(parseDiskImage(reversed, 'x')).toEqual(good);
    expect(await diskImageId(parseDiskImage(reversed, 'x'))).toBe(await diskImageId(good));
    expect(() => parseDiskImage('{', 'x')).toThrow(/not JSON/);
    expect(chunkPath('ab'.repeat(32))).toBe(`chunks/ab/${'ab'.repeat(32)}.zst`);
  });
});

test('checksums see every bit, the order, the length and the seed', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc.nat(),
      fc.nat(7),
      (bytes, at, bit) => {
        const changed = bytes.slice();
        changed[at % bytes.length]! ^= 1 << bit;
        expect(checksum(changed)).not.toBe(checksum(bytes));
        expect(checksum(bytes, 1)).not.toBe(checksum(bytes));
        const moved = new Uint8Array(bytes.length + 1);
        moved.set(bytes, 1);
        expect(checksum(moved.subarray(1))).toBe(checksum(bytes));
        expect(checksum(moved)).not.toBe(checksum(bytes));
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(isZero(bytes)).toBe(bytes.every((byte) => byte === 0));
      },
    ),
  );
});

test('what a manifest says is quoted in a sentence on one line', () => {
  const text = JSON.stringify({ format: '\u0000\n\ud800'.repeat(200) });
  expect(() => parseDiskImage(text, 'disk.json')).toThrow(/^[^\p{C}]{1,400}\.$/u);
});
