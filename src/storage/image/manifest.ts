/**
 * A disk image in chunks: what a manifest says, how it is read, and what its id is. A chunk is named
 * by the SHA-256 of its contents as the guest sees them and stored as one zstd frame at `chunkPath`,
 * below the folder of the manifest; a chunk of zeroes is stored nowhere. Manifests come from
 * outside: nothing of one is used before this schema has passed it, and none can name another file.
 */
import * as v from 'valibot';
import { excerpt } from '../../machine/errors.ts';
import { StorageError } from '../files.ts';
import { sha256Hex } from '../hash.ts';

const KIB = 1024;
export const CHUNK_DEFAULT = 256 * KIB;
const CHUNK_MIN = 64 * KIB;
const CHUNK_MAX = 1024 * KIB;
/** Largest disk, in bytes: what a manifest of this many chunks is still quick to read for. */
const SIZE_MAX = 64 * KIB ** 3;
const CHUNKS_MAX = 1 << 18;
/** More characters than the largest manifest has. */
export const MANIFEST_MAX = 32 << 20;
const SECTOR = 512;
/** A frame of zstd around contents that do not compress is a little larger than they are. */
const OVERHEAD = 4 * KIB;

export const Sha256Schema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, 'is no SHA-256 in hexadecimal'),
);

const Natural = v.pipe(v.number(), v.integer(), v.minValue(0));

const ChunkSchema = v.strictObject({
  sha256: Sha256Schema,
  /** Bytes as stored, compressed: what a download costs. */
  size: v.pipe(Natural, v.minValue(1), v.maxValue(CHUNK_MAX + OVERHEAD)),
});

export const DiskImageSchema = v.pipe(
  v.strictObject({
    format: v.literal(1),
    /** Bytes of the disk. */
    size: v.pipe(Natural, v.minValue(SECTOR), v.maxValue(SIZE_MAX), v.multipleOf(SECTOR)),
    /** Bytes of each chunk but the last, which may be shorter. */
    chunkSize: v.pipe(
      Natural,
      v.minValue(CHUNK_MIN),
      v.maxValue(CHUNK_MAX),
      v.check((size) => Number.isInteger(Math.log2(size)), 'is no power of two'),
    ),
    /** In order; null for zeroes. */
    chunks: v.pipe(v.array(v.nullable(ChunkSchema)), v.maxLength(CHUNKS_MAX)),
    /** Indices of the chunks that a boot reads, in that order: they are fetched ahead. */
    bootOrder: v.optional(v.pipe(v.array(Natural), v.maxLength(CHUNKS_MAX))),
  }),
  v.check(
    ({ size, chunkSize, chunks }) => chunks.length === Math.ceil(size / chunkSize),
    'has another number of chunks than its size needs',
  ),
  v.check(
    ({ bootOrder, chunks }) => bootOrder?.every((index) => index < chunks.length) ?? true,
    'has a boot order that names chunks which there are not',
  ),
);

export type DiskImage = v.InferOutput<typeof DiskImageSchema>;
export type ImageChunk = v.InferOutput<typeof ChunkSchema>;

/** Where a chunk is stored, below the folder that holds the manifest. */
export function chunkPath(sha256: string): string {
  return `chunks/${sha256.slice(0, 2)}/${sha256}.zst`;
}

/** Bytes of the contents of chunk `index`. */
export function chunkLength({ size, chunkSize }: DiskImage, index: number): number {
  return Math.min(chunkSize, size - index * chunkSize);
}

/** Bytes that are stored, each chunk once. */
export function storedSize(image: DiskImage): number {
  const sizes = new Map<string, number>();
  for (const chunk of image.chunks) if (chunk) sizes.set(chunk.sha256, chunk.size);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** Reads a manifest from its text. `name` is for the sentence of an error. */
export function parseDiskImage(text: string, name: string): DiskImage {
  if (text.length > MANIFEST_MAX) {
    throw new StorageError('damaged', `${name} is too large to be the manifest of a disk image.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new StorageError(
      'damaged',
      `${name} is not the manifest of a disk image: it is not JSON.`,
    );
  }
  const result = v.safeParse(DiskImageSchema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = excerpt(v.getDotPath(issue)?.slice(0, 60) ?? 'the whole');
  throw new StorageError(
    'damaged',
    `${name} is not the manifest of a disk image: ${where} ${excerpt(issue.message)}.`,
  );
}

/** The one text of a manifest, whatever the order of its fields was. */
export function formatDiskImage({ size, chunkSize, chunks, bootOrder }: DiskImage): string {
  return JSON.stringify({
    format: 1,
    size,
    chunkSize,
    chunks: chunks.map((chunk) => chunk && { sha256: chunk.sha256, size: chunk.size }),
    ...(bootOrder === undefined ? {} : { bootOrder }),
  });
}

/** Names an image: SHA-256 of its manifest's text. */
export async function diskImageId(image: DiskImage): Promise<string> {
  return sha256Hex(new TextEncoder().encode(formatDiskImage(image)));
}
