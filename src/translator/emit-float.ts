/**
 * Emits floating-point arithmetic, comparisons and conversions: Wasm's own operator where it is
 * bound to give RISC-V's result and to raise no flag that is not set already, a helper of the core
 * otherwise. Wasm rounds to nearest and reports nothing, so it may answer when the mode in force is
 * to nearest, NX is accrued already, and the result shows that no other flag was due (the same
 * conditions as wasm/float, `hostMayAnswer`). The local `host` says whether the first two hold.
 */
import type { Expression } from '../isa/expression.ts';
import { at, Local } from './frame.ts';
import { type Call, emitHelper, type Scope } from './scope.ts';
import { Op, SimdOp, Type } from './wasm-writer.ts';

const NX = 1;
const DYNAMIC = 7;
const NEAREST = 0;
const TOWARDS_ZERO = 1;

/** What must hold of a result that Wasm computed. */
type Proof =
  /** Nothing: the result is always right. */
  | 'any'
  /** Not infinite, no NaN: a sum or a root is never inexact when it is tiny. */
  | 'finite'
  /**
   * Normal. The least exponent is left to the helper, for a result that rounding made normal may
   * have been tiny.
   */
  | 'normal';

interface Operator {
  readonly opcodes: readonly number[];
  readonly proof: Proof;
}

const ARITHMETIC: Readonly<Record<string, Operator>> = {
  f32_add: { opcodes: [Op.f32_add], proof: 'finite' },
  f32_sub: { opcodes: [Op.f32_sub], proof: 'finite' },
  f32_mul: { opcodes: [Op.f32_mul], proof: 'normal' },
  f32_div: { opcodes: [Op.f32_div], proof: 'normal' },
  f32_sqrt: { opcodes: [Op.f32_sqrt], proof: 'finite' },
  f64_add: { opcodes: [Op.f64_add], proof: 'finite' },
  f64_sub: { opcodes: [Op.f64_sub], proof: 'finite' },
  f64_mul: { opcodes: [Op.f64_mul], proof: 'normal' },
  f64_div: { opcodes: [Op.f64_div], proof: 'normal' },
  f64_sqrt: { opcodes: [Op.f64_sqrt], proof: 'finite' },
  f64_to_f32: { opcodes: [Op.f32_demote_f64], proof: 'normal' },
};

/** From integers; the argument is 64 bits wide. */
const FROM_INTEGER: Readonly<Record<string, readonly number[]>> = {
  i32_to_f32: [Op.i32_wrap_i64, Op.f32_convert_i32_s],
  u32_to_f32: [Op.i32_wrap_i64, Op.f32_convert_i32_u],
  i64_to_f32: [Op.f32_convert_i64_s],
  u64_to_f32: [Op.f32_convert_i64_u],
  i64_to_f64: [Op.f64_convert_i64_s],
  u64_to_f64: [Op.f64_convert_i64_u],
};

/** From integers, exact in every mode. */
const EXACT: Readonly<Record<string, readonly number[]>> = {
  i32_to_f64: [Op.i32_wrap_i64, Op.f64_convert_i32_s],
  u32_to_f64: [Op.i32_wrap_i64, Op.f64_convert_i32_u],
};

interface ToInteger {
  readonly opcodes: readonly number[];
  readonly signed: boolean;
  /** All numbers below this in magnitude (and not negative, when unsigned) have an answer. */
  readonly limit: number;
}

const word = [Op.i64_extend_i32_s];
const TO_INTEGER: Readonly<Record<string, ToInteger>> = {
  f32_to_i32: { opcodes: [Op.i32_trunc_f32_s, ...word], signed: true, limit: 2 ** 31 },
  f32_to_u32: { opcodes: [Op.i32_trunc_f32_u, ...word], signed: false, limit: 2 ** 32 },
  f32_to_i64: { opcodes: [Op.i64_trunc_f32_s], signed: true, limit: 2 ** 63 },
  f32_to_u64: { opcodes: [Op.i64_trunc_f32_u], signed: false, limit: 2 ** 64 },
  f64_to_i32: { opcodes: [Op.i32_trunc_f64_s, ...word], signed: true, limit: 2 ** 31 },
  f64_to_u32: { opcodes: [Op.i32_trunc_f64_u, ...word], signed: false, limit: 2 ** 32 },
  f64_to_i64: { opcodes: [Op.i64_trunc_f64_s], signed: true, limit: 2 ** 63 },
  f64_to_u64: { opcodes: [Op.i64_trunc_f64_u], signed: false, limit: 2 ** 64 },
};

