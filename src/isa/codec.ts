/**
 * Instruction words to operands and back, as the table's rows describe them. For tools and tests:
 * the core has a decoder of its own, generated from the same rows.
 */
import type { Instruction, Operand, OperandName } from './instruction.ts';
import { INSTRUCTIONS, matches } from './table.ts';

export type Operands = Partial<Record<OperandName, number>>;

export interface Decoded {
  readonly row: Instruction;
  /** Values of all operands, those that the encoding implies included. */
  readonly operands: Operands;
}

/** Rows that a word can be, by its major opcode (32 bits) or quadrant and funct3 (16 bits). */
const buckets: Instruction[][] = Array.from({ length: 128 + 32 }, () => []);

function bucket(word: number): number {
  return (word & 3) === 3 ? word & 0x7f : 128 + ((word & 3) << 3) + ((word >>> 13) & 7);
}

for (const row of INSTRUCTIONS) buckets[bucket(row.match)]?.push(row);

/** Bytes of the instruction that begins with this halfword: 2 or 4. */
export function instructionLength(word: number): 2 | 4 {
  return (word & 3) === 3 ? 4 : 2;
}

/** All rows that match: never more than one, which the table's test shows. */
export function rowsOf(word: number): Instruction[] {
  const bits = instructionLength(word) === 4 ? word >>> 0 : word & 0xffff;
  return (buckets[bucket(bits)] ?? []).filter((row) => matches(row, bits));
}

/** The operand's value in an instruction word. */
export function extract(word: number, { pieces, signed, plus }: Operand): number {
  let value = 0;
  let top = 0;
  for (const { from, width, to } of pieces) {
    value |= ((word >>> from) & (2 ** width - 1)) << to;
    top = Math.max(top, to + width);
  }
  if (signed) value = (value << (32 - top)) >> (32 - top);
  return value + plus;
}

/** Bits that hold the operand's value. Throws when they cannot hold it. */
function insert(value: number, operand: Operand, row: Instruction): number {
  let word = 0;
  for (const { from, width, to } of operand.pieces) {
    word |= (((value - operand.plus) >>> to) & (2 ** width - 1)) << from;
  }
  if (extract(word, operand) !== value) {
    throw new RangeError(`${row.name} cannot hold ${value} as its ${operand.name}.`);
  }
  return word;
}

/** funct3 values that are no rounding mode (unprivileged ISA, 'F', table of rounding modes). */
export function isReservedRounding(rm: number | undefined): boolean {
  return rm === 5 || rm === 6;
}

/**
 * The instruction that `word` is, compressed when its low two bits are not 11 (higher bits are
 * ignored then); undefined for what no extension here defines.
 */
export function decode(word: number): Decoded | undefined {
  const bits = instructionLength(word) === 4 ? word >>> 0 : word & 0xffff;
  const row = rowsOf(bits)[0];
  if (!row) return undefined;
  const operands: Operands = { ...row.fixed };
  for (const operand of row.operands) operands[operand.name] = extract(bits, operand);
  if (isReservedRounding(operands.rm)) return undefined;
  return { row, operands };
}

/** The instruction word of a row. Throws when the operands do not fit it. */
export function encode(row: Instruction, operands: Operands): number {
  let word = row.match;
  for (const operand of row.operands) {
    const value = operands[operand.name];
    if (value === undefined) throw new RangeError(`${row.name} needs its ${operand.name}.`);
    word |= insert(value, operand, row);
  }
  word >>>= 0;
  // One field for two operands (rd and rs1 of c.add): both must be the same.
  for (const operand of row.operands) {
    if (extract(word, operand) !== operands[operand.name]) {
      throw new RangeError(`${row.name} has one field for rd and rs1: they must be equal.`);
    }
  }
  for (const [name, value] of Object.entries(row.fixed)) {
    const given = operands[name as OperandName];
    if (given !== undefined && given !== value) {
      throw new RangeError(`${row.name} implies ${name} = ${value}, not ${given}.`);
    }
  }
  if (isReservedRounding(operands.rm) || !matches(row, word)) {
    throw new RangeError(`${row.name} with these operands is a reserved encoding.`);
  }
  return word;
}
