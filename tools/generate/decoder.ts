/**
 * Prints the decoder: from an instruction word to a slot of the decode cache (layout.ts,
 * DECODE_SLOT). One case for each opcode (or quadrant and funct3), rows tried in order.
 */
import type { Instruction, Operand } from '../../src/isa/instruction.ts';
import { INSTRUCTIONS, operationCode } from '../../src/isa/table.ts';

const hex = (value: number) => `0x${(value >>> 0).toString(16)}`;

/** AssemblyScript for the operand's value, i32. */
function extract(operand: Operand): string {
  const parts = operand.pieces.map(({ from, width, to }) => {
    const mask = width === 32 ? 0xffffffff : 2 ** width - 1;
    const bits = `((w >>> ${from}) & ${hex(mask)})`;
    return to === 0 ? bits : `(${bits} << ${to})`;
  });
  let value = parts.join(' | ');
  if (operand.signed) {
    const top = Math.max(...operand.pieces.map(({ width, to }) => width + to));
    if (top < 32) value = `<i32>((${value}) << ${32 - top}) >> ${32 - top}`;
  }
  return operand.plus ? `((${value}) + ${operand.plus})` : `(${value})`;
}

/** Registers whose result x0 throws away go to x[32]; a floating-point or no rd stays. */
function writesInteger(row: Instruction): boolean {
  const { action } = row;
  if (action.kind === 'load') return action.load !== 'f32' && action.load !== 'f64';
  return action.kind === 'setX' || action.kind === 'jump' || action.kind === 'atomic';
}

function rowSource(row: Instruction): string {
  const value = (name: Operand['name']): string => {
    const operand = row.operands.find((candidate) => candidate.name === name);
    return operand ? extract(operand) : `${row.fixed[name] ?? 0}`;
  };
  const hasRd = row.operands.some(({ name }) => name === 'rd') || row.fixed.rd !== undefined;
  const rounding = row.operands.some(({ name }) => name === 'rm');
  const conditions = [`(w & ${hex(row.mask)}) == ${hex(row.match)}`];
  for (const { mask, match } of row.except) conditions.push(`(w & ${hex(mask)}) != ${hex(match)}`);
  // Rounding modes 5 and 6 are reserved in every row that has one.
  if (rounding) conditions.push(`((w >>> 12) & 7) != 5 && ((w >>> 12) & 7) != 6`);
  let rd = hasRd ? value('rd') : '0';
  if (hasRd && writesInteger(row)) rd = `discard(${rd})`;
  const imm = rounding ? `${value('rm')} | (${value('rs3')} << 8)` : value('imm');
  return `      if (${conditions.join(' && ')}) {
        // ${row.name}
        put(slot, ${operationCode(row)}, ${rd}, ${value('rs1')}, ${value('rs2')}, ${row.length * 4}, ${imm});
        return;
      }`;
}

/** Rows by the case of the switch in which their words fall. */
function group(list: readonly Instruction[], key: (word: number) => number, bits: number): string {
  const cases: string[] = [];
  for (let code = 0; code < 1 << bits; code++) {
    const fitting = list.filter((row) => {
      const known = key(row.mask);
      return (known & code) === key(row.match) && (key(row.match) & ~known) === 0;
    });
    // The most specific pattern first; those that overlap say so by `except`.
    fitting.sort((a, b) => popcount(b.mask) - popcount(a.mask));
    if (fitting.length > 0) {
      cases.push(`    case ${code}: {\n${fitting.map(rowSource).join('\n')}\n      break;\n    }`);
    }
  }
  return cases.join('\n');
}

function popcount(value: number): number {
  return (value >>> 0).toString(2).replaceAll('0', '').length;
}

export function decoderSource(): string {
  const long = INSTRUCTIONS.filter((row) => row.length === 4);
  const short = INSTRUCTIONS.filter((row) => row.length === 2);
  return `import { OP_ILLEGAL } from './layout';

// @ts-ignore: decorator
@inline function discard(rd: i32): i32 {
  return rd == 0 ? 32 : rd;
}

// @ts-ignore: decorator
@inline function put(slot: usize, op: u32, rd: i32, rs1: i32, rs2: i32, step: u32, imm: i32): void {
  store<i32>(slot, imm, 4);
  store<u32>(slot, op | (rd << 9) | (rs1 << 15) | (rs2 << 20) | (step << 25));
}

/** Decodes a 32-bit instruction word into a slot. */
export function decodeLong(slot: usize, w: u32): void {
  switch ((w >>> 2) & 31) {
${group(long, (word) => (word >>> 2) & 31, 5)}
    default:
  }
  put(slot, OP_ILLEGAL, 0, 0, 0, 16, w);
}

/** Decodes a 16-bit instruction into a slot. */
export function decodeShort(slot: usize, w: u32): void {
  switch (((w & 3) << 3) | (w >>> 13)) {
${group(short, (word) => ((word & 3) << 3) | ((word >>> 13) & 7), 5)}
    default:
  }
  put(slot, OP_ILLEGAL, 0, 0, 0, 8, w);
}
`;
}
