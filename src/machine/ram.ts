/**
 * RAM as a whole: back to zeros at a reset, and how much of it has been used. Both only read pages
 * that were never touched, so a large machine that uses little keeps costing its host little.
 */

const PAGE_WORDS = 512;
/** Words of a page that an estimate looks at: spread, for data often begin or end with zeros. */
const SAMPLES = [0, 1, 8, 64, 127, 200, 256, 301, 384, 450, 510, 511] as const;

export class Ram {
  readonly #words: Float64Array;

  /** `offset` and `size` are multiples of a page. */
  constructor(buffer: ArrayBufferLike, offset: number, size: number) {
    // As doubles, which are 64 bits a step without a bigint; Object.is tells -0.0 from zeros.
    this.#words = new Float64Array(buffer, offset, size / 8);
  }

  clear(): void {
    const words = this.#words;
    for (let page = 0; page < words.length; page += PAGE_WORDS) {
      const end = page + PAGE_WORDS;
      let at = page;
      while (at < end && Object.is(words[at], 0)) at++;
      if (at < end) words.fill(0, at, end);
    }
  }

  /** Bytes in pages that seem to hold something. */
  used(): number {
    const words = this.#words;
    let pages = 0;
    for (let page = 0; page < words.length; page += PAGE_WORDS) {
      for (const sample of SAMPLES) {
        if (words[page + sample] !== 0) {
          pages++;
          break;
        }
      }
    }
    return pages * PAGE_WORDS * 8;
  }
}
