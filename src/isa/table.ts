/**
 * The instruction table: every row of every extension. The decoder, the interpreter, the
 * disassembler, the assembler and the translator all come from it.
 */
import type { Instruction } from './instruction.ts';
import { atomics } from './rows/atomic.ts';
import { base, zifencei } from './rows/base.ts';
import { bits } from './rows/bits.ts';
import { compressed } from './rows/compressed.ts';
import { floats } from './rows/float.ts';
import { multiply } from './rows/multiply.ts';
import { systems } from './rows/system.ts';

/** Rows with semantics of their own: all but the compressed ones. */
export const OPERATIONS: readonly Instruction[] = [
  ...base,
  ...zifencei,
  ...multiply,
  ...atomics,
  ...floats,
  ...bits,
  ...systems,
];

const operations = new Map(OPERATIONS.map((row) => [row.name, row]));

/** The row with this mnemonic. Throws when there is none. */
export function operation(name: string): Instruction {
  const row = operations.get(name);
  if (!row) throw new Error(`There is no instruction ${name}.`);
  return row;
}

/** All rows; a compressed row has the action of the instruction that it stands for. */
export const INSTRUCTIONS: readonly Instruction[] = [
  ...OPERATIONS,
  ...compressed.map((row) => ({ ...row, action: operation(row.expands ?? '').action })),
];

/** Whether `word` (its low 16 bits where it is compressed) is this row's. */
export function matches(row: Instruction, word: number): boolean {
  const bits = word >>> 0;
  return (
    (bits & row.mask) >>> 0 === row.match &&
    !row.except.some(({ mask, match }) => (bits & mask) >>> 0 === match)
  );
}

/**
 * Numbers of operations in the decode cache. The first ones are no instructions: `Decode` (0, so
 * that a cleared slot decodes itself), `Lookup` (end of a page), `Cross` (an instruction across
 * two pages), `Illegal`, `Translated` (the immediate is function index << 8 | entry).
 */
export const FIRST_OPERATION = 5;
export const OperationCode = { Decode: 0, Lookup: 1, Cross: 2, Illegal: 3, Translated: 4 } as const;

const codes = new Map(OPERATIONS.map((row, i) => [row.name, FIRST_OPERATION + i]));

export function operationCode(row: Instruction): number {
  return codes.get(row.expands ?? row.name) ?? OperationCode.Illegal;
}
