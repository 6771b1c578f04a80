/**
 * One row of the instruction table: mnemonic, encoding, operands, extension, semantics; and the
 * constructors with which the rows of each extension are written. The encoding's notation follows
 * the unprivileged specification's chapter on instruction formats.
 */
import type { Action } from './expression.ts';

export type OperandName = 'rd' | 'rs1' | 'rs2' | 'rs3' | 'imm' | 'rm';

/** `width` bits of the instruction from bit `from` are the operand's bits from `to` up. */
export interface Piece {
  readonly from: number;
  readonly width: number;
  readonly to: number;
}

export interface Operand {
  readonly name: OperandName;
  readonly pieces: readonly Piece[];
  /** Sign-extended from its highest bit. */
  readonly signed: boolean;
  /** Added after extraction: 8 for the three-bit registers of compressed instructions. */
  readonly plus: number;
}

/** The words w with (w & mask) == match. */
export interface Encoding {
  readonly mask: number;
  readonly match: number;
}

/** An operand of a compressed instruction that its encoding fixes. */
export type Fixed = Partial<Record<OperandName, number>>;

export interface Instruction {
  readonly name: string;
  /** Extension that defines it, as in the ISA string: 'i', 'zba', … */
  readonly extension: string;
  readonly mask: number;
  readonly match: number;
  readonly operands: readonly Operand[];
  /** Operand values that the encoding implies. */
  readonly fixed: Fixed;
  /** Encodings within mask/match that are not this instruction: reserved, or another row's. */
  readonly except: readonly Encoding[];
  /** Bytes: 2 or 4. */
  readonly length: 2 | 4;
  /**
   * Operands in the order of assembly, e.g. 'rd, rs1, imm' or 'rd, imm(rs1)'. Words that are no
   * operand stand for themselves (sp), except csr, zimm and fence: views of imm, rs1 and imm.
   */
  readonly syntax: string;
  readonly action: Action;
  /** The instruction of which this compressed one is a short form. */
  readonly expands?: string | undefined;
  /** Registers of F and D that it names, for the assembler's and disassembler's register names. */
  readonly float: ReadonlySet<OperandName>;
  /** Section of the specification. */
  readonly source: string;
}

/** Bits hi:lo of the instruction hold the value's bits named as in the manual: '5:4|9:6|2|3'. */
export function scatter(hi: number, value: string): Piece[] {
  let top = hi;
  return value.split('|').map((part) => {
    const [high, low = high] = part.split(':').map(Number);
    const width = (high ?? 0) - (low ?? 0) + 1;
    top -= width;
    return { from: top + 1, width, to: low ?? 0 };
  });
}

function operand(name: OperandName, pieces: readonly Piece[], signed = false, plus = 0): Operand {
  return { name, pieces, signed, plus };
}

const register = (name: OperandName, from: number): Operand =>
  operand(name, [{ from, width: 5, to: 0 }]);

export const RD = register('rd', 7);
export const RS1 = register('rs1', 15);
export const RS2 = register('rs2', 20);
export const RS3 = register('rs3', 27);
export const RM = operand('rm', [{ from: 12, width: 3, to: 0 }]);
export const IMM_I = operand('imm', scatter(31, '11:0'), true);
export const IMM_S = operand('imm', [...scatter(31, '11:5'), ...scatter(11, '4:0')], true);
export const IMM_B = operand('imm', [...scatter(31, '12|10:5'), ...scatter(11, '4:1|11')], true);
export const IMM_U = operand('imm', scatter(31, '31:12'), true);
export const IMM_J = operand('imm', scatter(31, '20|10:1|11|19:12'), true);
export const SHAMT6 = operand('imm', scatter(25, '5:0'));
export const SHAMT5 = operand('imm', scatter(24, '4:0'));
export const CSR = operand('imm', scatter(31, '11:0'));
/** aq (2) and rl (1) of an atomic access: the suffixes .aq, .rl, .aqrl of its mnemonic. */
export const ORDER = operand('imm', scatter(26, '1:0'));
/** fm, predecessor and successor sets of a fence. */
export const FENCE = operand('imm', scatter(31, '11:0'));
export const IMM_PREFETCH = operand('imm', scatter(31, '11:5'), true);

