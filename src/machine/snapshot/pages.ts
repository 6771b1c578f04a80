/**
 * Which pages of RAM have been written since the last snapshot, and what a capture under way still
 * needs of them. A capture begins with a mark on every page, which takes a moment whatever RAM's
 * size; then pages are handed out piece by piece, and a page that the guest, a device or the
 * firmware is about to write before its turn is copied first. It relies on the core to ask at the
 * first store to a page that is flagged (PageFlag.Clean, Pending) once its TLBs have been emptied;
 * guarantees that what is handed out is what RAM held at the mark, each page once, and that copies
 * that wait stay few, as long as who runs the guest looks at `full`.
 */
import { PAGE_SHIFT, PAGE_SIZE, PageFlag } from '../../core/layout.ts';
import type { PageRun } from './snapshot.ts';

const { Clean, Pending } = PageFlag;
const EACH = 0x0101_0101;
/** Pages of a run: 256 KB at most. */
const RUN_PAGES = 64;
/** Pages that one call looks at. */
const SCAN_PAGES = 512;
/** Copies that may wait: 8 MB. */
const COPIES_MAX = 2048;
const PAGE_WORDS = PAGE_SIZE / 4;

export class RamPages {
  /** A byte for each page: PageFlag. */
  readonly flags: Uint8Array;
  readonly #flagWords: Uint32Array;
  readonly ram: Uint8Array;
  readonly #words: Int32Array;
  /** Flags as they were when the capture began. */
  #before: Uint8Array | undefined;
  /** Pages that hold nothing go too: the snapshot before may have had something there. */
  #zeros = false;
  #cursor = 0;
  #copies = new Map<number, Uint8Array<ArrayBuffer>>();

  /** `flags` and `ram` are where the page flags and RAM begin in the buffer; `size` is RAM's. */
  constructor(buffer: ArrayBufferLike, flags: number, ram: number, size: number) {
    const count = size >>> PAGE_SHIFT;
    this.flags = new Uint8Array(buffer, flags, count);
    this.#flagWords = new Uint32Array(buffer, flags, count / 4);
    this.ram = new Uint8Array(buffer, ram, size);
    this.#words = new Int32Array(buffer, ram, size / 4);
  }

  /** Too many copies wait: the guest must stand still until some have gone. */
  get full(): boolean {
    return this.#copies.size >= COPIES_MAX;
  }

  /**
   * Begins a capture: of all pages that hold something, or (`incremental`) of those written since
   * the last one. The caller empties the TLBs next, before the guest runs.
   */
  begin(incremental: boolean): void {
    const words = this.#flagWords;
    this.#before = this.flags.slice();
    this.#zeros = incremental;
    this.#cursor = 0;
    for (let i = 0; i < words.length; i++) {
      const dirty = incremental ? ~words[i]! & (EACH * Clean) : EACH * Clean;
      words[i] = words[i]! | (EACH * Clean) | (dirty * (Pending / Clean));
    }
  }

  /** The next pages of the capture, none if a look at some found none; undefined: that was all. */
  next(): PageRun[] | undefined {
    if (this.#copies.size > 0) return this.#takeCopies();
    const { flags } = this;
    if (!this.#before || this.#cursor === flags.length) return undefined;
    const end = Math.min(this.#cursor + SCAN_PAGES, flags.length);
    const runs: PageRun[] = [];
    let first = -1;
    for (; this.#cursor < end; this.#cursor++) {
      const page = this.#cursor;
      const flag = flags[page]!;
      const wanted = (flag & Pending) !== 0 && (this.#zeros || !this.#isZero(page));
      flags[page] = flag & ~Pending;
      if (first >= 0 && (!wanted || page - first === RUN_PAGES)) {
        runs.push(this.#run(first, page));
        first = -1;
      }
      if (wanted && first < 0) first = page;
    }
    if (first >= 0) runs.push(this.#run(first, end));
    return runs;
  }

  /** Ends a capture that has handed out all. */
  finish(): void {
    this.#before = undefined;
  }

  /** Ends a capture that came to nothing: what it would have held is as unsaved as before. */
  abort(): void {
    const before = this.#before;
    this.#before = undefined;
    this.#copies.clear();
    if (!before) return;
    const { flags } = this;
    for (let page = 0; page < flags.length; page++) {
      const wasDirty = (before[page]! & Clean) === 0;
      flags[page] = flags[page]! & ~(wasDirty ? Clean | Pending : Pending);
    }
  }

  /** RAM is another one now: no page is known to any snapshot, no flag is set. */
  reset(): void {
    this.#before = undefined;
    this.#copies.clear();
    this.flags.fill(0);
  }

  /** RAM is as in a snapshot. The caller empties the TLBs next. */
  markClean(): void {
    const words = this.#flagWords;
    for (let i = 0; i < words.length; i++) words[i] = words[i]! | (EACH * Clean);
  }

  /** The core is about to store to a pending page, whose flags it clears then; true: `full`. */
  firstStore(page: number): boolean {
    if (this.#zeros || !this.#isZero(page)) this.#copies.set(page, this.#copy(page, page + 1));
    return this.full;
  }

  /** A device or the host is about to write. */
  beforeWrite(offset: number, length: number): void {
    const { flags } = this;
    const last = (offset + length - 1) >>> PAGE_SHIFT;
    for (let page = offset >>> PAGE_SHIFT; page <= last; page++) {
      const flag = flags[page]!;
      if ((flag & Clean) === 0) continue;
      if ((flag & Pending) !== 0) this.firstStore(page);
      flags[page] = flag & ~(Clean | Pending);
    }
  }

  #takeCopies(): PageRun[] {
    const taken: [page: number, bytes: Uint8Array][] = [];
    for (const copy of this.#copies) {
      taken.push(copy);
      this.#copies.delete(copy[0]);
      if (taken.length === RUN_PAGES) break;
    }
    taken.sort(([one], [other]) => one - other);
    const runs: PageRun[] = [];
    for (let from = 0; from < taken.length; ) {
      const first = taken[from]![0];
      let to = from + 1;
      while (to < taken.length && taken[to]![0] === first + (to - from)) to++;
      const bytes = new Uint8Array((to - from) * PAGE_SIZE);
      for (let i = from; i < to; i++) bytes.set(taken[i]![1], (i - from) * PAGE_SIZE);
      runs.push({ first, bytes });
      from = to;
    }
    return runs;
  }

  #run(first: number, end: number): PageRun {
    return { first, bytes: this.#copy(first, end) };
  }

  #copy(first: number, end: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array((end - first) * PAGE_SIZE);
    copy.set(this.ram.subarray(first * PAGE_SIZE, end * PAGE_SIZE));
    return copy;
  }

  #isZero(page: number): boolean {
    const words = this.#words;
    const end = (page + 1) * PAGE_WORDS;
    let at = page * PAGE_WORDS;
    while (at < end && words[at] === 0) at++;
    return at === end;
  }
}
