/**
 * Emits multiplications and divisions that Wasm has no operator for, in place of the core's helpers
 * (wasm/integer.ts): a call into another module costs more than they do. Arguments are registers,
 * so they are named as often as needed.
 */
import type { Expression } from '../isa/expression.ts';
import { Local } from './frame.ts';
import type { Call, Scope } from './scope.ts';
import { Op, Type } from './wasm-writer.ts';

const LOW = 0xffffffffn;
const DIVISION = /^(div|rem)(u?)(w?)$/;

/** Emits a call of an integer helper; false when it has no shorter form. */
export function emitIntegerCall(e: Call, scope: Scope): boolean {
  const [a, b] = e.args;
  if (!a || !b) return false;
  const division = DIVISION.exec(e.helper);
  if (division) {
    const [, what, unsigned] = division;
    emitDivision(a, b, what === 'rem', unsigned === '', scope);
    return true;
  }
  switch (e.helper) {
    case 'mulhu':
      emitHighProduct(a, b, scope);
      return true;
    case 'mulhsu':
    case 'mulh':
      emitHighProduct(a, b, scope);
      emitCorrection(a, b, scope);
      if (e.helper === 'mulh') emitCorrection(b, a, scope);
      return true;
    default:
      return false;
  }
}

/** High 64 bits of the unsigned product, from four products of halves. */
function emitHighProduct(a: Expression, b: Expression, scope: Scope): void {
  const { code } = scope.frame;
  const low = (e: Expression): void => {
    scope.emit(e, scope);
    code.i64(LOW).op(Op.i64_and);
  };
  const high = (e: Expression): void => {
    scope.emit(e, scope);
    code.i64(32n).op(Op.i64_shr_u);
  };
  high(a);
  low(b);
  code.op(Op.i64_mul);
  low(a);
  low(b);
  code.op(Op.i64_mul).i64(32n).op(Op.i64_shr_u, Op.i64_add).set(Local.value);
  low(a);
  high(b);
  code.op(Op.i64_mul).get(Local.value).i64(LOW).op(Op.i64_and, Op.i64_add).set(Local.i64Temp);
  high(a);
  high(b);
  code.op(Op.i64_mul).get(Local.value).i64(32n).op(Op.i64_shr_u, Op.i64_add);
  code.get(Local.i64Temp).i64(32n).op(Op.i64_shr_u, Op.i64_add);
}

/** Takes `b` off the product's upper half where `a`, now read as signed, is negative. */
function emitCorrection(a: Expression, b: Expression, scope: Scope): void {
  const { code } = scope.frame;
  scope.emit(a, scope);
  code.i64(63n).op(Op.i64_shr_s);
  scope.emit(b, scope);
  code.op(Op.i64_and, Op.i64_sub);
}

/** Division by zero and the overflow of -2^(n-1) / -1 have results (unprivileged ISA, 'M'). */
function emitDivision(
  a: Expression,
  b: Expression,
  remainder: boolean,
  signed: boolean,
  scope: Scope,
): void {
  const { frame } = scope;
  const { code } = frame;
  const wide = a.type === 'i64';
  const type = wide ? Type.i64 : Type.i32;
  const constant = (value: bigint): void => {
    if (wide) code.i64(value);
    else code.i32(Number(value));
  };
  scope.emit(b, scope);
  code.op(wide ? Op.i64_eqz : Op.i32_eqz);
  frame.open(Op.if, 'if', type);
  if (remainder) scope.emit(a, scope);
  else constant(-1n);
  code.op(Op.else);
  if (signed) {
    scope.emit(b, scope);
    constant(-1n);
    code.op(wide ? Op.i64_eq : Op.i32_eq);
    frame.open(Op.if, 'if', type);
    constant(0n);
    if (!remainder) {
      scope.emit(a, scope);
      code.op(wide ? Op.i64_sub : Op.i32_sub);
    }
    code.op(Op.else);
  }
  scope.emit(a, scope);
  scope.emit(b, scope);
  code.op(opcode(wide, remainder, signed));
  if (signed) frame.close();
  frame.close();
}

function opcode(wide: boolean, remainder: boolean, signed: boolean): number {
  if (wide) {
    if (remainder) return signed ? Op.i64_rem_s : Op.i64_rem_u;
    return signed ? Op.i64_div_s : Op.i64_div_u;
  }
  if (remainder) return signed ? Op.i32_rem_s : Op.i32_rem_u;
  return signed ? Op.i32_div_s : Op.i32_div_u;
}
