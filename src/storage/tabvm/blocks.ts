/**
 * The blocks of a .tabvm file: each says of what part it is, at which offset its contents belong, how
 * long they are, and the SHA-256 of what is stored. Contents are deflated where that makes them
 * smaller. A file comes from anywhere: lengths are bounded before anything is read or unpacked.
 */
import { StorageError } from '../files.ts';
import { sha256 } from '../hash.ts';

/** "TABVM", a zero, the version in two bytes. */
export const MAGIC = new Uint8Array([0x54, 0x41, 0x42, 0x56, 0x4d, 0, 1, 0]);
export const BLOCK_HEADER = 56;
/** Bytes of a block's contents at most. */
export const BLOCK_MAX = 256 << 10;

/** What a block is a part of. Disks are DISK, DISK + 1, … */
export const Part = {
  HEAD: 1,
  STATE: 2,
  KERNEL: 3,
  INITRD: 4,
  RAM: 5,
  END: 6,
  SHARE: 7,
  DISK: 16,
} as const;
export const DISKS = 8;

export interface BlockHeader {
  readonly part: number;
  /** Where the contents belong in their part. */
  readonly offset: number;
  readonly length: number;
  /** Bytes in the file; as many as `length`: not deflated. */
  readonly stored: number;
  readonly sha256: Uint8Array;
}

/** A block as it is in the file: header and contents. */
export async function encodeBlock(
  part: number,
  offset: number,
  contents: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const deflated = await through(contents, new CompressionStream('deflate-raw'), contents.length);
  const stored = deflated && deflated.length < contents.length ? deflated : contents;
  const bytes = new Uint8Array(BLOCK_HEADER + stored.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, part, true);
  view.setUint32(4, contents.length, true);
  view.setUint32(8, stored.length, true);
  view.setFloat64(16, offset, true);
  bytes.set(await sha256(stored), 24);
  bytes.set(stored, BLOCK_HEADER);
  return bytes;
}

export function decodeHeader(bytes: Uint8Array): BlockHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header: BlockHeader = {
    part: view.getUint32(0, true),
    length: view.getUint32(4, true),
    stored: view.getUint32(8, true),
    offset: view.getFloat64(16, true),
    sha256: bytes.slice(24, BLOCK_HEADER),
  };
  const { part, length, stored, offset } = header;
  const known =
    (part >= Part.HEAD && part <= Part.SHARE) || (part >= Part.DISK && part < Part.DISK + DISKS);
  const placed = Number.isSafeInteger(offset) && offset >= 0 && !Object.is(offset, -0);
  const sized = length <= BLOCK_MAX && stored <= length && view.getUint32(12, true) === 0;
  if (!known || !placed || !sized || (part === Part.END && offset !== 0)) {
    throw damaged('it has a block that means nothing');
  }
  return header;
}

/** The contents of a block, verified. */
export async function decodeContents(
  header: BlockHeader,
  stored: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const digest = await sha256(stored);
  if (!digest.every((byte, i) => byte === header.sha256[i])) {
    throw damaged('a block is not what was stored');
  }
  if (header.stored === header.length) return stored;
  const contents = await through(stored, new DecompressionStream('deflate-raw'), header.length);
  if (contents?.length !== header.length) throw damaged('a block cannot be unpacked');
  return contents;
}

export function damaged(why: string): StorageError {
  return new StorageError('damaged', `The .tabvm file is damaged: ${why}.`);
}

/** `bytes` through a stream; undefined when that fails or gives more than `limit`. */
async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const writer = stream.writable.getWriter();
  // What goes wrong there shows where it is read.
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  const reader = stream.readable.getReader();
  const into = new Uint8Array(limit);
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return into.subarray(0, length);
      if (length + value.length > limit) {
        await reader.cancel().catch(() => {});
        return undefined;
      }
      into.set(value, length);
      length += value.length;
    }
  } catch {
    return undefined;
  }
}
