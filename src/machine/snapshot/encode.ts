/**
 * A saved state as bytes and back: the part of CBOR (RFC 8949) that `Saved` needs, in its
 * deterministic form (shortest lengths, definite sizes), so that equal states are equal bytes.
 * Reading treats bytes as hostile: what is not in that form, nested too deep, more than `limits`
 * allow or left over is a StateError, and no size in the input is believed before as many bytes
 * have been seen.
 */
import { utf8 } from '../fdt.ts';
import { type Saved, StateError } from '../state.ts';

export interface DecodeLimits {
  /** Bytes of the whole. */
  readonly bytes: number;
  /** Values, those inside others included. */
  readonly values: number;
  readonly depth: number;
}

/** A machine's state has some hundred values; typed input that waits makes its bytes. */
export const STATE_LIMITS: DecodeLimits = { bytes: 16 << 20, values: 100_000, depth: 16 };

const MAJOR = { unsigned: 0, bytes: 2, text: 3, list: 4, record: 5, simple: 7 } as const;
const FALSE = 0xf4;
const TRUE = 0xf5;

export function encodeSaved(saved: Saved): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const put = (value: Saved): void => {
    if (typeof value === 'boolean') {
      parts.push(Uint8Array.of(value ? TRUE : FALSE));
    } else if (typeof value === 'number') {
      parts.push(head(MAJOR.unsigned, value));
    } else if (typeof value === 'string') {
      const bytes = Uint8Array.from(utf8(value));
      parts.push(head(MAJOR.text, bytes.length), bytes);
    } else if (value instanceof Uint8Array) {
      parts.push(head(MAJOR.bytes, value.length), value);
    } else if (isList(value)) {
      parts.push(head(MAJOR.list, value.length));
      for (const element of value) put(element);
    } else {
      const entries = Object.entries(value);
      parts.push(head(MAJOR.record, entries.length));
      for (const [key, element] of entries) {
        put(key);
        put(element);
      }
    }
  };
  put(saved);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function decodeSaved(bytes: Uint8Array, limits: DecodeLimits = STATE_LIMITS): Saved {
  if (bytes.length > limits.bytes) {
    throw new StateError(`A saved state of ${bytes.length} bytes is too large.`);
  }
  const reader = new Reader(bytes, limits);
  const saved = reader.value(0);
  reader.end();
  return saved;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #limits: DecodeLimits;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array, limits: DecodeLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  value(depth: number): Saved {
    if (depth > this.#limits.depth) throw damaged('is nested too deep');
    if (++this.#values > this.#limits.values) throw damaged('has too many values');
    const initial = this.#need(1)[0]!;
    if (initial === FALSE || initial === TRUE) return initial === TRUE;
    const size = this.#size(initial & 31);
    switch (initial >>> 5) {
      case MAJOR.unsigned:
        return size;
      case MAJOR.bytes:
        return this.#need(size).slice();
      case MAJOR.text:
        return this.#string(size);
      case MAJOR.list: {
        const list: Saved[] = [];
        for (let i = 0; i < size; i++) list.push(this.value(depth + 1));
        return list;
      }
      case MAJOR.record:
        return this.#record(size, depth);
      default:
        throw damaged('holds a value of a kind that no state has');
    }
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw damaged('goes on after its end');
  }

  #record(size: number, depth: number): Saved {
    const record: Record<string, Saved> = {};
    for (let i = 0; i < size; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string') throw damaged('has a field whose name is no text');
      if (Object.hasOwn(record, key)) throw damaged(`has the field ${key} twice`);
      const value = this.value(depth + 1);
      // A field of any name, also __proto__, is a field and nothing else.
      Object.defineProperty(record, key, {
        value,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return record;
  }

  #string(size: number): string {
    let text = '';
    for (const byte of this.#need(size)) text += String.fromCharCode(byte);
    try {
      return decodeURIComponent(escapeBytes(text));
    } catch {
      throw damaged('has text that is not UTF-8');
    }
  }

  /** The number that follows an initial byte, in its shortest form. */
  #size(short: number): number {
    if (short < 24) return short;
    const width = 2 ** (short - 24);
    if (width > 8) throw damaged('has a length of no known form');
    const at = this.#at;
    this.#need(width);
    const size =
      width === 1
        ? this.#view.getUint8(at)
        : width === 2
          ? this.#view.getUint16(at)
          : width === 4
            ? this.#view.getUint32(at)
            : Number(this.#view.getBigUint64(at));
    const least = width === 1 ? 24 : 2 ** (4 * width);
    if (size < least || size > Number.MAX_SAFE_INTEGER) {
      throw damaged('has a number that is not in its shortest form, or too large');
    }
    return size;
  }

  #need(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw damaged('ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

/** What decodeURIComponent reads: a percent sign itself, and all that is not ASCII, escaped. */
function escapeBytes(text: string): string {
  return text.replace(
    /[%\x80-\xff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Initial byte and length, or an unsigned number. */
function head(major: number, size: number): Uint8Array {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new RangeError(`A saved state cannot hold the number ${size}.`);
  }
  const kind = major << 5;
  if (size < 24) return Uint8Array.of(kind | size);
  if (size < 0x100) return Uint8Array.of(kind | 24, size);
  const width = size < 0x1_0000 ? 2 : size < 0x1_0000_0000 ? 4 : 8;
  const bytes = new Uint8Array(1 + width);
  const view = new DataView(bytes.buffer);
  bytes[0] = kind | (width === 2 ? 25 : width === 4 ? 26 : 27);
  if (width === 2) view.setUint16(1, size);
  else if (width === 4) view.setUint32(1, size);
  else view.setBigUint64(1, BigInt(size));
  return bytes;
}

function isList(value: Saved): value is readonly Saved[] {
  return Array.isArray(value);
}

function damaged(how: string): StateError {
  return new StateError(`The saved state is damaged: it ${how}.`);
}
