/**
 * RAM as a whole: back to zeros at a reset, and how much of it has been used. Both only read pages
 * that were never touched, so a large machine that uses little keeps costing its host little.
 */

const PAGE_WORDS = 512;
/** Words of a page that an estimate looks at: spread, for data often begin or end with zeros. */
const SAMPLES = [0, 1, 8, 64, 127, 200, 256, 301, 384, 450, 510, 511] as const;

/** 64 MB: a few milliseconds of looking. */
const BLOCK_WORDS = 16384 * PAGE_WORDS;
/** Blocks that a call looks at. */
const BLOCKS_A_CALL = 2;

export class Ram {
  readonly #words: Float64Array;
  /** Used pages of each block, at its last look. */
  readonly #used: number[] = [];
  #next = 0;

  /** `offset` and `size` are multiples of a page. */
  constructor(buffer: ArrayBufferLike, offset: number, size: number) {
    // As doubles, which are 64 bits a step without a bigint; Object.is tells -0.0 from zeros.
    this.#words = new Float64Array(buffer, offset, size / 8);
  }

  clear(): void {
    const words = this.#words;
    for (let page = 0; page < words.length; page += PAGE_WORDS) {
      const at = this.#firstUsed(page);
      if (at < page + PAGE_WORDS) words.fill(0, at, page + PAGE_WORDS);
    }
    this.#used.length = 0;
    this.#next = 0;
  }

  /**
   * Bytes in pages that seem to hold something. A call looks at some blocks of a large RAM and takes
   * the others from earlier calls (0 before the first look), so that asking often costs little.
   * `whole`: looks at all of them.
   */
  used(whole = false): number {
    const blocks = Math.ceil(this.#words.length / BLOCK_WORDS);
    for (let i = 0; i < (whole ? blocks : Math.min(blocks, BLOCKS_A_CALL)); i++) {
      this.#used[this.#next] = this.#count(this.#next);
      this.#next = (this.#next + 1) % blocks;
    }
    return this.#used.reduce((sum, pages) => sum + pages, 0) * PAGE_WORDS * 8;
  }

  /** Whether a page holds nothing; one that was never touched stays so. */
  isZero(page: number): boolean {
    const first = page * PAGE_WORDS;
    return this.#firstUsed(first) === first + PAGE_WORDS;
  }

  /** The first word that is not zero of the page that begins at word `page`; its end without any. */
  #firstUsed(page: number): number {
    const words = this.#words;
    const end = page + PAGE_WORDS;
    let at = page;
    while (at < end && Object.is(words[at], 0)) at++;
    return at;
  }

  /** Used pages of a block. */
  #count(block: number): number {
    const words = this.#words;
    const start = block * BLOCK_WORDS;
    const end = Math.min(start + BLOCK_WORDS, words.length);
    let pages = 0;
    for (let page = start; page < end; page += PAGE_WORDS) {
      for (const sample of SAMPLES) {
        if (words[page + sample] !== 0) {
          pages++;
          break;
        }
      }
    }
    return pages;
  }
}
