/**
 * Hashes and checksums of storage. SHA-256 names contents (WebCrypto: a browser and Node have it);
 * the checksum is quick and finds accidents, torn writes and rot, but no forgery.
 */

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(await sha256(bytes));
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Bytes of hexadecimal text that a schema has checked already. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** 32 bits over `bytes` and `seed`, so that contents in the wrong place do not pass either. */
export function checksum(bytes: Uint8Array, seed = 0): number {
  // MurmurHash3's mixing, one word at a time: each bit of the input reaches all bits of the result.
  let h = seed | 0;
  const words = bytes.byteLength >> 2;
  if ((bytes.byteOffset & 3) === 0) {
    const view = new Int32Array(bytes.buffer, bytes.byteOffset, words);
    for (let i = 0; i < words; i++) h = mix(h, view[i]!);
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < words; i++) h = mix(h, view.getInt32(i * 4, true));
  }
  for (let i = words * 4; i < bytes.byteLength; i++) h = mix(h, bytes[i]!);
  h ^= bytes.byteLength;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = h ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  let i = 0;
  if ((bytes.byteOffset & 3) === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    for (const word of words) if (word !== 0) return false;
    i = words.length * 4;
  }
  for (; i < bytes.byteLength; i++) if (bytes[i] !== 0) return false;
  return true;
}
