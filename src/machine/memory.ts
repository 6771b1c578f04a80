/**
 * The guest's RAM as devices see it. It relies on the VM's one buffer, in which RAM is a range, and
 * guarantees that nothing outside that range is reached: DMA aimed at devices or beyond RAM is a
 * GuestMemoryFault. Here, and only here, a 64-bit guest-physical address becomes an offset: it
 * arrives as two unsigned 32-bit halves (as registers and descriptors hold it) and leaves as a
 * RamOffset that has been checked together with a length. Data are copied, never viewed, so what a
 * device checked cannot change under it. Every write is told to `onWrite`, for the core may hold
 * decoded or translated code of the bytes that change; before it, to `beforeWrite`. While parts of
 * RAM have not come yet (`presence`), reaching for them is an AbsentMemory: never wrong data.
 */

/** Guest-physical address of the first byte of RAM. */
export const RAM_BASE = 0x8000_0000;

/** Offset of a byte in RAM; only `locate` makes one. */
export type RamOffset = number & { readonly __ramOffset: unique symbol };

/** The guest aimed a device at memory that is not RAM. */
export class GuestMemoryFault extends Error {
  override name = 'GuestMemoryFault';
}

/** Which bytes of RAM are there already, while a snapshot is still coming in. */
export interface Presence {
  has(offset: number, length: number): boolean;
  /** Has ranges brought in before all others; resolves when they are there, or never will be. */
  want(ranges: readonly MemoryRange[]): Promise<void>;
  /** A page is given up: it is zero, and nothing more comes for it; false: it was there. */
  discard(page: number): boolean;
}

export interface MemoryRange {
  readonly offset: number;
  readonly length: number;
}

/** What was reached for has not come yet: `want` it, then do the same again. */
export class AbsentMemory extends Error {
  override name = 'AbsentMemory';
  constructor(readonly ranges: readonly MemoryRange[]) {
    super('A part of RAM was reached for that has not come from the snapshot yet.');
  }
}

export interface GuestMemoryOptions {
  /** The VM's buffer, shared or not. It never grows: views of it stay valid. */
  readonly buffer: ArrayBufferLike;
  /** Where RAM begins in it; a multiple of 8. */
  readonly offset: number;
  /** Bytes of RAM. */
  readonly size: number;
  /** Called after each write by a device or the host, with the RAM offset and length. */
  readonly onWrite?: (ramOffset: number, length: number) => void;
  /** Called before each write, likewise. */
  readonly beforeWrite?: (ramOffset: number, length: number) => void;
}

export class GuestMemory {
  readonly size: number;
  /** Called after each write; assignable because the core is made after the memory. */
  onWrite: (ramOffset: number, length: number) => void;
  /** Called before each write: a snapshot may need what is there now. */
  beforeWrite: (ramOffset: number, length: number) => void;
  /** Set while parts of RAM have not come yet. */
  presence: Presence | undefined;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #halves: Uint16Array;

  constructor({
    buffer,
    offset,
    size,
    onWrite = () => {},
    beforeWrite = () => {},
  }: GuestMemoryOptions) {
    if (offset % 8 !== 0 || size % 8 !== 0 || size <= 0 || offset + size > buffer.byteLength) {
      throw new RangeError(`RAM of ${size} bytes at ${offset} does not fit the VM's memory.`);
    }
    this.size = size;
    this.onWrite = onWrite;
    this.beforeWrite = beforeWrite;
    this.#bytes = new Uint8Array(buffer, offset, size);
    this.#view = new DataView(buffer, offset, size);
    this.#halves = new Uint16Array(buffer, offset, size / 2);
  }

  /** Whether `length` bytes at the address `high:low` are RAM. */
  contains(low: number, high: number, length: number): boolean {
    // Exact: both halves are unsigned 32-bit numbers, and above 2^53 the sum is far beyond RAM.
    const offset = high * 0x1_0000_0000 + low - RAM_BASE;
    return offset >= 0 && offset + length <= this.size;
  }

