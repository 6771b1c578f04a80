/**
 * Unpacks a chunk: the official zstd decoder as WebAssembly (the package zstddec), some ten times as
 * fast as those in JavaScript. What is unpacked comes from outside; the decoder writes into a
 * buffer of the length that is expected and cannot leave its own memory. Whether the contents are
 * right is for their SHA-256 to say.
 */
import { ZSTDDecoder } from 'zstddec';
import { StorageError } from '../files.ts';
import { sha256Hex } from '../hash.ts';

const decoder = new ZSTDDecoder();

/** The contents of `frame`, `length` bytes, verified; StorageError when they are not those of `sha256`. */
export async function unpackChunk(
  frame: Uint8Array,
  length: number,
  sha256: string,
): Promise<Uint8Array<ArrayBuffer>> {
  await decoder.init();
  let contents: Uint8Array<ArrayBuffer> | undefined;
  try {
    contents = new Uint8Array(decoder.decode(frame, length));
  } catch {
    // What the decoder says of damaged input helps nobody: the sentence is below.
  }
  if (contents?.length !== length || (await sha256Hex(contents)) !== sha256) {
    throw new StorageError(
      'damaged',
      `The chunk ${sha256.slice(0, 12)} of a disk image is damaged.`,
    );
  }
  return contents;
}
