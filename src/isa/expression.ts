/**
 * The language in which an instruction's semantics are written down, once. An expression is data:
 * the interpreter's generator prints it as AssemblyScript, the translator emits it as WebAssembly
 * (each operator is exactly one Wasm operator), tests evaluate it.
 */

export type ValueType = 'i32' | 'i64';

export type BinaryOperator =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr_s'
  | 'shr_u'
  | 'rotl'
  | 'rotr'
  | 'eq'
  | 'ne'
  | 'lt_s'
  | 'lt_u'
  | 'ge_s'
  | 'ge_u';
export type UnaryOperator =
  | 'clz'
  | 'ctz'
  | 'popcnt'
  | 'wrap'
  | 'extend_s'
  | 'extend_u'
  | 'extend8_s'
  | 'extend16_s'
  | 'extend32_s';

export type Expression =
  /** An integer register, by operand. */
  | { readonly kind: 'x'; readonly type: 'i64'; readonly operand: 'rs1' | 'rs2' }
  /** A floating-point register's bits; width 32 checks the NaN box. */
  | {
      readonly kind: 'f';
      readonly type: ValueType;
      readonly operand: 'rs1' | 'rs2' | 'rs3';
      readonly width: 32 | 64;
    }
  /** All 64 bits of a floating-point register, box unchecked (stores and moves). */
  | { readonly kind: 'fbits'; readonly type: 'i64'; readonly operand: 'rs1' | 'rs2' }
  /** The immediate, sign-extended as its format says. */
  | { readonly kind: 'imm'; readonly type: 'i64' }
  | { readonly kind: 'pc'; readonly type: 'i64' }
  /** The rounding mode in force: the instruction's, or frm where that says dynamic. */
  | { readonly kind: 'rm'; readonly type: 'i32' }
  | { readonly kind: 'const'; readonly type: ValueType; readonly value: bigint }
  | {
      readonly kind: 'binary';
      readonly type: ValueType;
      readonly operator: BinaryOperator;
      readonly on: ValueType;
      readonly a: Expression;
      readonly b: Expression;
    }
  | {
      readonly kind: 'unary';
      readonly type: ValueType;
      readonly operator: UnaryOperator;
      readonly on: ValueType;
      readonly a: Expression;
    }
  | {
      readonly kind: 'select';
      readonly type: ValueType;
      readonly condition: Expression;
      readonly a: Expression;
      readonly b: Expression;
    }
  /** A pure helper of the core, by name (`wasm/`). */
  | {
      readonly kind: 'call';
      readonly type: ValueType;
      readonly helper: string;
      readonly args: readonly Expression[];
    };

export const x1: Expression = { kind: 'x', type: 'i64', operand: 'rs1' };
export const x2: Expression = { kind: 'x', type: 'i64', operand: 'rs2' };
export const imm: Expression = { kind: 'imm', type: 'i64' };
export const pc: Expression = { kind: 'pc', type: 'i64' };
export const rm: Expression = { kind: 'rm', type: 'i32' };
export const fbits1: Expression = { kind: 'fbits', type: 'i64', operand: 'rs1' };
export const fbits2: Expression = { kind: 'fbits', type: 'i64', operand: 'rs2' };

/** Floating-point operand `n` (1 to 3) of the given width, as bits. */
export function f(n: 1 | 2 | 3, width: 32 | 64): Expression {
  const operand = n === 1 ? 'rs1' : n === 2 ? 'rs2' : 'rs3';
  return { kind: 'f', type: width === 32 ? 'i32' : 'i64', operand, width };
}

export function i64(value: bigint | number): Expression {
  return { kind: 'const', type: 'i64', value: BigInt(value) };
}

export function i32(value: number): Expression {
  return { kind: 'const', type: 'i32', value: BigInt(value) };
}

const comparisons: ReadonlySet<BinaryOperator> = new Set([
  'eq',
  'ne',
  'lt_s',
  'lt_u',
  'ge_s',
  'ge_u',
]);

