/**
 * Executables in ELF64 for RISC-V: bare-metal programs, course kernels, firmware. Relies on nothing
 * but the file's bytes, which may be hostile; guarantees that every segment it returns lies inside
 * the file, that no number loses precision, and that the work is bounded by the file's size.
 */
import { UserError } from '../errors.ts';
import { hasMagic } from './image.ts';

export interface ElfSegment {
  readonly physical: number;
  readonly data: Uint8Array;
  /** Bytes in memory: those behind `data` are zero. */
  readonly memorySize: number;
}

export interface ElfFile {
  /** Physical address of the first instruction. */
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  /** Physical addresses of the symbols that were asked for and are there. */
  readonly symbols: ReadonlyMap<string, number>;
}

const EM_RISCV = 243;
const ET_EXEC = 2;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const FILE_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
/** Real programs have a handful; a bound keeps a hostile file from being slow. */
const MAX_PROGRAM_HEADERS = 256;

/** How the virtual addresses of a segment become physical ones. */
interface Mapping {
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly size: bigint;
}

export function isElf(file: Uint8Array): boolean {
  return hasMagic(file, 0, '\x7fELF');
}

/** The file's bytes, once it is known to be ELF64 for little-endian RISC-V with a whole header. */
export function openElf(file: Uint8Array, name: string): DataView {
  if (!isElf(file)) {
    throw new UserError(`${name} does not start with the ELF magic. Give a RISC-V ELF executable.`);
  }
  if (file[4] !== 2) {
    throw new UserError(`${name} is not a 64-bit one. Build it for riscv64.`);
  }
  if (file.length < FILE_HEADER_BYTES) throw damagedFile(name, 'its header is cut short');
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file[5] !== 1 || view.getUint16(18, true) !== EM_RISCV) {
    throw new UserError(`${name} is not for little-endian RISC-V. Build it for riscv64.`);
  }
  return view;
}

function damagedFile(name: string, what: string): UserError {
  return new UserError(`${name} is damaged: ${what}. Build or fetch it again.`);
}

export function parseElf(
  file: Uint8Array,
  wanted: readonly string[],
  name = 'The ELF file',
): ElfFile {
  const view = openElf(file, name);
  const damaged = (what: string): UserError => damagedFile(name, what);
  if (view.getUint16(16, true) !== ET_EXEC) {
    throw new UserError(
      `${name} is no executable with fixed addresses. Link it statically, without -pie or -r.`,
    );
  }

  const { segments, mappings } = readSegments(view, file, damaged);
  const toPhysical = (address: bigint): bigint => {
    for (const { virtual, physical, size } of mappings) {
      if (address >= virtual && address - virtual < size) return address - virtual + physical;
    }
    return address;
  };
  const symbols = new Map<string, number>();
  for (const [symbol, address] of readSymbols(view, file, wanted)) {
    symbols.set(symbol, exact(toPhysical(address), damaged));
  }
  return { entry: exact(toPhysical(view.getBigUint64(24, true)), damaged), segments, symbols };
}

function readSegments(
  view: DataView,
  file: Uint8Array,
  damaged: (what: string) => UserError,
): { segments: ElfSegment[]; mappings: Mapping[] } {
  const table = exact(view.getBigUint64(32, true), damaged);
  const entrySize = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  if (count > MAX_PROGRAM_HEADERS) throw damaged(`it has ${count} program headers`);
  if (count > 0 && entrySize < PROGRAM_HEADER_BYTES) throw damaged('its program headers are short');
  if (table + count * entrySize > file.length) throw damaged('its program headers are cut off');

  const segments: ElfSegment[] = [];
  const mappings: Mapping[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = exact(view.getBigUint64(at + 8, true), damaged);
    const virtual = view.getBigUint64(at + 16, true);
    const physical = view.getBigUint64(at + 24, true);
    const fileSize = exact(view.getBigUint64(at + 32, true), damaged);
    const size = view.getBigUint64(at + 40, true);
    const memorySize = exact(size, damaged);
    if (memorySize === 0) continue;
    if (fileSize > memorySize) throw damaged(`segment ${i} is larger in the file than in memory`);
    if (offset + fileSize > file.length) throw damaged(`segment ${i} reaches past its end`);
    segments.push({
      physical: exact(physical, damaged),
      data: file.subarray(offset, offset + fileSize),
      memorySize,
    });
    mappings.push({ virtual, physical, size });
  }
  if (segments.length === 0) throw damaged('it has nothing to load');
  return { segments, mappings };
}

/** The addresses of `wanted` symbols. A symbol table that makes no sense counts as none. */
function readSymbols(
  view: DataView,
  file: Uint8Array,
  wanted: readonly string[],
): Map<string, bigint> {
  const found = new Map<string, bigint>();
  const names = wanted.map((text) => ({ text, bytes: `${text}\0` }));
  const sections = safeNumber(view.getBigUint64(40, true));
  const entrySize = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const header = (index: number): number | undefined => {
    const at = sections + index * entrySize;
    const inside = index < count && at + SECTION_HEADER_BYTES <= file.length;
    return inside && sections > 0 && entrySize >= SECTION_HEADER_BYTES ? at : undefined;
  };
  for (let i = 0; i < count; i++) {
    const at = header(i);
    if (at === undefined) break;
    if (view.getUint32(at + 4, true) !== SHT_SYMTAB) continue;
    // One table at most (ELF allows one): many overlapping ones would make the work quadratic.
    const strings = header(view.getUint32(at + 40, true));
    if (strings === undefined) break;
    const stringsAt = safeNumber(view.getBigUint64(strings + 24, true));
    const start = safeNumber(view.getBigUint64(at + 24, true));
    const end = Math.min(start + safeNumber(view.getBigUint64(at + 32, true)), file.length);
    for (let symbol = start; symbol + SYMBOL_BYTES <= end; symbol += SYMBOL_BYTES) {
      const nameAt = stringsAt + view.getUint32(symbol, true);
      const name = names.find(({ bytes }) => hasMagic(file, nameAt, bytes));
      if (name !== undefined) found.set(name.text, view.getBigUint64(symbol + 8, true));
    }
    break;
  }
  return found;
}

function exact(value: bigint, damaged: (what: string) => UserError): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw damaged(`it holds the impossible number 0x${value.toString(16)}`);
  }
  return Number(value);
}

/** A number from the file where a wrong one only means that nothing is found. */
function safeNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER / 2 : Number(value);
}
