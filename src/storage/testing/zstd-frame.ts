/**
 * Frames of zstd for tests, which hold their contents uncompressed (RFC 8878 §3.1.1): no tool and no
 * library is needed to make one.
 */

const BLOCK_MAX = 128 * 1024;
/** Magic number, and a header that says: one segment, contents' size in four bytes. */
const HEADER = [0x28, 0xb5, 0x2f, 0xfd, 0xa0];

export function zstdFrame(contents: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.max(1, Math.ceil(contents.length / BLOCK_MAX));
  const frame = new Uint8Array(HEADER.length + 4 + blocks * 3 + contents.length);
  const view = new DataView(frame.buffer);
  frame.set(HEADER);
  view.setUint32(HEADER.length, contents.length, true);
  let at = HEADER.length + 4;
  for (let block = 0; block < blocks; block++) {
    const part = contents.subarray(block * BLOCK_MAX, (block + 1) * BLOCK_MAX);
    const header = (part.length << 3) | (block === blocks - 1 ? 1 : 0);
    view.setUint16(at, header & 0xffff, true);
    frame[at + 2] = header >> 16;
    frame.set(part, at + 3);
    at += 3 + part.length;
  }
  return frame;
}
