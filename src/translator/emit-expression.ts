/**
 * Emits the table's expressions as WebAssembly: each operator is one opcode, registers are locals,
 * helpers are imported functions of the core, but for those that a few operators can replace.
 */
import type { Expression, ValueType } from '../isa/expression.ts';
import { emitFloatCall } from './emit-float.ts';
import { emitIntegerCall } from './emit-integer.ts';
import { Local } from './frame.ts';
import { type Call, emitHelper, type Scope } from './scope.ts';
import { Op } from './wasm-writer.ts';

const OPERATORS: Readonly<Record<string, number>> = Op;

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

function emitCall(e: Call, scope: Scope): void {
  if (!emitFloatCall(e, scope) && !emitIntegerCall(e, scope)) emitHelper(e, scope);
}
