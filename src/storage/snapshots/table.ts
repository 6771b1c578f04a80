/**
 * The table of a snapshot: the machine's state, and where each page of RAM is. One file, written whole
 * and read whole, with a checksum over all of it.
 */
import { StorageError, type StorageFile } from '../files.ts';
import { checksum } from '../hash.ts';
import { PAGES_MAX } from './record.ts';

const MAGIC = 0x53425654; // "TVBS"
const HEADER = 16;
const ENTRY = 12;
const STATE_MAX = 64 << 20;

export class PageTable {
  /** Number of the pack that holds the page, from 1 on; 0: the page is zeroes. */
  readonly pack: Uint32Array;
  readonly slot: Uint32Array;
  readonly sum: Uint32Array;

  constructor(readonly pages: number) {
    this.pack = new Uint32Array(pages);
    this.slot = new Uint32Array(pages);
    this.sum = new Uint32Array(pages);
  }

  /** Numbers of the pages that are not zero. */
  held(): Uint32Array {
    const held = new Uint32Array(this.pages);
    let count = 0;
    for (let page = 0; page < this.pages; page++) if (this.pack[page] !== 0) held[count++] = page;
    return held.slice(0, count);
  }
}

/** Writes a table and flushes it; returns its checksum. */
export function writeTable(file: StorageFile, state: Uint8Array, table: PageTable): number {
  const bytes = new Uint8Array(HEADER + state.length + table.pages * ENTRY);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [MAGIC, 1, state.length, table.pages].entries()) {
    view.setUint32(i * 4, word, true);
  }
  bytes.set(state, HEADER);
  let at = HEADER + state.length;
  for (let page = 0; page < table.pages; page++) {
    view.setUint32(at, table.pack[page]!, true);
    view.setUint32(at + 4, table.slot[page]!, true);
    view.setUint32(at + 8, table.sum[page]!, true);
    at += ENTRY;
  }
  file.truncate(bytes.length);
  file.write(0, bytes);
  file.flush();
  return checksum(bytes);
}

export function readTable(
  file: StorageFile,
  expected: number,
  name: string,
): { state: Uint8Array<ArrayBuffer>; table: PageTable } {
  const damaged = () =>
    new StorageError('damaged', `The snapshot "${name}" is damaged and cannot be restored.`);
  const size = file.size();
  if (size < HEADER || size > HEADER + STATE_MAX + PAGES_MAX * ENTRY) throw damaged();
  const bytes = new Uint8Array(size);
  if (file.read(0, bytes) < size || checksum(bytes) !== expected) throw damaged();
  const view = new DataView(bytes.buffer);
  const word = (i: number) => view.getUint32(i * 4, true);
  const [length, pages] = [word(2), word(3)];
  if (word(0) !== MAGIC || word(1) !== 1 || size !== HEADER + length + pages * ENTRY) {
    throw damaged();
  }
  const table = new PageTable(pages);
  let at = HEADER + length;
  for (let page = 0; page < pages; page++) {
    table.pack[page] = view.getUint32(at, true);
    table.slot[page] = view.getUint32(at + 4, true);
    table.sum[page] = view.getUint32(at + 8, true);
    at += ENTRY;
  }
  return { state: bytes.slice(HEADER, HEADER + length), table };
}
