/**
 * The table of symbols that a Linux kernel carries for itself (kernel/kallsyms.c,
 * scripts/kallsyms.c), found by its shape: nothing in the Image says where it is. Relies on
 * CONFIG_KALLSYMS_ALL or not alike, on 64 bits, and on a table relative to a base. The image may be
 * anything; guarantees a table in which all parts fit each other, or a sentence.
 *
 * Six runs of data lie one behind the other, each aligned to 8:
 *   num_syms     how many symbols
 *   names        each: length, then bytes that stand for tokens
 *   markers      where in `names` each 256th symbol begins
 *   token_table  256 strings, zero-terminated
 *   token_index  where in `token_table` each string begins
 *   offsets      addresses less `relative_base`, which follows (before Linux 6.4 both come first)
 */
import { UserError } from '../machine/errors.ts';
import { type CodeSymbol, SymbolTable } from './symbols.ts';

const TOKENS = 256;
const MARKER_STEP = 256;
/** Digits are tokens of themselves in every kernel: names hold each of them. */
const DIGITS = '0123456789';
const DIGIT_ZERO = 0x30;
/** A kernel has some hundred thousand. */
const MAX_SYMBOLS = 1 << 22;
/** Bytes of a name: two for the length, then at most KSYM_NAME_LEN. */
const MAX_ENTRY = 2 + 512;
/** Longest token: the rest of a table that is none need not be read. */
const MAX_TOKEN = 512;
/** Where a kernel that may lie anywhere is linked to be (arch/riscv, KERNEL_LINK_ADDR). */
const LINK_ADDRESS = 0xffff_ffff_8000_0000n;

const align = (at: number): number => (at + 7) & ~7;

/** Reads the kernel's symbols. Throws a sentence when there are none, or they are damaged. */
export function readKallsyms(image: Uint8Array): SymbolTable {
  const found = findTable(image);
  if (!found) {
    throw new UserError(
      'The kernel has no table of symbols (kallsyms), or it is damaged. Give a kernel built with ' +
        'CONFIG_KALLSYMS.',
    );
  }
  return found;
}

function findTable(image: Uint8Array): SymbolTable | undefined {
  const buffer = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const digits = Buffer.from(`${[...DIGITS].join('\0')}\0`, 'latin1');
  for (let at = buffer.indexOf(digits); at >= 0; at = buffer.indexOf(digits, at + 1)) {
    const table = new Candidate(buffer, at).read();
    if (table) return table;
  }
  return undefined;
}

/** A place where the token table may be. Each step ends when something does not fit. */
class Candidate {
  readonly #image: Buffer;
  readonly #digits: number;

  constructor(image: Buffer, digits: number) {
    this.#image = image;
    this.#digits = digits;
  }

  read(): SymbolTable | undefined {
    const tokens = this.#tokens();
    if (!tokens) return undefined;
    const markers = this.#markers(tokens.start);
    if (!markers) return undefined;
    for (const { count, names, header } of this.#counts(markers)) {
      const offsets = this.#offsets(count, header, tokens.end);
      if (!offsets) continue;
      return this.#symbols(names, count, tokens.texts, offsets);
    }
    return undefined;
  }

