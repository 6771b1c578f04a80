/** A: load-reserved, store-conditional and atomic memory operations (unprivileged ISA, 'A'). */
import { atomic } from '../expression.ts';
import { type Instruction, Opcode, ORDER, RD, type Row, RS1, RS2, rows } from '../instruction.ts';

const operations: readonly (readonly [name: string, funct5: number])[] = [
  ['lr', 0x02],
  ['sc', 0x03],
  ['amoswap', 0x01],
  ['amoadd', 0x00],
  ['amoxor', 0x04],
  ['amoand', 0x0c],
  ['amoor', 0x08],
  ['amomin', 0x10],
  ['amomax', 0x14],
  ['amominu', 0x18],
  ['amomaxu', 0x1c],
];

function row(name: string, funct5: number, width: 32 | 64): Row {
  const isLoad = name === 'lr';
  // Bits 26:25 are aq and rl: every access here is sequentially consistent already.
  return {
    name: `${name}.${width === 32 ? 'w' : 'd'}`,
    mask: ((0x1f << 27) | 0x707f | (isLoad ? 0x1f << 20 : 0)) >>> 0,
    match: ((funct5 << 27) | ((width === 32 ? 2 : 3) << 12) | Opcode.Amo) >>> 0,
    operands: isLoad ? [RD, RS1, ORDER] : [RD, RS1, RS2, ORDER],
    syntax: isLoad ? 'rd, (rs1)' : 'rd, rs2, (rs1)',
    action: atomic(`${name}_${width === 32 ? 'w' : 'd'}`, width),
  };
}

export const atomics: Instruction[] = rows(
  'a',
  'unprivileged ISA, A',
  ([32, 64] as const).flatMap((width) => operations.map(([name, f5]) => row(name, f5, width))),
);
