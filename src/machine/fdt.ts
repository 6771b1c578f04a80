/**
 * Flattened device trees (devicetree specification 0.4 §5), version 17: nodes become the bytes that
 * a kernel or firmware reads. Relies on the caller for sensible names and values; guarantees a blob
 * that is well formed and as long as its header says.
 */
import type { FdtNode, FdtValue } from './device.ts';

const MAGIC = 0xd00dfeed;
const VERSION = 17;
const COMPATIBLE_VERSION = 16;
const HEADER_BYTES = 40;
const RESERVATION_BYTES = 16;
const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const END = 9;

/** Bytes of an existing value, as it stands in a blob. */
export function encodeFdtValue(value: FdtValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return text(value);
  const out = new Writer();
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === 'string') out.bytes(text(item));
    else if (typeof item === 'bigint') out.u64(item);
    else out.u32(item);
  }
  return out.finish();
}

/** The blob of the tree under `root`, whose name is empty. */
export function buildFdt(root: FdtNode, bootHart = 0): Uint8Array {
  const structure = new Writer();
  const strings = new Strings();
  writeNode(root, structure, strings);
  structure.u32(END);

  const structureBytes = structure.finish();
  const stringBytes = strings.finish();
  const reservationsAt = HEADER_BYTES; // a multiple of 8, as the reservation block must be
  const structureAt = reservationsAt + RESERVATION_BYTES;
  const stringsAt = structureAt + structureBytes.length;

  const blob = new Writer();
  blob.u32(MAGIC);
  blob.u32(stringsAt + stringBytes.length);
  blob.u32(structureAt);
  blob.u32(stringsAt);
  blob.u32(reservationsAt);
  blob.u32(VERSION);
  blob.u32(COMPATIBLE_VERSION);
  blob.u32(bootHart);
  blob.u32(stringBytes.length);
  blob.u32(structureBytes.length);
  blob.u64(0n); // the entry that ends an empty list of reservations
  blob.u64(0n);
  blob.bytes(structureBytes);
  blob.bytes(stringBytes);
  return blob.finish();
}

function writeNode(node: FdtNode, out: Writer, strings: Strings): void {
  out.u32(BEGIN_NODE);
  out.bytes(text(node.name));
  out.align();
  const phandle = node.phandle === undefined ? {} : { phandle: node.phandle };
  for (const [name, value] of Object.entries({ ...node.properties, ...phandle })) {
    const bytes = encodeFdtValue(value);
    out.u32(PROP);
    out.u32(bytes.length);
    out.u32(strings.offset(name));
    out.bytes(bytes);
    out.align();
  }
  for (const child of node.children ?? []) writeNode(child, out, strings);
  out.u32(END_NODE);
}

/** Property names, each once. */
class Strings {
  readonly #offsets = new Map<string, number>();
  readonly #out = new Writer();

  offset(name: string): number {
    let offset = this.#offsets.get(name);
    if (offset === undefined) {
      offset = this.#out.length;
      this.#offsets.set(name, offset);
      this.#out.bytes(text(name));
    }
    return offset;
  }

  finish(): Uint8Array {
    return this.#out.finish();
  }
}

/** Bytes that grow; numbers big-endian. */
class Writer {
  #buffer = new Uint8Array(256);
  length = 0;

  u32(value: number): void {
    const at = this.#extend(4);
    new DataView(this.#buffer.buffer).setUint32(at, value);
  }

  u64(value: bigint): void {
    const at = this.#extend(8);
    new DataView(this.#buffer.buffer).setBigUint64(at, value);
  }

  bytes(data: Uint8Array): void {
    const at = this.#extend(data.length);
    this.#buffer.set(data, at);
  }

  align(): void {
    this.#extend(-this.length & 3);
  }

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.length);
  }

  #extend(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.#buffer.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

/** NUL-terminated UTF-8. Written by hand: the machine has no TextEncoder in its library. */
export function text(value: string): Uint8Array {
  return Uint8Array.from([...utf8(value), 0]);
}

/** UTF-8 by hand, for the same reason. */
export function* utf8(value: string): Generator<number> {
  for (const character of value) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) {
      yield code;
    } else if (code < 0x800) {
      yield 0xc0 | (code >> 6);
      yield 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      yield 0xe0 | (code >> 12);
      yield 0x80 | ((code >> 6) & 0x3f);
      yield 0x80 | (code & 0x3f);
    } else {
      yield 0xf0 | (code >> 18);
      yield 0x80 | ((code >> 12) & 0x3f);
      yield 0x80 | ((code >> 6) & 0x3f);
      yield 0x80 | (code & 0x3f);
    }
  }
}