/** Full and three-bit registers of compressed instructions. */
export const compressed = {
  rd: register('rd', 7),
  rs1: register('rs1', 7),
  rs2: operand('rs2', [{ from: 2, width: 5, to: 0 }]),
  low: (name: OperandName): Operand => operand(name, [{ from: 2, width: 3, to: 0 }], false, 8),
  high: (name: OperandName): Operand => operand(name, [{ from: 7, width: 3, to: 0 }], false, 8),
  /** Immediate from pieces: each [highest bit in the instruction, value bits]. */
  imm: (signed: boolean, ...parts: readonly (readonly [number, string])[]): Operand =>
    operand(
      'imm',
      parts.flatMap(([hi, value]) => scatter(hi, value)),
      signed,
    ),
};

export interface Row {
  name: string;
  mask: number;
  match: number;
  operands: readonly Operand[];
  syntax: string;
  action: Action;
  fixed?: Fixed;
  except?: readonly Encoding[];
  expands?: string;
  float?: readonly OperandName[];
  length?: 2 | 4;
}

/** Gives the rows of one extension what they share. */
export function rows(extension: string, source: string, list: readonly Row[]): Instruction[] {
  return list.map((row) => ({
    ...row,
    extension,
    source,
    mask: row.mask >>> 0,
    match: row.match >>> 0,
    except: (row.except ?? []).map(({ mask, match }) => ({ mask: mask >>> 0, match: match >>> 0 })),
    fixed: row.fixed ?? {},
    length: row.length ?? 4,
    float: new Set(row.float),
  }));
}

/** Major opcodes, with the two low bits set (unprivileged ISA, table 'RISC-V base opcode map'). */
export const Opcode = {
  Load: 0x03,
  LoadFp: 0x07,
  MiscMem: 0x0f,
  OpImm: 0x13,
  Auipc: 0x17,
  OpImm32: 0x1b,
  Store: 0x23,
  StoreFp: 0x27,
  Amo: 0x2f,
  Op: 0x33,
  Lui: 0x37,
  Op32: 0x3b,
  Madd: 0x43,
  Msub: 0x47,
  Nmsub: 0x4b,
  Nmadd: 0x4f,
  OpFp: 0x53,
  Branch: 0x63,
  Jalr: 0x67,
  Jal: 0x6f,
  System: 0x73,
} as const;

const FUNCT3 = 7 << 12;
const FUNCT7 = 0x7f << 25;

/** R-type: rd, rs1, rs2. */
export function r(name: string, opcode: number, f3: number, f7: number, action: Action): Row {
  return {
    name,
    mask: FUNCT7 | FUNCT3 | 0x7f,
    match: (f7 << 25) | (f3 << 12) | opcode,
    operands: [RD, RS1, RS2],
    syntax: 'rd, rs1, rs2',
    action,
  };
}

/** R-type with rs2 part of the encoding: rd, rs1. */
export function r1(
  name: string,
  opcode: number,
  f3: number,
  f7: number,
  rs2: number,
  action: Action,
): Row {
  const row = r(name, opcode, f3, f7, action);
  return {
    ...row,
    mask: row.mask | (31 << 20),
    match: row.match | (rs2 << 20),
    operands: [RD, RS1],
    syntax: 'rd, rs1',
  };
}

/** I-type: rd, rs1, imm. */
export function i(name: string, opcode: number, f3: number, action: Action, syntax?: string): Row {
  return {
    name,
    mask: FUNCT3 | 0x7f,
    match: (f3 << 12) | opcode,
    operands: [RD, RS1, IMM_I],
    syntax: syntax ?? 'rd, rs1, imm',
    action,
  };
}

/** Shift by an immediate of 6 (f6 in bits 31:26) or 5 bits (f7 in 31:25). */
export function shift(
  name: string,
  opcode: number,
  f3: number,
  top: number,
  bits: 5 | 6,
  action: Action,
): Row {
  return {
    name,
    mask: (bits === 6 ? 0x3f << 26 : FUNCT7) | FUNCT3 | 0x7f,
    match: (top << (bits === 6 ? 26 : 25)) | (f3 << 12) | opcode,
    operands: [RD, RS1, bits === 6 ? SHAMT6 : SHAMT5],
    syntax: 'rd, rs1, imm',
    action,
  };
}

/** S-type: a store. */
export function s(name: string, opcode: number, f3: number, action: Action): Row {
  return {
    name,
    mask: FUNCT3 | 0x7f,
    match: (f3 << 12) | opcode,
    operands: [RS1, RS2, IMM_S],
    syntax: 'rs2, imm(rs1)',
    action,
  };
}

/** B-type: a branch. */
export function b(name: string, f3: number, action: Action): Row {
  return {
    name,
    mask: FUNCT3 | 0x7f,
    match: (f3 << 12) | Opcode.Branch,
    operands: [RS1, RS2, IMM_B],
    syntax: 'rs1, rs2, imm',
    action,
  };
}