const COMPARISON = /^f(32|64)_(eq|lt|le)$/;

/** Whether this call asks for the rounding mode itself, when it is dynamic, and only if it must. */
export function asksForMode({ helper }: Call): boolean {
  return (
    helper in ARITHMETIC || helper in FROM_INTEGER || helper in TO_INTEGER || helper.endsWith('fma')
  );
}

/** Emits a call of a floating-point helper; false when it is none that Wasm could answer. */
export function emitFloatCall(e: Call, scope: Scope): boolean {
  const { helper } = e;
  const { code } = scope.frame;
  const arithmetic = ARITHMETIC[helper];
  const fromInteger = FROM_INTEGER[helper];
  const exact = EXACT[helper];
  const toInteger = TO_INTEGER[helper];
  if (helper === 'f32_fma' || helper === 'f64_fma') {
    emitFused(e, scope);
  } else if (arithmetic) {
    withHelper(e, scope, arithmetic.proof, () => {
      for (const arg of arguments_(e)) emitFloat(arg, scope);
      code.op(...arithmetic.opcodes);
    });
  } else if (fromInteger) {
    withHelper(e, scope, 'any', () => {
      for (const arg of arguments_(e)) scope.emit(arg, scope);
      code.op(...fromInteger);
    });
  } else if (exact) {
    for (const arg of arguments_(e)) scope.emit(arg, scope);
    code.op(...exact, Op.i64_reinterpret_f64);
  } else if (toInteger) {
    emitToInteger(e, toInteger, scope);
  } else if (helper === 'f32_to_f64') {
    emitPromotion(e, scope);
  } else if (COMPARISON.test(helper)) {
    emitComparison(e, scope);
  } else return false;
  return true;
}

/** The operands that are values: the last argument may be the rounding mode. */
function arguments_(e: Call): readonly Expression[] {
  return e.args.filter(({ kind }) => kind !== 'rm');
}

/** The value of bits. */
function emitFloat(bits: Expression, scope: Scope): void {
  scope.emit(bits, scope);
  scope.frame.code.op(bits.type === 'i64' ? Op.f64_reinterpret_i64 : Op.f32_reinterpret_i32);
}

/** Leaves on the stack whether Wasm may answer for an instruction that rounds to nearest. */
function emitMayAnswer({ frame }: Scope): void {
  const { code } = frame;
  if (!frame.hostKnown) {
    code.globalGet(frame.module.fflags).i32(NX).op(Op.i32_and);
    code.i32(0).memory(Op.i32_load, at('frm')).op(Op.i32_eqz, Op.i32_and).set(Local.host);
    frame.hostKnown = true;
  }
  // A mode in the instruction needs NX only; but frm all but always says the same.
  code.get(Local.host);
}

/** The helper, with the mode in force; a reserved one is the interpreter's. */
function emitSlow(e: Call, scope: Scope): void {
  if (scope.operands.rm === DYNAMIC) emitMode(scope);
  emitHelper(e, scope);
}

/** Puts the dynamic rounding mode into its local. */
export function emitMode(scope: Scope): void {
  const { frame } = scope;
  const { code } = frame;
  code.i32(scope.site).set(Local.site);
  code.i32(0).memory(Op.i32_load, at('frm')).tee(Local.mode).i32(4).op(Op.i32_gt_u);
  code.brIf(frame.event);
}

/** `emit` leaves a float of the result's width; the helper answers where that proves nothing. */
function withHelper(e: Call, scope: Scope, proof: Proof, emit: () => void): void {
  const { frame, operands } = scope;
  const { code } = frame;
  if (operands.rm !== undefined && operands.rm !== NEAREST && operands.rm !== DYNAMIC) {
    emitSlow(e, scope);
    return;
  }
  const double = e.type === 'i64';
  const type = double ? Type.i64 : Type.i32;
  emitMayAnswer(scope);
  frame.open(Op.if, 'if', type);
  emit();
  code.op(double ? Op.i64_reinterpret_f64 : Op.i32_reinterpret_f32);
  if (proof !== 'any') {
    const temporary = double ? Local.i64Temp : Local.i32Temp;
    code.tee(temporary);
    if (double) code.i64(52n).op(Op.i64_shr_u, Op.i32_wrap_i64).i32(0x7ff).op(Op.i32_and);
    else code.i32(23).op(Op.i32_shr_u).i32(0xff).op(Op.i32_and);
    const infinite = double ? 0x7ff : 0xff;
    if (proof === 'finite') code.i32(infinite).op(Op.i32_ne);
    else {
      code
        .i32(2)
        .op(Op.i32_sub)
        .i32(infinite - 2)
        .op(Op.i32_lt_u);
    }
    frame.open(Op.if, 'if', type);
    code.get(temporary).op(Op.else);
    emitSlow(e, scope);
    frame.close();
  }
  code.op(Op.else);
  emitSlow(e, scope);
  frame.close();
}

