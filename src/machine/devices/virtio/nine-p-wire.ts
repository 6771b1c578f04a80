/**
 * The words of 9P2000.L as they stand in messages: types, error numbers, and a reader and a writer of
 * their fields. The one definition for both ends: the device, which follows a session, and the
 * server behind it. The reader trusts nothing: whatever does not fit is a WireError.
 */

/** Types of requests; the answer's is one greater. */
export const T = {
  LERROR: 6,
  STATFS: 8,
  LOPEN: 12,
  LCREATE: 14,
  SYMLINK: 16,
  MKNOD: 18,
  RENAME: 20,
  READLINK: 22,
  GETATTR: 24,
  SETATTR: 26,
  XATTRWALK: 30,
  XATTRCREATE: 32,
  READDIR: 40,
  FSYNC: 50,
  LOCK: 52,
  GETLOCK: 54,
  LINK: 70,
  MKDIR: 72,
  RENAMEAT: 74,
  UNLINKAT: 76,
  VERSION: 100,
  AUTH: 102,
  ATTACH: 104,
  FLUSH: 108,
  WALK: 110,
  READ: 116,
  WRITE: 118,
  CLUNK: 120,
  REMOVE: 122,
} as const;

export const R_LERROR = T.LERROR + 1;
export const VERSION_L = '9P2000.L';
export const NO_TAG = 0xffff;
export const NO_FID = 0xffff_ffff;
/** size[4] type[1] tag[2] */
export const HEADER = 7;
/** An answer that only says an error. */
export const ERROR_BYTES = HEADER + 4;
/** Names in one walk. */
export const WALK_MAX = 16;
/** Bytes of one message: what a guest may agree on, and what it gets at most. */
export const MSIZE_MIN = 4096;
export const MSIZE_MAX = 512 * 1024;

/** Linux's numbers (asm-generic/errno.h), which the guest sees. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EILSEQ: 84,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const;

/** Bits of the flags of Tlopen and Tlcreate. */
export const OPEN = { ACCESS: 3, WRONLY: 1, RDWR: 2, CREAT: 0o100, EXCL: 0o200, TRUNC: 0o1000 };

/** A message that breaks the format. */
export class WireError extends Error {
  override name = 'WireError';
}

export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** The bytes of a string. */
  string(): Uint8Array {
    return this.bytes(this.u16());
  }

  #take(length: number): number {
    if (length > this.remaining) throw new WireError('A 9P message ends early.');
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

/** Builds one message; the size is filled in by `finish`. */
export class WireWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = HEADER;

  constructor(type: number, tag: number, room = 128) {
    this.#bytes = new Uint8Array(Math.max(room, HEADER));
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint8(4, type);
    this.#view.setUint16(5, tag, true);
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: bigint | number): this {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  string(value: Uint8Array): this {
    return this.u16(value.length).bytes(value);
  }

  /** Room for `length` bytes, which the caller fills. */
  space(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#room(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Takes back what was written from `length` on. */
  cut(length: number): void {
    this.#at = length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#view.setUint32(0, this.#at, true);
    return this.#bytes.subarray(0, this.#at);
  }

  /** Where the next `length` bytes stand; the view may be another one afterwards. */
  #room(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

export function errorAnswer(tag: number, errno: number): Uint8Array<ArrayBuffer> {
  return new WireWriter(R_LERROR, tag, ERROR_BYTES).u32(errno).finish();
}

/** The error that an answer says; undefined when it is none. */
export function errorOf(answer: Uint8Array): number | undefined {
  if (answer.length < ERROR_BYTES || answer[4] !== R_LERROR) return undefined;
  return new WireReader(answer.subarray(HEADER)).u32();
}

/** The bytes of a text of ASCII. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0x7f);
}
