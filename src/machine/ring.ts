/**
 * A bounded first-in first-out buffer of bytes: what the host has handed to a device and the guest
 * has not taken yet. `push` takes what fits and says how much that was; the rest is the caller's to
 * keep (back-pressure). Nothing is allocated after construction, except by `bytes`.
 */
import { bytes, type FieldType } from './state.ts';

export class ByteRing {
  readonly capacity: number;
  readonly #data: Uint8Array;
  #start = 0;
  #length = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#data = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get space(): number {
    return this.capacity - this.#length;
  }

  /** Appends as much of `data` as fits; returns how many bytes that were. */
  push(data: Uint8Array): number {
    const taken = Math.min(data.length, this.space);
    const end = (this.#start + this.#length) % this.capacity;
    const first = Math.min(taken, this.capacity - end);
    this.#data.set(data.subarray(0, first), end);
    this.#data.set(data.subarray(first, taken), 0);
    this.#length += taken;
    return taken;
  }

  /** Takes the oldest byte; -1 when there is none. */
  shift(): number {
    if (this.#length === 0) return -1;
    const byte = this.#data[this.#start]!;
    this.drop(1);
    return byte;
  }

  /** The oldest bytes that lie together, at most `limit`; a view that the next call invalidates. */
  peek(limit: number): Uint8Array {
    const length = Math.min(limit, this.#length, this.capacity - this.#start);
    return this.#data.subarray(this.#start, this.#start + length);
  }

  /** Forgets the oldest `length` bytes. */
  drop(length: number): void {
    const dropped = Math.min(length, this.#length);
    this.#start = (this.#start + dropped) % this.capacity;
    this.#length -= dropped;
    if (this.#length === 0) this.#start = 0;
  }

  clear(): void {
    this.drop(this.#length);
  }

  /** A copy of all that is in it, in order. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(this.#length);
    const first = Math.min(this.#length, this.capacity - this.#start);
    copy.set(this.#data.subarray(this.#start, this.#start + first));
    copy.set(this.#data.subarray(0, this.#length - first), first);
    return copy;
  }
}

/** The description of a ByteRing field: its contents, in order. */
export function byteRing(capacity: number): FieldType<ByteRing> {
  const contents = bytes(capacity);
  const ringOf = (data: Uint8Array) => {
    const ring = new ByteRing(capacity);
    ring.push(data);
    return ring;
  };
  return {
    save: (ring) => ring.bytes(),
    parse: (saved, where) => ringOf(contents.parse(saved, where)),
    assign(parsed, current) {
      current.clear();
      current.push(parsed.bytes());
      return current;
    },
    vary: (ring) => ringOf(contents.vary(ring.bytes())),
  };
}
