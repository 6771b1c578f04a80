/**
 * The disassembler: an instruction word as text, as the assembler beside it reads it back. Relies
 * on the instruction table; what is no instruction prints as the data directive that holds it.
 */
import { aliasOf } from './aliases.ts';
import { decode, instructionLength, type Operands } from './codec.ts';
import type { Instruction, OperandName } from './instruction.ts';
import { csrName, F_NAMES, ROUNDING_MODES, X_NAMES } from './registers.ts';

function hex(value: bigint | number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Whether the immediate is an offset from pc, printed as the address that it leads to. */
export function isPcRelative(row: Instruction): boolean {
  const name = row.expands ?? row.name;
  return row.action.kind === 'branch' || name === 'jal';
}

/** Whether the immediate is printed as the number that bits 31:12 hold. */
export function isUpper(row: Instruction): boolean {
  const name = row.expands ?? row.name;
  return name === 'lui' || name === 'auipc';
}

/** Sets of a fence: 'rw' and the like; 0 for the empty one. */
function fenceSet(bits: number): string {
  return [...'iorw'].filter((_, i) => bits & (8 >> i)).join('') || '0';
}

function operandText(token: string, row: Instruction, operands: Operands, pc: bigint): string {
  const imm = operands.imm ?? 0;
  switch (token) {
    case 'rd':
    case 'rs1':
    case 'rs2':
    case 'rs3': {
      const names = row.float.has(token as OperandName) ? F_NAMES : X_NAMES;
      return names[operands[token] ?? 0] ?? '?';
    }
    case 'imm':
      if (isPcRelative(row)) return hex(BigInt.asUintN(64, pc + BigInt(imm)));
      // c.lui's immediate is sign-extended: the field's 20 bits are what the assembler takes.
      if (isUpper(row)) return hex((imm >>> 12) & 0xfffff);
      return String(imm);
    case 'zimm':
      return String(operands.rs1 ?? 0);
    case 'csr':
      return csrName(imm);
    case 'rm':
      return ROUNDING_MODES[operands.rm ?? 7] ?? '?';
    case 'fence':
      // fm 0000 is the usual fence and 1000 fence.tso; the others are reserved.
      return `${fenceSet((imm >> 4) & 15)}, ${fenceSet(imm & 15)}`;
    default:
      return token;
  }
}

/** Mnemonic with what its encoding adds to it. */
function mnemonic(row: Instruction, operands: Operands): string {
  if (row.extension === 'a') return row.name + ['', '.rl', '.aq', '.aqrl'][operands.imm ?? 0];
  if (row.name === 'fence' && operands.imm === 0x833) return 'fence.tso';
  return row.name;
}

/** `word` at address `pc` as assembly. Of a compressed instruction the low 16 bits count. */
export function disassemble(word: number, pc: bigint): string {
  const decoded = decode(word);
  if (!decoded) {
    return instructionLength(word) === 4
      ? `.word ${hex(word >>> 0)}`
      : `.half ${hex(word & 0xffff)}`;
  }
  const { row, operands } = decoded;
  const alias = aliasOf(row.name, operands);
  const name = alias?.name ?? mnemonic(row, operands);
  let syntax = alias?.syntax ?? row.syntax;
  if (name === 'fence.tso') syntax = '';
  if (operands.rm === 7) syntax = syntax.replace(/, rm$/, '');
  const text = syntax.replace(/[a-z]+\d?/g, (token) => operandText(token, row, operands, pc));
  return text ? `${name} ${text}` : name;
}
