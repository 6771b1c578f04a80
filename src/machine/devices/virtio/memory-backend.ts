/**
 * A disk in the host's memory: sparse, so that it takes only what the guest has written; discarded
 * and zeroed ranges give their memory back. Never waits.
 */
import type { BlockBackend } from './block-backend.ts';

/** Unit of allocation. */
const PAGE = 64 * 1024;

export interface MemoryBackendOptions {
  readonly id?: string;
  readonly readOnly?: boolean;
  /** What the disk holds at first; copied. */
  readonly contents?: Uint8Array;
}

export class MemoryBackend implements BlockBackend {
  readonly size: number;
  readonly id: string;
  readonly readOnly: boolean;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(
    size: number,
    { id = 'memory', readOnly = false, contents }: MemoryBackendOptions = {},
  ) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`A disk cannot have ${size} bytes.`);
    if (contents !== undefined && contents.length > size) {
      throw new RangeError(`${contents.length} bytes do not fit a disk of ${size} bytes.`);
    }
    this.size = size;
    this.id = id;
    this.readOnly = readOnly;
    if (contents !== undefined) this.write(0, contents);
  }

  /** Bytes of host memory in use. */
  get allocated(): number {
    return this.#pages.size * PAGE;
  }

  read(offset: number, into: Uint8Array): void {
    this.#each(offset, into.length, (index, start, end, at) => {
      const page = this.#pages.get(index);
      if (page === undefined) into.fill(0, at, at + end - start);
      else into.set(page.subarray(start, end), at);
    });
  }

  write(offset: number, from: Uint8Array): void {
    this.#each(offset, from.length, (index, start, end, at) => {
      let page = this.#pages.get(index);
      if (page === undefined) {
        page = new Uint8Array(PAGE);
        this.#pages.set(index, page);
      }
      page.set(from.subarray(at, at + end - start), start);
    });
  }

  flush(): void {}

  discard(offset: number, length: number): void {
    this.writeZeroes(offset, length);
  }

  writeZeroes(offset: number, length: number): void {
    this.#check(offset, length);
    // Over the pages that exist, which may be far fewer than the range names.
    for (const [index, page] of this.#pages) {
      const start = Math.max(offset - index * PAGE, 0);
      const end = Math.min(offset + length - index * PAGE, PAGE);
      if (start >= end) continue;
      if (end - start === PAGE) this.#pages.delete(index);
      else page.fill(0, start, end);
    }
  }

  #each(
    offset: number,
    length: number,
    visit: (index: number, start: number, end: number, at: number) => void,
  ): void {
    this.#check(offset, length);
    for (let at = 0; at < length; ) {
      const index = Math.floor((offset + at) / PAGE);
      const start = offset + at - index * PAGE;
      const end = Math.min(PAGE, start + length - at);
      visit(index, start, end, at);
      at += end - start;
    }
  }

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && offset + length <= this.size)) {
      throw new RangeError(`${length} bytes at ${offset} go beyond the disk's ${this.size} bytes.`);
    }
  }
}
