/**
 * What a fuzzer is: a function that plays one case, made entirely from the random numbers that it is
 * given, and throws when it finds something. Case i of a run with seed s is the case of seed s + i,
 * so any finding is repeated alone by `--seed (s + i) --count 1`.
 */

export interface Fuzzer {
  readonly name: string;
  /** One line for the help text. */
  readonly what: string;
  /** Cases that the test suite plays: a few seconds' worth. */
  readonly bounded: number;
  play(random: Random): void | Promise<void>;
}

/** A finding: the case, and what was seen. */
export class Finding extends Error {
  override name = 'Finding';
}

/** Plays `count` cases from `seed` on; throws a Finding that says how to repeat the case. */
export async function fuzz(
  fuzzer: Fuzzer,
  seed: number,
  count: number,
  progress: (played: number) => void = () => {},
): Promise<void> {
  for (let i = 0; i < count; i++) {
    try {
      await fuzzer.play(new Random(seed + i));
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new Finding(
        `${fuzzer.name} found something. Repeat it with: npm run fuzz -- --only ${fuzzer.name} ` +
          `--seed ${seed + i} --count 1\n${what}`,
      );
    }
    progress(i + 1);
  }
}

/** Random numbers that depend on the seed alone (a 32-bit SplitMix). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    // Neighbouring seeds should not make similar cases.
    for (let i = 0; i < 4; i++) this.#state = (this.u32() ^ (seed + i)) >>> 0;
  }

  u32(): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True once in `n`. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** Numbers at which arithmetic breaks: powers of two and their neighbours, extremes, or any. */
  nasty(): number {
    const edge = 2 ** this.below(33) + this.between(-1, 1);
    return (this.once(4) ? this.u32() : edge) >>> 0;
  }
}
