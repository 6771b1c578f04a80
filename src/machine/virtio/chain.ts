/**
 * A request as a device sees it: a Reader over what the driver sent and a Writer over the room it
 * gave for the answer. Both rely on segments that the queue has checked to be RAM and own all
 * arithmetic over them: a device asks for bytes and never sees a descriptor. What is read is
 * copied; asking for more than there is throws VirtioError; `written` counts exactly the bytes
 * that were written without a gap, which is what the driver is told.
 */
import type { GuestMemory, RamOffset } from '../memory.ts';

/** The driver broke the protocol: the device stops and asks to be reset. */
export class VirtioError extends Error {
  override name = 'VirtioError';
}

class Segments {
  protected readonly memory: GuestMemory;
  /** Where each segment starts and how long it is; kept from request to request. */
  protected readonly at: RamOffset[] = [];
  protected readonly lengths: number[] = [];
  protected count = 0;
  /** The position: a segment and an offset in it. */
  protected index = 0;
  protected inside = 0;
  /** Bytes from the position to the end. */
  remaining = 0;

  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  clear(): void {
    this.count = 0;
    this.index = 0;
    this.inside = 0;
    this.remaining = 0;
  }

  add(at: RamOffset, length: number): void {
    this.at[this.count] = at;
    this.lengths[this.count] = length;
    this.count++;
    this.remaining += length;
  }

  get empty(): boolean {
    return this.count === 0;
  }

  /** Bytes of the current segment from the position on. */
  protected get contiguous(): number {
    return this.lengths[this.index]! - this.inside;
  }

  protected advance(length: number): void {
    this.inside += length;
    this.remaining -= length;
    if (this.inside === this.lengths[this.index]) {
      this.index++;
      this.inside = 0;
    }
  }
}

export class Reader extends Segments {
  /** Fills `into` with the next bytes. */
  read(into: Uint8Array): void {
    this.#need(into.length);
    let done = 0;
    while (done < into.length) {
      const part = Math.min(this.contiguous, into.length - done);
      const target = part === into.length ? into : into.subarray(done, done + part);
      this.memory.read(this.at[this.index]!, this.inside, target);
      this.advance(part);
      done += part;
    }
  }

  readU8(): number {
    this.#need(1);
    const value = this.memory.readU8(this.at[this.index]!, this.inside);
    this.advance(1);
    return value;
  }

  readU16(): number {
    const low = this.readU8();
    return low | (this.readU8() << 8);
  }

  readU32(): number {
    this.#need(4);
    if (this.contiguous >= 4) {
      const value = this.memory.readU32(this.at[this.index]!, this.inside);
      this.advance(4);
      return value;
    }
    const low = this.readU16();
    return (low | (this.readU16() << 16)) >>> 0;
  }

  /**
   * 64 bits as a number: exact up to 2^53 and never below it for what is greater, so that a
   * comparison with any limit that a device has comes out right.
   */
  readU64(): number {
    const low = this.readU32();
    return this.readU32() * 0x1_0000_0000 + low;
  }

  #need(length: number): void {
    if (length > this.remaining) {
      throw new VirtioError(
        `The driver's request ends early: ${length} more bytes are needed, ${this.remaining} are left.`,
      );
    }
  }
}

export class Writer extends Segments {
  /** Bytes written from the beginning without a gap. */
  written = 0;
  #closed = false;

  override clear(): void {
    super.clear();
    this.written = 0;
    this.#closed = false;
  }

  /** The room as ranges of RAM: for a device that is handed the memory itself. */
  ranges(): { readonly offset: number; readonly length: number }[] {
    return this.at.slice(0, this.count).map((offset, i) => ({ offset, length: this.lengths[i]! }));
  }

  /** The request was abandoned, its memory is the driver's again: what is written now is lost. */
  close(): void {
    this.#closed = true;
  }

  /** Writes all of `from` at the position. */
  write(from: Uint8Array): void {
    if (this.#closed) return;
    this.#need(from.length);
    let done = 0;
    while (done < from.length) {
      const part = Math.min(this.contiguous, from.length - done);
      const source = part === from.length ? from : from.subarray(done, done + part);
      this.memory.write(this.at[this.index]!, this.inside, source);
      this.advance(part);
      done += part;
    }
    this.written += done;
  }

  writeU8(value: number): void {
    if (this.#closed) return;
    this.#need(1);
    this.memory.writeU8(this.at[this.index]!, this.inside, value);
    this.advance(1);
    this.written++;
  }

  /** Writes the very last byte, wherever the position is; counts as written only without a gap. */
  writeLast(value: number): void {
    if (this.#closed) return;
    this.#need(1);
    if (this.remaining === 1) {
      this.writeU8(value);
      return;
    }
    const last = this.count - 1;
    this.memory.writeU8(this.at[last]!, this.lengths[last]! - 1, value);
  }

  #need(length: number): void {
    if (length > this.remaining) {
      throw new VirtioError(
        `The driver's request leaves too little room: ${length} bytes are needed, ${this.remaining} are left.`,
      );
    }
  }
}

/** One request. It belongs to its queue, which reuses it after completion. */
export class DescriptorChain {
  readonly reader: Reader;
  readonly writer: Writer;
  /** Index of the first descriptor: the request's name in both rings. */
  head = 0;
  /** The queue's generation when the request was taken; another one now means it was abandoned. */
  generation = 0;

  constructor(memory: GuestMemory) {
    this.reader = new Reader(memory);
    this.writer = new Writer(memory);
  }
}