  /** The offset of `length` bytes at the guest-physical address `high:low`. */
  locate(low: number, high: number, length: number): RamOffset {
    const offset = high * 0x1_0000_0000 + low - RAM_BASE;
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      const address = (BigInt(high) << 32n) | BigInt(low);
      throw new GuestMemoryFault(`${length} bytes at 0x${address.toString(16)} are not RAM.`);
    }
    return offset as RamOffset;
  }

  /** The same for an address that is one 64-bit number; not for hot paths. */
  locate64(address: bigint, length: number): RamOffset {
    const wrapped = BigInt.asUintN(64, address);
    return this.locate(Number(wrapped & 0xffff_ffffn), Number(wrapped >> 32n), length);
  }

  /** Throws AbsentMemory unless all of the range is there. */
  need(offset: number, length: number): void {
    if (this.presence === undefined || this.presence.has(offset, length)) return;
    throw new AbsentMemory([{ offset, length }]);
  }

  readU8(at: RamOffset, plus = 0): number {
    if (this.presence !== undefined) this.need(at + plus, 1);
    return this.#view.getUint8(at + plus);
  }

  readU16(at: RamOffset, plus = 0): number {
    if (this.presence !== undefined) this.need(at + plus, 2);
    return this.#view.getUint16(at + plus, true);
  }

  readU32(at: RamOffset, plus = 0): number {
    if (this.presence !== undefined) this.need(at + plus, 4);
    return this.#view.getUint32(at + plus, true);
  }

  writeU8(at: RamOffset, plus: number, value: number): void {
    this.#beforeWrite(at + plus, 1);
    this.#view.setUint8(at + plus, value);
    this.onWrite(at + plus, 1);
  }

  writeU16(at: RamOffset, plus: number, value: number): void {
    this.#beforeWrite(at + plus, 2);
    this.#view.setUint16(at + plus, value, true);
    this.onWrite(at + plus, 2);
  }

  writeU32(at: RamOffset, plus: number, value: number): void {
    this.#beforeWrite(at + plus, 4);
    this.#view.setUint32(at + plus, value, true);
    this.onWrite(at + plus, 4);
  }

  /**
   * Reads 16 bits that another hart may be writing: what it wrote before them is seen too. The
   * offset must be even.
   */
  loadAcquireU16(at: RamOffset, plus = 0): number {
    if (this.presence !== undefined) this.need(at + plus, 2);
    return Atomics.load(this.#halves, (at + plus) >>> 1);
  }

  /** Writes 16 bits after everything that was written before them. The offset must be even. */
  storeReleaseU16(at: RamOffset, plus: number, value: number): void {
    this.#beforeWrite(at + plus, 2);
    Atomics.store(this.#halves, (at + plus) >>> 1, value);
    this.onWrite(at + plus, 2);
  }

  /** Copies RAM from `at + plus` into `into`, all of it. */
  read(at: RamOffset, plus: number, into: Uint8Array): void {
    const start = at + plus;
    if (start + into.length > this.size) throw this.#beyond(start, into.length);
    if (this.presence !== undefined) this.need(start, into.length);
    into.set(this.#bytes.subarray(start, start + into.length));
  }

  /** Copies `from` to RAM at `at + plus`, all of it. */
  write(at: RamOffset, plus: number, from: Uint8Array): void {
    const start = at + plus;
    if (start + from.length > this.size) throw this.#beyond(start, from.length);
    this.#beforeWrite(start, from.length);
    this.#bytes.set(from, start);
    this.onWrite(start, from.length);
  }

  #beforeWrite(offset: number, length: number): void {
    if (this.presence !== undefined) this.need(offset, length);
    this.beforeWrite(offset, length);
  }

  #beyond(start: number, length: number): GuestMemoryFault {
    return new GuestMemoryFault(`${length} bytes at RAM offset ${start} go beyond the end of RAM.`);
  }
}
