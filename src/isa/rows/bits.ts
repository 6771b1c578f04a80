/** Zba, Zbb, Zbs, Zicond (unprivileged ISA, chapters 'B' and 'Zicond'). */
import {
  add,
  and,
  call,
  clz,
  ctz,
  type Expression,
  eq,
  extendS,
  extendU,
  i64,
  imm,
  ltS,
  ltU,
  ne,
  not,
  or,
  popcnt,
  rotl,
  rotr,
  select,
  setX,
  sext8,
  sext16,
  shl,
  shrU,
  wrap,
  x1,
  x2,
  xor,
} from '../expression.ts';
import { type Instruction, Opcode, r, r1, rows, shift } from '../instruction.ts';

const { Op, Op32, OpImm, OpImm32 } = Opcode;
const lower1 = wrap(x1);
const lower2 = wrap(x2);
/** rs1's low 32 bits, zero-extended. */
const unsigned1 = extendU(lower1);
const oneShifted = (by: Expression) => shl(i64(1), by);

export const bits: Instruction[] = [
  ...rows('zba', 'unprivileged ISA, Zba', [
    r('add.uw', Op32, 0, 0x04, setX(add(unsigned1, x2))),
    r('sh1add', Op, 2, 0x10, setX(add(shl(x1, i64(1)), x2))),
    r('sh2add', Op, 4, 0x10, setX(add(shl(x1, i64(2)), x2))),
    r('sh3add', Op, 6, 0x10, setX(add(shl(x1, i64(3)), x2))),
    r('sh1add.uw', Op32, 2, 0x10, setX(add(shl(unsigned1, i64(1)), x2))),
    r('sh2add.uw', Op32, 4, 0x10, setX(add(shl(unsigned1, i64(2)), x2))),
    r('sh3add.uw', Op32, 6, 0x10, setX(add(shl(unsigned1, i64(3)), x2))),
    shift('slli.uw', OpImm32, 1, 0x02, 6, setX(shl(unsigned1, imm))),
  ]),
  ...rows('zbb', 'unprivileged ISA, Zbb', [
    r('andn', Op, 7, 0x20, setX(and(x1, not(x2)))),
    r('orn', Op, 6, 0x20, setX(or(x1, not(x2)))),
    r('xnor', Op, 4, 0x20, setX(not(xor(x1, x2)))),
    r1('clz', OpImm, 1, 0x30, 0, setX(clz(x1))),
    r1('ctz', OpImm, 1, 0x30, 1, setX(ctz(x1))),
    r1('cpop', OpImm, 1, 0x30, 2, setX(popcnt(x1))),
    r1('clzw', OpImm32, 1, 0x30, 0, setX(extendU(clz(lower1)))),
    r1('ctzw', OpImm32, 1, 0x30, 1, setX(extendU(ctz(lower1)))),
    r1('cpopw', OpImm32, 1, 0x30, 2, setX(extendU(popcnt(lower1)))),
    r('max', Op, 6, 0x05, setX(select(ltS(x1, x2), x2, x1))),
    r('maxu', Op, 7, 0x05, setX(select(ltU(x1, x2), x2, x1))),
    r('min', Op, 4, 0x05, setX(select(ltS(x1, x2), x1, x2))),
    r('minu', Op, 5, 0x05, setX(select(ltU(x1, x2), x1, x2))),
    r1('sext.b', OpImm, 1, 0x30, 4, setX(sext8(x1))),
    r1('sext.h', OpImm, 1, 0x30, 5, setX(sext16(x1))),
    r1('zext.h', Op32, 4, 0x04, 0, setX(and(x1, i64(0xffff)))),
    r('rol', Op, 1, 0x30, setX(rotl(x1, x2))),
    r('ror', Op, 5, 0x30, setX(rotr(x1, x2))),
    shift('rori', OpImm, 5, 0x18, 6, setX(rotr(x1, imm))),
    r('rolw', Op32, 1, 0x30, setX(extendS(rotl(lower1, lower2)))),
    r('rorw', Op32, 5, 0x30, setX(extendS(rotr(lower1, lower2)))),
    shift('roriw', OpImm32, 5, 0x30, 5, setX(extendS(rotr(lower1, wrap(imm))))),
    r1('orc.b', OpImm, 5, 0x14, 7, setX(call('i64', 'orc_b', x1))),
    r1('rev8', OpImm, 5, 0x35, 24, setX(call('i64', 'rev8', x1))),
  ]),
  ...rows('zbs', 'unprivileged ISA, Zbs', [
    r('bclr', Op, 1, 0x24, setX(and(x1, not(oneShifted(x2))))),
    shift('bclri', OpImm, 1, 0x12, 6, setX(and(x1, not(oneShifted(imm))))),
    r('bext', Op, 5, 0x24, setX(and(shrU(x1, x2), i64(1)))),
    shift('bexti', OpImm, 5, 0x12, 6, setX(and(shrU(x1, imm), i64(1)))),
    r('binv', Op, 1, 0x34, setX(xor(x1, oneShifted(x2)))),
    shift('binvi', OpImm, 1, 0x1a, 6, setX(xor(x1, oneShifted(imm)))),
    r('bset', Op, 1, 0x14, setX(or(x1, oneShifted(x2)))),
    shift('bseti', OpImm, 1, 0x0a, 6, setX(or(x1, oneShifted(imm)))),
  ]),
  ...rows('zicond', 'unprivileged ISA, Zicond', [
    r('czero.eqz', Op, 5, 0x07, setX(select(ne(x2, i64(0)), x1, i64(0)))),
    r('czero.nez', Op, 7, 0x07, setX(select(eq(x2, i64(0)), x1, i64(0)))),
  ]),
];
