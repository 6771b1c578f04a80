/**
 * Cuts the contents of a disk into an image's chunks. Relies on whoever reads, compresses and
 * stores; guarantees that zeroes are never stored, that equal chunks are stored once, and that no
 * more than a few chunks are in memory at a time.
 */

import * as v from 'valibot';
import { StorageError } from '../files.ts';
import { isZero, sha256Hex } from '../hash.ts';
import { CHUNK_DEFAULT, type DiskImage, DiskImageSchema, type ImageChunk } from './manifest.ts';

export interface WriteImageOptions {
  /** Bytes; a power of two from 64 KiB to 1 MiB. */
  readonly chunkSize?: number;
  /** Chunks that are compressed and stored at the same time. */
  readonly parallel?: number;
  readonly bootOrder?: readonly number[];
  /** Called with the bytes of the disk that have been looked at. */
  readonly progress?: (done: number, size: number) => void;
}

/** What `writeImage` needs to store. */
export interface ChunkTarget {
  /** Bytes as stored of a chunk that is there already; undefined when it is not. */
  has?(sha256: string): Promise<number | undefined>;
  /** One zstd frame that holds `contents`, which are not to be kept. */
  compress(contents: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Stores a frame under the name `chunkPath(sha256)`. */
  put(sha256: string, frame: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Makes an image of the `size` bytes that `readRange` gives; it fills all of `into` from `offset`
 * on. Returns the manifest, which is for the caller to store when all chunks are there.
 */
export async function writeImage(
  readRange: (offset: number, into: Uint8Array<ArrayBuffer>) => void | Promise<void>,
  size: number,
  target: ChunkTarget,
  options: WriteImageOptions = {},
): Promise<DiskImage> {
  const { chunkSize = CHUNK_DEFAULT, parallel = 4, bootOrder, progress } = options;
  const count = Math.ceil(size / chunkSize);
  const chunks: (ImageChunk | null)[] = new Array(count).fill(null);
  /** Chunks that are stored or on their way: the same contents twice are stored once. */
  const stored = new Map<string, Promise<number>>();
  let next = 0;
  let done = 0;

  const store = async (sha256: string, contents: Uint8Array<ArrayBuffer>): Promise<number> => {
    const there = await target.has?.(sha256);
    if (there !== undefined) return there;
    const frame = await target.compress(contents);
    await target.put(sha256, frame);
    return frame.length;
  };
  const one = async (index: number): Promise<void> => {
    const contents = new Uint8Array(Math.min(chunkSize, size - index * chunkSize));
    await readRange(index * chunkSize, contents);
    if (!isZero(contents)) {
      const sha256 = await sha256Hex(contents);
      let storing = stored.get(sha256);
      if (storing === undefined) {
        storing = store(sha256, contents);
        stored.set(sha256, storing);
      }
      chunks[index] = { sha256, size: await storing };
    }
    done += contents.length;
    progress?.(done, size);
  };
  const lane = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, lane));

  const image = v.safeParse(DiskImageSchema, {
    format: 1,
    size,
    chunkSize,
    chunks,
    ...(bootOrder === undefined ? {} : { bootOrder: [...bootOrder] }),
  });
  if (image.success) return image.output;
  throw new StorageError(
    'failed',
    `No image can be made of these ${size} bytes: ${image.issues[0].message}.`,
  );
}
