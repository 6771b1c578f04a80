/**
 * Emits the table's expressions as WebAssembly: each operator is one opcode, registers are locals,
 * helpers are imported functions of the core. Floating-point arithmetic that cannot change a flag
 * is done by Wasm's own operators (see wasm/float, `hostMayAnswer`).
 */
import type { Expression, ValueType } from '../isa/expression.ts';
import type { OperandName } from '../isa/instruction.ts';
import { type Frame, Local } from './frame.ts';
import { Op, Type } from './wasm-writer.ts';

/** Where an expression finds its surroundings. */
export interface Scope {
  readonly frame: Frame;
  readonly operands: Readonly<Partial<Record<OperandName, number>>>;
  /** Page offsets of this instruction and the next one. */
  readonly offset: number;
  readonly next: number;
}

const OPERATORS: Readonly<Record<string, number>> = Op;

const ARITHMETIC = /^f(32|64)_(add|sub|mul|div|sqrt)$/;
const COMPARISON = /^f(32|64)_(eq|lt|le)$/;
const NX = 1;

export function emitExpression(e: Expression, scope: Scope): void {
  const { frame, operands } = scope;
  const { code } = frame;
  switch (e.kind) {
    case 'x': {
      const register = operands[e.operand] ?? 0;
      if (register === 0) code.i64(0n);
      else code.get(frame.x(register));
      return;
    }
    case 'f':
      code.get(frame.f(operands[e.operand] ?? 0));
      if (e.width === 32) emitUnbox(scope);
      return;
    case 'fbits':
      code.get(frame.f(operands[e.operand] ?? 0));
      return;
    case 'imm':
      code.i64(BigInt(operands.imm ?? 0));
      return;
    case 'pc':
      frame.address(scope.offset);
      return;
    case 'rm':
      if (operands.rm === 7) code.get(Local.mode);
      else code.i32(operands.rm ?? 0);
      return;
    case 'const':
      if (e.type === 'i64') code.i64(e.value);
      else code.i32(Number(BigInt.asIntN(32, e.value)));
      return;
    case 'binary':
      emitExpression(e.a, scope);
      emitExpression(e.b, scope);
      code.op(OPERATORS[`${e.on}_${e.operator}`] ?? Op.unreachable);
      return;
    case 'unary':
      emitExpression(e.a, scope);
      code.op(unaryOpcode(e.operator, e.on));
      return;
    case 'select':
      emitExpression(e.a, scope);
      emitExpression(e.b, scope);
      emitExpression(e.condition, scope);
      code.op(Op.select);
      return;
    case 'call':
      emitCall(e, scope);
  }
}

function unaryOpcode(operator: string, on: ValueType): number {
  switch (operator) {
    case 'wrap':
      return Op.i32_wrap_i64;
    case 'extend_s':
      return Op.i64_extend_i32_s;
    case 'extend_u':
      return Op.i64_extend_i32_u;
    case 'extend8_s':
      return Op.i64_extend8_s;
    case 'extend16_s':
      return Op.i64_extend16_s;
    case 'extend32_s':
      return Op.i64_extend32_s;
    default:
      return OPERATORS[`${on}_${operator}`] ?? Op.unreachable;
  }
}

/** Of the 64 bits on the stack: the binary32 in its box, or the canonical NaN. */
function emitUnbox({ frame: { code } }: Scope): void {
  code.tee(Local.i64Temp).op(Op.i32_wrap_i64).i32(0x7fc00000);
  code.get(Local.i64Temp).i64(32n).op(Op.i64_shr_u).i64(0xffffffffn).op(Op.i64_eq).op(Op.select);
}

type Call = Extract<Expression, { kind: 'call' }>;

function emitHelper(e: Call, scope: Scope): void {
  for (const arg of e.args) emitExpression(arg, scope);
  scope.frame.code.call(
    scope.frame.module.helper(
      e.helper,
      e.args.map((arg) => arg.type),
      e.type,
    ),
  );
}

function emitCall(e: Call, scope: Scope): void {
  const arithmetic = ARITHMETIC.exec(e.helper);
  const comparison = COMPARISON.exec(e.helper);
  if (arithmetic) emitArithmetic(e, arithmetic[1] === '64', arithmetic[2] ?? '', scope);
  else if (comparison) emitComparison(e, comparison[1] === '64', comparison[2] ?? '', scope);
  else if (e.helper === 'i32_to_f64') {
    emitExpression(e.args[0] as Expression, scope);
    scope.frame.code.op(Op.i32_wrap_i64, Op.f64_convert_i32_s, Op.i64_reinterpret_f64);
  } else emitHelper(e, scope);
}

/**
 * The mode is to nearest, NX is set already, and the result is normal: Wasm's operator gives the
 * same bits and no further flag. The least exponent is left to the helper, for a result that
 * rounding made normal may have been tiny.
 */
function emitArithmetic(e: Call, double: boolean, operator: string, scope: Scope): void {
  const { frame, operands } = scope;
  const { code } = frame;
  const mode = operands.rm ?? 0;
  if (mode !== 7 && mode !== 0) {
    emitHelper(e, scope);
    return;
  }
  const result = double ? Type.i64 : Type.i32;
  code.globalGet(frame.module.fflags).i32(NX).op(Op.i32_and);
  if (mode === 7) code.get(Local.mode).op(Op.i32_eqz, Op.i32_and);
  code.op(Op.if, result);
  for (const arg of e.args.slice(0, -1)) {
    emitExpression(arg, scope);
    code.op(double ? Op.f64_reinterpret_i64 : Op.f32_reinterpret_i32);
  }
  code.op(OPERATORS[`${double ? 'f64' : 'f32'}_${operator}`] ?? Op.unreachable);
  if (double) {
    code.op(Op.i64_reinterpret_f64).tee(Local.i64Temp);
    code.i64(52n).op(Op.i64_shr_u).op(Op.i32_wrap_i64).i32(0x7ff).op(Op.i32_and);
    code.i32(2).op(Op.i32_sub).i32(0x7fd).op(Op.i32_lt_u).op(Op.if, result).get(Local.i64Temp);
  } else {
    code.op(Op.i32_reinterpret_f32).tee(Local.i32Temp);
    code.i32(23).op(Op.i32_shr_u).i32(0xff).op(Op.i32_and);
    code.i32(2).op(Op.i32_sub).i32(0xfd).op(Op.i32_lt_u).op(Op.if, result).get(Local.i32Temp);
  }
  code.op(Op.else);
  emitHelper(e, scope);
  code.op(Op.end, Op.else);
  emitHelper(e, scope);
  code.op(Op.end);
}

/** Comparisons of numbers raise nothing: only those with a NaN go to the helper. */
function emitComparison(e: Call, double: boolean, operator: string, scope: Scope): void {
  const { code } = scope.frame;
  const reinterpret = double ? Op.f64_reinterpret_i64 : Op.f32_reinterpret_i32;
  const prefix = double ? 'f64' : 'f32';
  const equal = OPERATORS[`${prefix}_eq`] ?? Op.unreachable;
  const push = (arg: Expression): void => {
    emitExpression(arg, scope);
    code.op(reinterpret);
  };
  for (const arg of e.args) {
    push(arg);
    push(arg);
    code.op(equal);
  }
  code.op(Op.i32_and, Op.if, Type.i64);
  for (const arg of e.args) push(arg);
  code.op(OPERATORS[`${prefix}_${operator}`] ?? Op.unreachable, Op.i64_extend_i32_u, Op.else);
  emitHelper(e, scope);
  code.op(Op.end);
}
