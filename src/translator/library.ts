/**
 * Translations made ahead of time: one module of regions that guests are known to run (a stock
 * kernel's boot), recorded when the product is built. A region's functions are found by the code
 * that they translate, compared byte for byte with the guest's page, so nothing depends on where a
 * guest loads it, and a guest with other code just does not find it. Compiled by the engine while
 * the guest already runs.
 */
import type { Core } from '../core/core.ts';
import type { Region } from './region.ts';
import { Bytes } from './wasm-writer.ts';

export const LIBRARY_SECTION = 'tabvisor.regions';
const CUSTOM = 0;

/** A region, with the number of its node for each entry. */
export interface LibraryEntry {
  readonly region: Region;
  readonly entries: ReadonlyMap<number, number>;
  /** The page that the region was found in. */
  readonly page: Uint8Array;
}

/** What a library knows of one function. */
export interface LibraryRegion {
  /** Index in the table. */
  readonly index: number;
  readonly entries: readonly (readonly [offset: number, node: number])[];
}

interface Described {
  /** Which function of the module. */
  readonly number: number;
  readonly entries: LibraryRegion['entries'];
  readonly code: readonly { readonly start: number; readonly bytes: Uint8Array }[];
}

/** The custom section that says what the functions of a module translate, in their order. */
export function describeRegions(list: readonly LibraryEntry[]): Bytes {
  const content = new Bytes().text(LIBRARY_SECTION).u32(list.length);
  for (const { region, entries, page } of list) {
    content.u32(entries.size);
    for (const [offset, node] of entries) content.u32(offset).u32(node);
    const ranges = rangesOf(region);
    content.u32(ranges.length);
    for (const [start, end] of ranges) {
      content.u32(start).u32(end - start);
      for (let at = start; at < end; at++) content.byte(page[at] ?? 0);
    }
  }
  return new Bytes().section(CUSTOM, content);
}

/** Stretches of the page that the region's instructions lie in. */
function rangesOf(region: Region): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  for (const { start, instructions } of region.blocks.values()) {
    const last = instructions.at(-1);
    if (!last) continue;
    const end = last.offset + last.length;
    const before = ranges.at(-1);
    if (before && before[1] >= start) before[1] = Math.max(before[1], end);
    else ranges.push([start, end]);
  }
  return ranges;
}

export class Library {
  /** By page offset and first halfword of each entry. */
  readonly #byEntry = new Map<number, Described[]>();
  readonly #module: WebAssembly.Module;
  #base = 0;
  /** How many functions it has. */
  readonly size: number;

  private constructor(module: WebAssembly.Module, regions: readonly Described[]) {
    this.#module = module;
    this.size = regions.length;
    for (const region of regions) {
      for (const [offset] of region.entries) {
        const range = region.code.find(
          ({ start, bytes }) => start <= offset && offset < start + bytes.length,
        );
        if (!range) continue;
        const at = offset - range.start;
        const key = keyOf(offset, range.bytes[at] ?? 0, range.bytes[at + 1] ?? 0);
        const list = this.#byEntry.get(key);
        if (list) list.push(region);
        else this.#byEntry.set(key, [region]);
      }
    }
  }

  /** Compiles a library's module. Rejects when the bytes are no library. */
  static async load(bytes: Uint8Array<ArrayBuffer>): Promise<Library> {
    const module = await WebAssembly.compile(bytes);
    const [section] = WebAssembly.Module.customSections(module, LIBRARY_SECTION);
    if (!section) throw new Error('The translations made ahead of time are damaged.');
    const reader = new Reader(new Uint8Array(section));
    const count = reader.u32();
    return new Library(
      module,
      Array.from({ length: count }, (_, i) => reader.region(i)),
    );
  }

  /**
   * Puts the functions, in a new instance, into a table, from the index `base` on; from where they
   * were before unless given. Throws when the module was not made for this core's kind of memory.
   */
  link(core: Core, table: WebAssembly.Table, base = this.#base): void {
    this.#base = base;
    new WebAssembly.Instance(this.#module, {
      env: { memory: core.memory, table, base },
      core: core.exports as unknown as Record<string, WebAssembly.ImportValue>,
    });
  }

  /** A region with an entry at `offset`, of which the page holds the same code. */
  find(page: Uint8Array, offset: number): LibraryRegion | undefined {
    const list = this.#byEntry.get(keyOf(offset, page[offset] ?? 0, page[offset + 1] ?? 0));
    const found = list?.find(({ code }) =>
      code.every(({ start, bytes }) => equal(page, start, bytes)),
    );
    return found && { index: this.#base + found.number, entries: found.entries };
  }
}

const keyOf = (offset: number, low: number, high: number): number =>
  (offset << 16) | (high << 8) | low;

function equal(page: Uint8Array, start: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (page[start + i] !== bytes[i]) return false;
  return true;
}

/** Reads what describeRegions wrote. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new Error('The translations made ahead of time are damaged.');
  }

  region(number: number): Described {
    const entries = Array.from({ length: this.u32() }, () => [this.u32(), this.u32()] as const);
    const code = Array.from({ length: this.u32() }, () => {
      const start = this.u32();
      const length = this.u32();
      const bytes = this.#bytes.subarray(this.#at, this.#at + length);
      this.#at += length;
      return { start, bytes };
    });
    return { number, entries, code };
  }
}