/** A lane of relaxed SIMD, where the engine's is known to round once. */
function emitFused(e: Call, scope: Scope): void {
  const { frame } = scope;
  const { code } = frame;
  if (!frame.module.features.fusedMultiplyAdd) {
    emitSlow(e, scope);
    return;
  }
  const double = e.type === 'i64';
  withHelper(e, scope, 'normal', () => {
    for (const arg of arguments_(e)) {
      emitFloat(arg, scope);
      code.simd(double ? SimdOp.f64x2_splat : SimdOp.f32x4_splat);
    }
    code.simd(double ? SimdOp.f64x2_relaxed_madd : SimdOp.f32x4_relaxed_madd);
    code.simd(double ? SimdOp.f64x2_extract_lane : SimdOp.f32x4_extract_lane).byte(0);
  });
}

/** Towards zero or to nearest, of a number in range; only NX could be raised. */
function emitToInteger(e: Call, { opcodes, signed, limit }: ToInteger, scope: Scope): void {
  const { frame, operands } = scope;
  const { code } = frame;
  const [value] = e.args;
  const truncates = operands.rm === TOWARDS_ZERO;
  if (!value || (!truncates && operands.rm !== NEAREST && operands.rm !== DYNAMIC)) {
    emitSlow(e, scope);
    return;
  }
  const double = value.type === 'i64';
  const push = (): void => {
    emitFloat(value, scope);
    if (!truncates) code.op(double ? Op.f64_nearest : Op.f32_nearest);
  };
  if (truncates) code.globalGet(frame.module.fflags).i32(NX).op(Op.i32_and);
  else emitMayAnswer(scope);
  push();
  if (signed) code.op(double ? Op.f64_abs : Op.f32_abs);
  code.float(double, limit).op(double ? Op.f64_lt : Op.f32_lt, Op.i32_and);
  if (!signed) {
    push();
    code.float(double, 0).op(double ? Op.f64_ge : Op.f32_ge, Op.i32_and);
  }
  frame.open(Op.if, 'if', Type.i64);
  push();
  code.op(...opcodes, Op.else);
  emitSlow(e, scope);
  frame.close();
}

/** Widening is exact; a NaN becomes the canonical one, and may be signalling. */
function emitPromotion(e: Call, scope: Scope): void {
  const { frame } = scope;
  const { code } = frame;
  const [value] = e.args;
  if (!value) return;
  emitFloat(value, scope);
  emitFloat(value, scope);
  code.op(Op.f32_eq);
  frame.open(Op.if, 'if', Type.i64);
  emitFloat(value, scope);
  code.op(Op.f64_promote_f32, Op.i64_reinterpret_f64, Op.else);
  emitHelper(e, scope);
  frame.close();
}

/** Comparisons of numbers raise nothing: only those with a NaN go to the helper. */
function emitComparison(e: Call, scope: Scope): void {
  const { frame } = scope;
  const { code } = frame;
  const [a, b] = e.args;
  if (!a || !b) return;
  const double = a.type === 'i64';
  const [eq, lt, le] = double
    ? [Op.f64_eq, Op.f64_lt, Op.f64_le]
    : [Op.f32_eq, Op.f32_lt, Op.f32_le];
  for (const value of [a, b]) {
    emitFloat(value, scope);
    emitFloat(value, scope);
    code.op(eq);
  }
  code.op(Op.i32_and);
  frame.open(Op.if, 'if', Type.i64);
  emitFloat(a, scope);
  emitFloat(b, scope);
  code.op(e.helper.endsWith('eq') ? eq : e.helper.endsWith('lt') ? lt : le);
  code.op(Op.i64_extend_i32_u, Op.else);
  emitHelper(e, scope);
  frame.close();
}
