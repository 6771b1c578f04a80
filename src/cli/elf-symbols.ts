/**
 * Symbols of an ELF file, for messages and profiles. Relies on the file's bytes, which may be
 * hostile; guarantees that the work is bounded by the file's size. A table that makes no sense
 * counts as none (ELF specification, 'Symbol Table').
 */
import { isElf } from '../machine/loader/elf.ts';
import { type CodeSymbol, SymbolTable } from './symbols.ts';

const SHT_SYMTAB = 2;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const SHN_UNDEF = 0;
/** st_info's type: what names a place in code or data. */
const NAMED_TYPES: ReadonlyMap<number, string> = new Map([
  [0, 'n'],
  [1, 'd'],
  [2, 't'],
]);
const STB_LOCAL = 0;

export function readElfSymbols(file: Uint8Array): SymbolTable {
  const symbols: CodeSymbol[] = [];
  if (!isElf(file) || file.length < SECTION_HEADER_BYTES) return new SymbolTable(symbols);
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const number = (at: number): number => {
    const inside = at >= 0 && at + 8 <= buffer.length;
    const value = inside ? buffer.readBigUInt64LE(at) : 0n;
    return value <= BigInt(buffer.length) ? Number(value) : buffer.length;
  };
  const sections = number(40);
  const entrySize = buffer.readUInt16LE(58);
  const count = buffer.readUInt16LE(60);
  if (entrySize < SECTION_HEADER_BYTES) return new SymbolTable(symbols);
  const header = (index: number): number | undefined => {
    const at = sections + index * entrySize;
    return index < count && at + SECTION_HEADER_BYTES <= buffer.length ? at : undefined;
  };
  for (let i = 0; i < count; i++) {
    const at = header(i);
    if (at === undefined) break;
    if (buffer.readUInt32LE(at + 4) !== SHT_SYMTAB) continue;
    const strings = header(buffer.readUInt32LE(at + 40));
    if (strings === undefined) break;
    const stringsAt = number(strings + 24);
    const stringsEnd = Math.min(stringsAt + number(strings + 32), buffer.length);
    const start = number(at + 24);
    const end = Math.min(start + number(at + 32), buffer.length);
    for (let symbol = start; symbol + SYMBOL_BYTES <= end; symbol += SYMBOL_BYTES) {
      const info = buffer.readUInt8(symbol + 4);
      const type = NAMED_TYPES.get(info & 15);
      const nameAt = stringsAt + buffer.readUInt32LE(symbol);
      if (type === undefined || nameAt >= stringsEnd) continue;
      if (buffer.readUInt16LE(symbol + 6) === SHN_UNDEF) continue;
      const nameEnd = buffer.subarray(0, Math.min(stringsEnd, nameAt + 512)).indexOf(0, nameAt);
      // Those with $ and .L are the assembler's own.
      const name = nameEnd > nameAt ? buffer.toString('latin1', nameAt, nameEnd) : '';
      if (name === '' || /^(\$|\.L)/.test(name)) continue;
      const address = buffer.readBigUInt64LE(symbol + 8);
      const letter = info >> 4 === STB_LOCAL ? type : type.toUpperCase();
      symbols.push({ address, name, type: letter });
    }
    break;
  }
  return new SymbolTable(symbols);
}
