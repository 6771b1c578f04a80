/**
 * Names of addresses: symbols in order of address, to be found by address or by name. Relies on
 * whoever reads them from a kernel (kallsyms.ts) or an ELF file (elf-symbols.ts).
 */

export interface CodeSymbol {
  readonly address: bigint;
  readonly name: string;
  /** A letter as nm prints it: t for code, d for data; capital when it is global. */
  readonly type: string;
}

/** Beyond the last symbol's start nobody knows what is there: this far it may still be its own. */
const LAST_SYMBOL_BYTES = 1n << 20n;

export class SymbolTable {
  readonly symbols: readonly CodeSymbol[];
  readonly #byName = new Map<string, CodeSymbol>();

  constructor(symbols: readonly CodeSymbol[]) {
    // Stable: of several names for an address the table's first one counts.
    this.symbols = [...symbols].sort((a, b) =>
      a.address < b.address ? -1 : a.address > b.address ? 1 : 0,
    );
    for (const symbol of this.symbols) {
      const known = this.#byName.get(symbol.name);
      // A name may be several functions', each of its own file: the global one is meant, else the first.
      if (!known || (isGlobal(symbol) && !isGlobal(known))) {
        this.#byName.set(symbol.name, symbol);
      }
    }
  }

  named(name: string): CodeSymbol | undefined {
    return this.#byName.get(name);
  }

  /** The symbol that an address is in: the last one that begins at or before it. */
  at(address: bigint): CodeSymbol | undefined {
    const { symbols } = this;
    const address_ = (i: number): bigint => symbols[i]?.address ?? 0n;
    let low = 0;
    let high = symbols.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (address_(middle) <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    if (low === symbols.length && address - address_(low - 1) >= LAST_SYMBOL_BYTES) {
      return undefined;
    }
    let first = low - 1;
    while (first > 0 && address_(first - 1) === address_(low - 1)) first--;
    // Of several names for the place: a function's rather than that of a section's start.
    const same = symbols.slice(first, low);
    return same.find(({ type }) => type === 'T') ?? same.find(isCode) ?? same[0];
  }
}

function isGlobal({ type }: CodeSymbol): boolean {
  return type !== type.toLowerCase();
}

function isCode({ type }: CodeSymbol): boolean {
  return /^[tw]$/i.test(type);
}
