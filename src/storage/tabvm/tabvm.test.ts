import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SnapshotSource } from '../../machine/snapshot/snapshot.ts';
import { StorageError } from '../files.ts';
import { stateCodec } from '../snapshots/codec.ts';
import { exportTabvm } from './export.ts';
import { type RandomAccess, TabvmFile } from './file.ts';

const PAGE = 4096;
const noise = (length: number) =>
  new Uint8Array(length).map((_, i) => (Math.imul(i ^ (i >> 7), 2654435761) >>> 24) & 255);
const kernel = noise(300_000);
const disk = new Uint8Array((1 << 20) + 512);
disk.set(noise(5000), 600_000);
disk[disk.length - 1] = 9;

const source: SnapshotSource = {
  image: {
    memory: 1 << 20,
    state: { a: [1, true, 'x'], b: new Uint8Array([1, 2]) },
    token: 'ab'.repeat(16),
  },
  async *pages() {
    yield { first: 3, bytes: new Uint8Array(2 * PAGE).fill(7) };
    yield { first: 100, bytes: noise(100 * PAGE) };
  },
};

async function make(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let last: [number, number] = [0, 1];
  const stream = exportTabvm({
    head: { name: 'vm', note: '', template: 'micro', append: 'quiet', time: 5, thumbnail: '' },
    source,
    codec: stateCodec,
    kernel,
    disks: [
      { size: disk.length, read: (at, into) => into.set(disk.subarray(at, at + into.length)) },
    ],
    progress: (done, total) => {
      expect(done).toBeGreaterThanOrEqual(last[0]);
      last = [done, total];
    },
  });
  for await (const part of stream) parts.push(part);
  expect(last[0]).toBe(last[1]);
  return Buffer.concat(parts);
}

const bytes = await make();

function access(content: Uint8Array): RandomAccess {
  return {
    size: () => content.length,
    read: (offset, into) => {
      const part = content.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
}

test('a file gives back what was exported', async () => {
  const file = await TabvmFile.open(access(bytes), stateCodec);
  expect(file.head).toMatchObject({ name: 'vm', memory: 1 << 20, disks: [{ size: disk.length }] });
  await file.verify();
  const back = await file.source();
  expect(back.image).toEqual(source.image);
  const runs = [];
  for await (const run of back.pages()) runs.push(run);
  expect(runs.map(({ first, bytes }) => [first, bytes.length / PAGE])).toEqual([
    [3, 2],
    [100, 64],
    [164, 36],
  ]);
  expect(
    Buffer.compare(Buffer.concat(runs.slice(1).map((run) => run.bytes)), noise(100 * PAGE)),
  ).toBe(0);
  expect(Buffer.compare((await file.kernel())!, kernel)).toBe(0);
  expect(await file.initrd()).toBeUndefined();
  const base = file.disk(0);
  const read = new Uint8Array(disk.length);
  for (let chunk = 0; chunk * base.chunkSize < disk.length; chunk++) {
    if (!base.isZero(chunk)) read.set(await base.load(chunk), chunk * base.chunkSize);
  }
  expect(Buffer.compare(read, disk)).toBe(0);
  expect([0, 1, 2, 3, 4].filter((chunk) => !base.isZero(chunk))).toEqual([2, 4]);
});

test('a damaged file is refused in one sentence, at whatever byte; a cut one, too', async () => {
  const whole = await TabvmFile.open(access(bytes), stateCodec);
  await whole.verify();
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), fc.boolean(), async (at, bit, cut) => {
      const bad = cut ? bytes.slice(0, at) : bytes.slice();
      if (!cut) bad[at]! ^= 1 << bit;
      const error = await TabvmFile.open(access(bad), stateCodec)
        .then((file) => file.verify())
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      expect(error).toBeInstanceOf(StorageError);
      expect((error as Error).message).toMatch(
        /^The \.tabvm file is (damaged: [^.]+|of version \d+, [^.]+\. Open it [^.]+)\.$/,
      );
    }),
    {
      numRuns: 200,
      examples: [
        [0, 0, true],
        [6, 1, false],
        [bytes.length - 1, 0, true],
      ],
    },
  );
});
