/**
 * Random instructions from the instruction table: by kind of action, with operands that keep the
 * pointers of a block alive. Relies on the table and the codec.
 */
import { decode, encode, extract, type Operands } from '../../src/isa/codec.ts';
import type { Instruction, OperandName } from '../../src/isa/instruction.ts';
import { INSTRUCTIONS } from '../../src/isa/table.ts';
import type { Random } from './random.ts';

/** x registers that a block's code points with and never overwrites: sp, s0, s1, a5. */
export const POINTERS: readonly number[] = [2, 8, 9, 15];
/** Values for mstatus and the like that a block keeps: t5, t6. */
export const KEPT: readonly [number, number] = [30, 31];
const untouched = new Set<number>([...POINTERS, ...KEPT]);

/** What a set of extensions leaves out, so that an older QEMU can be the oracle. */
export interface Selection {
  readonly without: ReadonlySet<string>;
}

const rowsByName = new Map(INSTRUCTIONS.map((row) => [row.name, row]));

export function row(name: string): Instruction {
  const found = rowsByName.get(name);
  if (!found) throw new Error(`There is no instruction ${name}.`);
  return found;
}

/** The word of an instruction, by mnemonic. */
export function word(name: string, operands: Operands = {}): number {
  return encode(row(name), operands);
}

export const NOP = word('addi', { rd: 0, rs1: 0, imm: 0 });

/** Instructions that only compute: registers in, a register out. */
export const integerRows = INSTRUCTIONS.filter(
  ({ action, name, expands }) =>
    (action.kind === 'setX' || action.kind === 'nothing') && !/^f(?!ence)/.test(expands ?? name),
);
export const floatRows = INSTRUCTIONS.filter(
  ({ action, extension }) =>
    (action.kind === 'setX' || action.kind === 'setF') && (extension === 'f' || extension === 'd'),
);
export const loadStoreRows = INSTRUCTIONS.filter(
  ({ action }) => action.kind === 'load' || action.kind === 'store',
);
export const atomicRows = INSTRUCTIONS.filter(({ action }) => action.kind === 'atomic');
export const branchRows = INSTRUCTIONS.filter(({ action }) => action.kind === 'branch');

export function operandsOf(from: Instruction, bits: number): Operands {
  const operands: Operands = { ...from.fixed };
  for (const operand of from.operands) operands[operand.name] = extract(bits, operand);
  return operands;
}

/** Whether the instruction leaves pointers and kept values as they are. */
export function keepsRegisters(from: Instruction, operands: Operands): boolean {
  return operands.rd === undefined || from.float.has('rd') || !untouched.has(operands.rd);
}

/** Random bits in all fields of a row. Now and then a reserved rounding mode. */
function randomBits(random: Random, from: Instruction): number {
  const free = from.length === 4 ? ~from.mask : ~from.mask & 0xffff;
  return (from.match | (random.u32() & free)) >>> 0;
}

/** A random instruction of one of the rows that keeps the block's registers. */
export function randomOf(random: Random, rows: readonly Instruction[]): number {
  for (;;) {
    const from = random.pick(rows);
    const bits = randomBits(random, from);
    const decoded = decode(bits);
    // Reserved rounding modes are illegal instructions: wanted, but seldom.
    if (!decoded) {
      const isRounding = from.operands.some(({ name }) => name === 'rm');
      if (isRounding && random.chance(0.05)) return bits;
      continue;
    }
    if (decoded.row === from && keepsRegisters(from, decoded.operands)) return bits;
  }
}

/** `addi` and friends as a register's new value: the register must not be one that is kept. */
export function scratch(random: Random, ...except: number[]): number {
  for (;;) {
    const register = random.between(1, 31);
    if (!untouched.has(register) && !except.includes(register)) return register;
  }
}

/** The row's word with given operands where it has them, random ones elsewhere; undefined: unfit. */
export function fit(random: Random, from: Instruction, given: Operands): number | undefined {
  const operands = operandsOf(from, randomBits(random, from));
  for (const [name, value] of Object.entries(given) as [OperandName, number][]) {
    if (from.operands.some((operand) => operand.name === name)) operands[name] = value;
    else if (from.fixed[name] !== undefined && from.fixed[name] !== value) return undefined;
  }
  if (!keepsRegisters(from, operands)) return undefined;
  try {
    return encode(from, operands);
  } catch {
    return undefined;
  }
}