function binary(operator: BinaryOperator) {
  return (a: Expression, b: Expression): Expression => {
    if (a.type !== b.type) throw new Error(`${operator} of ${a.type} and ${b.type}`);
    const type = comparisons.has(operator) ? 'i32' : a.type;
    return { kind: 'binary', type, operator, on: a.type, a, b };
  };
}

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const and = binary('and');
export const or = binary('or');
export const xor = binary('xor');
/** Shifts and rotations take their amount modulo the width, as both RISC-V and Wasm do. */
export const shl = binary('shl');
export const shrS = binary('shr_s');
export const shrU = binary('shr_u');
export const rotl = binary('rotl');
export const rotr = binary('rotr');
export const eq = binary('eq');
export const ne = binary('ne');
export const ltS = binary('lt_s');
export const ltU = binary('lt_u');
export const geS = binary('ge_s');
export const geU = binary('ge_u');

function unary(operator: UnaryOperator, result?: ValueType) {
  return (a: Expression): Expression => ({
    kind: 'unary',
    type: result ?? a.type,
    operator,
    on: a.type,
    a,
  });
}

export const clz = unary('clz');
export const ctz = unary('ctz');
export const popcnt = unary('popcnt');
/** i64 to i32. */
export const wrap = unary('wrap', 'i32');
/** i32 to i64. */
export const extendS = unary('extend_s', 'i64');
export const extendU = unary('extend_u', 'i64');
/** Sign-extension of the low 8, 16 or 32 bits within i64. */
export const sext8 = unary('extend8_s');
export const sext16 = unary('extend16_s');
export const sext32 = unary('extend32_s');

export function not(a: Expression): Expression {
  return xor(a, a.type === 'i64' ? i64(-1) : i32(-1));
}

export function select(condition: Expression, a: Expression, b: Expression): Expression {
  return { kind: 'select', type: a.type, condition, a, b };
}

export function call(type: ValueType, helper: string, ...args: Expression[]): Expression {
  return { kind: 'call', type, helper, args };
}

/** What an access of memory moves, and how it is extended to a register. */
export type LoadKind = 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'f32' | 'f64';
export type StoreSize = 1 | 2 | 4 | 8;

/** What an instruction does. */
export type Action =
  /** rd = value */
  | { readonly kind: 'setX'; readonly value: Expression }
  /** Floating-point rd = value; width 32 adds the NaN box. */
  | { readonly kind: 'setF'; readonly width: 32 | 64; readonly value: Expression }
  | { readonly kind: 'load'; readonly load: LoadKind; readonly address: Expression }
  | {
      readonly kind: 'store';
      readonly size: StoreSize;
      readonly address: Expression;
      readonly value: Expression;
    }
  /** Goes to pc + imm when the condition holds. */
  | { readonly kind: 'branch'; readonly condition: Expression }
  /** rd = next, pc = target. */
  | { readonly kind: 'jump'; readonly target: Expression }
  /** An atomic access at rs1: helper of the core, returns what rd takes; may fault. */
  | { readonly kind: 'atomic'; readonly helper: string; readonly width: 32 | 64 }
  /**
   * What is too intricate for a row (CSRs, returns from traps, fences): a helper of the core that
   * may fault, change privilege or translation; both tiers leave their fast loop after it.
   */
  | { readonly kind: 'system'; readonly helper: string }
  | { readonly kind: 'nothing' };

export const setX = (value: Expression): Action => ({ kind: 'setX', value });
export const setF = (width: 32 | 64, value: Expression): Action => ({ kind: 'setF', width, value });
export const load = (kind: LoadKind, address: Expression): Action => ({
  kind: 'load',
  load: kind,
  address,
});
export const store = (size: StoreSize, address: Expression, value: Expression): Action => ({
  kind: 'store',
  size,
  address,
  value,
});
export const branch = (condition: Expression): Action => ({ kind: 'branch', condition });
export const jump = (target: Expression): Action => ({ kind: 'jump', target });
export const atomic = (helper: string, width: 32 | 64): Action => ({
  kind: 'atomic',
  helper,
  width,
});
export const system = (helper: string): Action => ({ kind: 'system', helper });
export const nothing: Action = { kind: 'nothing' };