  #u32(at: number): number {
    return at >= 0 && at + 4 <= this.#image.length ? this.#image.readUInt32LE(at) : 0;
  }

  /** The token table around the digits, which an index behind it confirms. */
  #tokens(): { start: number; end: number; texts: string[] } | undefined {
    const image = this.#image;
    // Before the first token stands the end of another one or padding: a zero in either case.
    let start = this.#digits;
    for (let i = 0; i < DIGIT_ZERO; i++) {
      const before = image.lastIndexOf(0, start - 2);
      if (before < 0 || start - before > MAX_TOKEN) return undefined;
      start = before + 1;
    }
    const texts: string[] = [];
    const places: number[] = [];
    let at = start;
    for (let i = 0; i < TOKENS; i++) {
      const end = image.indexOf(0, at);
      if (end < 0 || end - at > MAX_TOKEN) return undefined;
      places.push(at - start);
      texts.push(image.toString('latin1', at, end));
      at = end + 1;
    }
    const index = align(at);
    const end = index + 2 * TOKENS;
    if (end > image.length) return undefined;
    if (places.some((place, i) => image.readUInt16LE(index + 2 * i) !== place)) return undefined;
    return { start, end, texts };
  }

  /** The markers before the token table, in the order of their values. */
  #markers(tokens: number): { start: number; values: number[] } | undefined {
    let at = tokens - 4;
    // Padding looks like a first marker.
    while (at > tokens - 12 && this.#u32(at) === 0) at -= 4;
    const values: number[] = [];
    for (; at >= 0; at -= 4) {
      const value = this.#u32(at);
      const next = values.at(-1);
      if (next !== undefined && (value >= next || next - value > MARKER_STEP * MAX_ENTRY)) {
        return undefined;
      }
      values.push(value);
      if (value === 0) return { start: at, values: values.reverse() };
      if (values.length * MARKER_STEP > MAX_SYMBOLS) return undefined;
    }
    return undefined;
  }

  /** Places where the number of symbols may stand, before names that the markers confirm. */
  *#counts({ start, values }: { start: number; values: readonly number[] }) {
    const last = values.at(-1) ?? 0;
    const latest = (start - last - 8) & ~7;
    const earliest = Math.max(0, latest - MARKER_STEP * MAX_ENTRY);
    for (let header = latest; header >= earliest; header -= 8) {
      const count = this.#u32(header);
      if (Math.ceil(count / MARKER_STEP) !== values.length) continue;
      const names = header + 8;
      if (this.#namesFit(names, start, count, values)) yield { count, names, header };
    }
  }

  #namesFit(names: number, end: number, count: number, markers: readonly number[]): boolean {
    let at = names;
    for (let i = 0; i < count; i++) {
      if (i % MARKER_STEP === 0 && at - names !== markers[i / MARKER_STEP]) return false;
      const { length, start } = this.#entry(at);
      if (length === 0) return false;
      at = start + length;
      if (at > end) return false;
    }
    return align(at) === align(end);
  }

  /** Length in tokens, of one byte or, since Linux 6.1, of two. */
  #entry(at: number): { length: number; start: number } {
    const first = this.#image[at] ?? 0;
    if ((first & 0x80) === 0) return { length: first, start: at + 1 };
    return { length: (first & 0x7f) | ((this.#image[at + 1] ?? 0) << 7), start: at + 2 };
  }

  /** Offsets and their base, behind the tokens or before the number of symbols. */
  #offsets(count: number, header: number, behind: number) {
    const bytes = align(4 * count);
    for (const at of [align(behind), header - 8 - bytes]) {
      if (at < 0 || at + bytes + 8 > this.#image.length) continue;
      let sorted = true;
      for (let i = 1; i < count && sorted; i++) {
        sorted = this.#u32(at + 4 * i) >= this.#u32(at + 4 * (i - 1));
      }
      // Zeros are in order too.
      if (!sorted || this.#u32(at + 4 * (count - 1)) === 0) continue;
      const base = this.#image.readBigUInt64LE(at + bytes);
      // A kernel that may lie anywhere gets its base when it starts: its image then holds a zero.
      if (base === 0n) return { at, base: LINK_ADDRESS };
      if (base >> 63n === 1n) return { at, base };
    }
    return undefined;
  }

  #symbols(
    names: number,
    count: number,
    tokens: readonly string[],
    offsets: { at: number; base: bigint },
  ): SymbolTable {
    const symbols: CodeSymbol[] = [];
    let at = names;
    for (let i = 0; i < count; i++) {
      const { length, start } = this.#entry(at);
      let text = '';
      for (let j = start; j < start + length; j++) text += tokens[this.#image[j] ?? 0];
      at = start + length;
      symbols.push({
        address: BigInt.asUintN(64, offsets.base + BigInt(this.#u32(offsets.at + 4 * i))),
        name: text.slice(1),
        type: text.slice(0, 1),
      });
    }
    return new SymbolTable(symbols);
  }
}
