/** RV64I and Zifencei (unprivileged ISA, chapters 'RV32I', 'RV64I', 'Zifencei'). */
import {
  add,
  and,
  branch,
  eq,
  extendS,
  extendU,
  geS,
  geU,
  i64,
  imm,
  jump,
  load,
  ltS,
  ltU,
  ne,
  not,
  nothing,
  or,
  pc,
  setX,
  sext32,
  shl,
  shrS,
  shrU,
  store,
  sub,
  system,
  wrap,
  x1,
  x2,
  xor,
} from '../expression.ts';
import {
  b,
  FENCE,
  IMM_J,
  IMM_U,
  i,
  Opcode,
  RD,
  type Row,
  r,
  rows,
  s,
  shift,
} from '../instruction.ts';

const { Op, Op32, OpImm, OpImm32, Load, Store } = Opcode;

const address = add(x1, imm);
const loadSyntax = 'rd, imm(rs1)';
const lower = wrap(x1);
const count = wrap(x2);
/** Result of a 32-bit operation: sign-extended to 64. */
const word = extendS;

/** Encodings of ori with rd = x0 that Zicbop gives to its hints. */
const prefetches = [0, 1, 3].map((kind) => ({
  mask: (31 << 20) | 0x7fff,
  match: (kind << 20) | (6 << 12) | OpImm,
}));

const upper = (name: string, opcode: number, action: Row['action']): Row => ({
  name,
  mask: 0x7f,
  match: opcode,
  operands: [RD, IMM_U],
  syntax: 'rd, imm',
  action,
});

export const base = rows('i', 'unprivileged ISA, RV32I and RV64I', [
  upper('lui', Opcode.Lui, setX(imm)),
  upper('auipc', Opcode.Auipc, setX(add(pc, imm))),
  {
    name: 'jal',
    mask: 0x7f,
    match: Opcode.Jal,
    operands: [RD, IMM_J],
    syntax: 'rd, imm',
    action: jump(add(pc, imm)),
  },
  i('jalr', Opcode.Jalr, 0, jump(and(add(x1, imm), not(i64(1)))), loadSyntax),
  b('beq', 0, branch(eq(x1, x2))),
  b('bne', 1, branch(ne(x1, x2))),
  b('blt', 4, branch(ltS(x1, x2))),
  b('bge', 5, branch(geS(x1, x2))),
  b('bltu', 6, branch(ltU(x1, x2))),
  b('bgeu', 7, branch(geU(x1, x2))),
  i('lb', Load, 0, load('i8', address), loadSyntax),
  i('lh', Load, 1, load('i16', address), loadSyntax),
  i('lw', Load, 2, load('i32', address), loadSyntax),
  i('ld', Load, 3, load('i64', address), loadSyntax),
  i('lbu', Load, 4, load('u8', address), loadSyntax),
  i('lhu', Load, 5, load('u16', address), loadSyntax),
  i('lwu', Load, 6, load('u32', address), loadSyntax),
  s('sb', Store, 0, store(1, address, x2)),
  s('sh', Store, 1, store(2, address, x2)),
  s('sw', Store, 2, store(4, address, x2)),
  s('sd', Store, 3, store(8, address, x2)),
  i('addi', OpImm, 0, setX(add(x1, imm))),
  i('slti', OpImm, 2, setX(extendU(ltS(x1, imm)))),
  i('sltiu', OpImm, 3, setX(extendU(ltU(x1, imm)))),
  i('xori', OpImm, 4, setX(xor(x1, imm))),
  { ...i('ori', OpImm, 6, setX(or(x1, imm))), except: prefetches },
  i('andi', OpImm, 7, setX(and(x1, imm))),
  shift('slli', OpImm, 1, 0x00, 6, setX(shl(x1, imm))),
  shift('srli', OpImm, 5, 0x00, 6, setX(shrU(x1, imm))),
  shift('srai', OpImm, 5, 0x10, 6, setX(shrS(x1, imm))),
  r('add', Op, 0, 0x00, setX(add(x1, x2))),
  r('sub', Op, 0, 0x20, setX(sub(x1, x2))),
  r('sll', Op, 1, 0x00, setX(shl(x1, x2))),
  r('slt', Op, 2, 0x00, setX(extendU(ltS(x1, x2)))),
  r('sltu', Op, 3, 0x00, setX(extendU(ltU(x1, x2)))),
  r('xor', Op, 4, 0x00, setX(xor(x1, x2))),
  r('srl', Op, 5, 0x00, setX(shrU(x1, x2))),
  r('sra', Op, 5, 0x20, setX(shrS(x1, x2))),
  r('or', Op, 6, 0x00, setX(or(x1, x2))),
  r('and', Op, 7, 0x00, setX(and(x1, x2))),
  i('addiw', OpImm32, 0, setX(sext32(add(x1, imm)))),
  shift('slliw', OpImm32, 1, 0x00, 5, setX(word(shl(lower, wrap(imm))))),
  shift('srliw', OpImm32, 5, 0x00, 5, setX(word(shrU(lower, wrap(imm))))),
  shift('sraiw', OpImm32, 5, 0x20, 5, setX(word(shrS(lower, wrap(imm))))),
  r('addw', Op32, 0, 0x00, setX(sext32(add(x1, x2)))),
  r('subw', Op32, 0, 0x20, setX(sext32(sub(x1, x2)))),
  r('sllw', Op32, 1, 0x00, setX(word(shl(lower, count)))),
  r('srlw', Op32, 5, 0x00, setX(word(shrU(lower, count)))),
  r('sraw', Op32, 5, 0x20, setX(word(shrS(lower, count)))),
  // Accesses of one hart are in program order here and devices are called in place: a fence has
  // work to do only between harts, which the helper's caller sees to.
  {
    name: 'fence',
    mask: 0x707f,
    match: Opcode.MiscMem,
    operands: [FENCE],
    syntax: 'fence',
    action: nothing,
    except: [{ mask: 0xffffffff, match: 0x0100000f }],
  },
  {
    name: 'ecall',
    mask: 0xffffffff,
    match: 0x73,
    operands: [],
    syntax: '',
    action: system('ecall'),
  },
  {
    name: 'ebreak',
    mask: 0xffffffff,
    match: 0x100073,
    operands: [],
    syntax: '',
    action: system('ebreak'),
  },
]);

export const zifencei = rows('zifencei', 'unprivileged ISA, Zifencei', [
  {
    name: 'fence.i',
    mask: 0x707f,
    match: 0x100f,
    operands: [],
    syntax: '',
    action: system('fence_i'),
  },
]);
