/**
 * Pseudo-instructions that stand for one instruction with some operands fixed (unprivileged ISA,
 * 'RISC-V Assembly Programmer's Handbook'), as data for the assembler and the disassembler. The
 * disassembler takes the first that fits, so special cases come first.
 */

import type { Operands } from './codec.ts';
import type { OperandName } from './instruction.ts';

export interface Alias {
  readonly name: string;
  readonly of: string;
  readonly fixed: Operands;
  /** Pairs of operands that must be equal: the second is the first's value. */
  readonly equal?: readonly [OperandName, OperandName];
  readonly syntax: string;
  /** Only read by the assembler, never printed. */
  readonly inputOnly?: boolean;
}

const CSR = { fflags: 1, frm: 2, fcsr: 3 };

const alias = (name: string, of: string, syntax: string, fixed: Operands): Alias => ({
  name,
  of,
  fixed,
  syntax,
});
const twice = (name: string, of: string): Alias => ({
  name,
  of,
  fixed: {},
  equal: ['rs1', 'rs2'],
  syntax: 'rd, rs1',
});
const swapped = (name: string, of: string): Alias => ({
  ...alias(name, of, 'rs2, rs1, imm', {}),
  inputOnly: true,
});

export const ALIASES: readonly Alias[] = [
  alias('nop', 'addi', '', { rd: 0, rs1: 0, imm: 0 }),
  alias('li', 'addi', 'rd, imm', { rs1: 0 }),
  alias('mv', 'addi', 'rd, rs1', { imm: 0 }),
  alias('not', 'xori', 'rd, rs1', { imm: -1 }),
  alias('neg', 'sub', 'rd, rs2', { rs1: 0 }),
  alias('negw', 'subw', 'rd, rs2', { rs1: 0 }),
  alias('sext.w', 'addiw', 'rd, rs1', { imm: 0 }),
  alias('zext.b', 'andi', 'rd, rs1', { imm: 255 }),
  alias('zext.w', 'add.uw', 'rd, rs1', { rs2: 0 }),
  alias('seqz', 'sltiu', 'rd, rs1', { imm: 1 }),
  alias('snez', 'sltu', 'rd, rs2', { rs1: 0 }),
  alias('sltz', 'slt', 'rd, rs1', { rs2: 0 }),
  alias('sgtz', 'slt', 'rd, rs2', { rs1: 0 }),
  alias('beqz', 'beq', 'rs1, imm', { rs2: 0 }),
  alias('bnez', 'bne', 'rs1, imm', { rs2: 0 }),
  alias('blez', 'bge', 'rs2, imm', { rs1: 0 }),
  alias('bgez', 'bge', 'rs1, imm', { rs2: 0 }),
  alias('bltz', 'blt', 'rs1, imm', { rs2: 0 }),
  alias('bgtz', 'blt', 'rs2, imm', { rs1: 0 }),
  swapped('bgt', 'blt'),
  swapped('ble', 'bge'),
  swapped('bgtu', 'bltu'),
  swapped('bleu', 'bgeu'),
  alias('j', 'jal', 'imm', { rd: 0 }),
  alias('jal', 'jal', 'imm', { rd: 1 }),
  alias('ret', 'jalr', '', { rd: 0, rs1: 1, imm: 0 }),
  alias('jr', 'jalr', 'rs1', { rd: 0, imm: 0 }),
  alias('jalr', 'jalr', 'rs1', { rd: 1, imm: 0 }),
  twice('fmv.s', 'fsgnj.s'),
  twice('fneg.s', 'fsgnjn.s'),
  twice('fabs.s', 'fsgnjx.s'),
  twice('fmv.d', 'fsgnj.d'),
  twice('fneg.d', 'fsgnjn.d'),
  twice('fabs.d', 'fsgnjx.d'),
  alias('frcsr', 'csrrs', 'rd', { rs1: 0, imm: CSR.fcsr }),
  alias('frrm', 'csrrs', 'rd', { rs1: 0, imm: CSR.frm }),
  alias('frflags', 'csrrs', 'rd', { rs1: 0, imm: CSR.fflags }),
  alias('fscsr', 'csrrw', 'rs1', { rd: 0, imm: CSR.fcsr }),
  alias('fsrm', 'csrrw', 'rs1', { rd: 0, imm: CSR.frm }),
  alias('fsflags', 'csrrw', 'rs1', { rd: 0, imm: CSR.fflags }),
  alias('csrr', 'csrrs', 'rd, csr', { rs1: 0 }),
  alias('csrw', 'csrrw', 'csr, rs1', { rd: 0 }),
  alias('csrs', 'csrrs', 'csr, rs1', { rd: 0 }),
  alias('csrc', 'csrrc', 'csr, rs1', { rd: 0 }),
  alias('csrwi', 'csrrwi', 'csr, zimm', { rd: 0 }),
  alias('csrsi', 'csrrsi', 'csr, zimm', { rd: 0 }),
  alias('csrci', 'csrrci', 'csr, zimm', { rd: 0 }),
  { ...alias('sfence.vma', 'sfence.vma', '', { rs1: 0, rs2: 0 }) },
  { ...alias('sfence.vma', 'sfence.vma', 'rs1', { rs2: 0 }) },
  { ...alias('fence', 'fence', '', { imm: 0xff }) },
];

const byRow = new Map<string, Alias[]>();
for (const entry of ALIASES) {
  if (!entry.inputOnly) byRow.set(entry.of, [...(byRow.get(entry.of) ?? []), entry]);
}

/** The alias under which an instruction is best known. */
export function aliasOf(row: string, operands: Operands): Alias | undefined {
  return byRow
    .get(row)
    ?.find(
      ({ fixed, equal }) =>
        Object.entries(fixed).every(([name, value]) => operands[name as OperandName] === value) &&
        (!equal || operands[equal[0]] === operands[equal[1]]),
    );
}
