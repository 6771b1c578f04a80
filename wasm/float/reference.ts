// What floating point results and flags are by definition, for the tests (TypeScript, not part of
// the core). Shares nothing with the implementation: a number is an exact rational of BigInts, an
// operation is done exactly, and its result is rounded once as IEEE 754-2008 §4.3 says, with the
// exceptions of §7 and the choices that RISC-V makes. Meant to be plain, not fast.

export const NX = 1;
export const UF = 2;
export const OF = 4;
export const DZ = 8;
export const NV = 16;

export const ROUNDING_MODES = ['RNE', 'RTZ', 'RDN', 'RUP', 'RMM'] as const;
export type RoundingMode = (typeof ROUNDING_MODES)[number];

export interface Format {
  readonly name: 'f32' | 'f64';
  readonly width: number;
  readonly precision: number;
  readonly emax: number;
  readonly emin: number;
}

export const F32: Format = { name: 'f32', width: 32, precision: 24, emax: 127, emin: -126 };
export const F64: Format = { name: 'f64', width: 64, precision: 53, emax: 1023, emin: -1022 };

/** The bits of a result (a float, or rd as 64 bits) and the flags that the operation raises. */
export interface Result {
  readonly bits: bigint;
  readonly flags: number;
}

/** (-1)^negative * n / d * 2^e, with n >= 0 and d > 0: exact, and zero keeps its sign. */
interface Exact {
  readonly negative: boolean;
  readonly n: bigint;
  readonly d: bigint;
  readonly e: number;
}

interface Decoded extends Exact {
  readonly kind: 'finite' | 'infinite' | 'quiet' | 'signalling';
}

export function infinityOf(f: Format): bigint {
  return ((1n << BigInt(f.width - f.precision)) - 1n) << BigInt(f.precision - 1);
}

export function nanOf(f: Format): bigint {
  return infinityOf(f) | (1n << BigInt(f.precision - 2));
}

export function signOf(f: Format): bigint {
  return 1n << BigInt(f.width - 1);
}

function withSign(f: Format, negative: boolean, magnitude: bigint): bigint {
  return negative ? signOf(f) | magnitude : magnitude;
}

function decode(f: Format, bits: bigint): Decoded {
  const fractionBits = BigInt(f.precision - 1);
  const negative = (bits & signOf(f)) !== 0n;
  const magnitude = bits & (signOf(f) - 1n);
  const fraction = magnitude & ((1n << fractionBits) - 1n);
  const field = Number(magnitude >> fractionBits);
  if (magnitude > infinityOf(f)) {
    const quiet = fraction >> (fractionBits - 1n) === 1n;
    return { kind: quiet ? 'quiet' : 'signalling', negative, n: 0n, d: 1n, e: 0 };
  }
  if (magnitude === infinityOf(f)) return { kind: 'infinite', negative, n: 0n, d: 1n, e: 0 };
  const n = field === 0 ? fraction : fraction | (1n << fractionBits);
  const e = Math.max(field, 1) - f.emax - (f.precision - 1);
  return { kind: 'finite', negative, n, d: 1n, e };
}

function isNaN(x: Decoded): boolean {
  return x.kind === 'quiet' || x.kind === 'signalling';
}

function isZero(x: Decoded): boolean {
  return x.kind === 'finite' && x.n === 0n;
}

function shiftLeft(x: bigint, by: number): bigint {
  return by > 0 ? x << BigInt(by) : x;
}

function bitLength(x: bigint): number {
  const hex = x.toString(16);
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex.charAt(0), 16)) - 28);
}

/** The exponent k with 2^k <= |x| < 2^(k+1). */
function floorLog2(x: Exact): number {
  const k = bitLength(x.n) - bitLength(x.d);
  const isLess = shiftLeft(x.n, -k) < shiftLeft(x.d, k);
  return (isLess ? k - 1 : k) + x.e;
}

/** |x| in units of 2^quantum, rounded to an integer. */
function roundTo(x: Exact, quantum: number, mode: RoundingMode): { k: bigint; exact: boolean } {
  const n = shiftLeft(x.n, x.e - quantum);
  const d = shiftLeft(x.d, quantum - x.e);
  const k = n / d;
  const rest = n % d;
  if (rest === 0n) return { k, exact: true };
  const up = {
    RNE: 2n * rest > d || (2n * rest === d && k % 2n === 1n),
    RTZ: false,
    RDN: x.negative,
    RUP: !x.negative,
    RMM: 2n * rest >= d,
  }[mode];
  return { k: up ? k + 1n : k, exact: false };
}

function round(f: Format, mode: RoundingMode, x: Exact): Result {
  if (x.n === 0n) return { bits: withSign(f, x.negative, 0n), flags: 0 };
  const p = f.precision;
  const log = floorLog2(x);
  const unbounded = roundTo(x, log - p + 1, mode);
  const resultLog = unbounded.k === 1n << BigInt(p) ? log + 1 : log;
  if (resultLog > f.emax) {
    const toLargest = mode === 'RTZ' || mode === (x.negative ? 'RUP' : 'RDN');
    const magnitude = toLargest ? infinityOf(f) - 1n : infinityOf(f);
    return { bits: withSign(f, x.negative, magnitude), flags: OF | NX };
  }
  const quantum = Math.max(log, f.emin) - p + 1;
  const { k, exact } = roundTo(x, quantum, mode);
  const flags = exact ? 0 : resultLog < f.emin ? UF | NX : NX;
  const hidden = 1n << BigInt(p - 1);
  if (k < hidden) return { bits: withSign(f, x.negative, k), flags };
  const carried = k === 2n * hidden;
  const field = BigInt(quantum + p - 1 + f.emax + (carried ? 1 : 0));
  const fraction = carried ? 0n : k - hidden;
  return { bits: withSign(f, x.negative, field * hidden + fraction), flags };
}

function sum(a: Exact, b: Exact, mode: RoundingMode): Exact {
  const e = Math.min(a.e, b.e);
  const an = shiftLeft(a.n, a.e - e) * b.d * (a.negative ? -1n : 1n);
  const bn = shiftLeft(b.n, b.e - e) * a.d * (b.negative ? -1n : 1n);
  const n = an + bn;
  const zeroSign = a.negative === b.negative ? a.negative : mode === 'RDN';
  const negative = n === 0n ? zeroSign : n < 0n;
  return { negative, n: n < 0n ? -n : n, d: a.d * b.d, e };
}

function product(a: Exact, b: Exact): Exact {
  return { negative: a.negative !== b.negative, n: a.n * b.n, d: a.d * b.d, e: a.e + b.e };
}

function invalid(f: Format): Result {
  return { bits: nanOf(f), flags: NV };
}

function nanOr(f: Format, operands: Decoded[]): Result | undefined {
  if (!operands.some(isNaN)) return undefined;
  return operands.some((x) => x.kind === 'signalling') ? invalid(f) : { bits: nanOf(f), flags: 0 };
}

export type Arithmetic = 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'fma';

export function arithmetic(
  operation: Arithmetic,
  f: Format,
  mode: RoundingMode,
  operands: readonly bigint[],
): Result {
  const [a, b, c] = [0, 1, 2].map((i) => decode(f, operands[i] ?? 0n)) as [
    Decoded,
    Decoded,
    Decoded,
  ];
  const infinite = (negative: boolean, flags = 0): Result => ({
    bits: withSign(f, negative, infinityOf(f)),
    flags,
  });
  const differ = a.negative !== b.negative;
  switch (operation) {
    case 'add': {
      const nan = nanOr(f, [a, b]);
      if (nan) return nan;
      if (a.kind === 'infinite' && b.kind === 'infinite' && differ) return invalid(f);
      if (a.kind === 'infinite') return infinite(a.negative);
      if (b.kind === 'infinite') return infinite(b.negative);
      return round(f, mode, sum(a, b, mode));
    }
    case 'sub': {
      const nan = nanOr(f, [a, b]);
      return nan ?? arithmetic('add', f, mode, [operands[0]!, operands[1]! ^ signOf(f)]);
    }
    case 'mul': {
      const nan = nanOr(f, [a, b]);
      if (nan) return nan;
      if (a.kind === 'infinite' || b.kind === 'infinite') {
        return isZero(a) || isZero(b) ? invalid(f) : infinite(differ);
      }
      return round(f, mode, product(a, b));
    }
    case 'div': {
      const nan = nanOr(f, [a, b]);
      if (nan) return nan;
      if (a.kind === 'infinite') return b.kind === 'infinite' ? invalid(f) : infinite(differ);
      if (b.kind === 'infinite') return { bits: withSign(f, differ, 0n), flags: 0 };
      if (isZero(b)) return isZero(a) ? invalid(f) : infinite(differ, DZ);
      return round(f, mode, { negative: differ, n: a.n, d: b.n, e: a.e - b.e });
    }
    case 'sqrt': {
      const nan = nanOr(f, [a]);
      if (nan) return nan;
      if (isZero(a)) return { bits: operands[0]!, flags: 0 };
      if (a.negative) return invalid(f);
      if (a.kind === 'infinite') return infinite(false);
      return round(f, mode, root(a));
    }
    case 'fma': {
      const swallowed =
        (a.kind === 'infinite' && isZero(b)) || (isZero(a) && b.kind === 'infinite');
      if (swallowed) return invalid(f);
      const nan = nanOr(f, [a, b, c]);
      if (nan) return nan;
      if (a.kind === 'infinite' || b.kind === 'infinite') {
        if (c.kind === 'infinite' && c.negative !== differ) return invalid(f);
        return infinite(differ);
      }
      if (c.kind === 'infinite') return infinite(c.negative);
      return round(f, mode, sum(product(a, b), c, mode));
    }
  }
}

/** The root to 200 bits; an irrational one is replaced by a number that rounds alike. */
function root(a: Exact): Exact {
  const odd = a.e % 2 !== 0;
  const square = a.n << (odd ? 401n : 400n);
  let x = 1n << BigInt((bitLength(square) >> 1) + 1);
  for (let next = (x + square / x) >> 1n; next < x; next = (x + square / x) >> 1n) x = next;
  const e = (odd ? a.e - 1 : a.e) / 2 - 200;
  const n = x * x === square ? 2n * x : 2n * x + 1n;
  return { negative: false, n, d: 2n, e };
}

function compare(a: Decoded, b: Decoded): number {
  const order = (x: Decoded) => (x.kind === 'infinite' ? (x.negative ? -1 : 1) : 0);
  if (order(a) !== order(b)) return order(a) - order(b);
  if (order(a) !== 0) return 0;
  const difference = sum(a, { ...b, negative: !b.negative }, 'RNE');
  return difference.n === 0n ? 0 : difference.negative ? -1 : 1;
}

export type Comparison = 'eq' | 'lt' | 'le' | 'min' | 'max';

export function comparison(operation: Comparison, f: Format, x: bigint, y: bigint): Result {
  const a = decode(f, x);
  const b = decode(f, y);
  const signalling = a.kind === 'signalling' || b.kind === 'signalling';
  if (operation === 'min' || operation === 'max') {
    const flags = signalling ? NV : 0;
    if (isNaN(a)) return { bits: isNaN(b) ? nanOf(f) : y, flags };
    if (isNaN(b)) return { bits: x, flags };
    const order = compare(a, b) || Number(b.negative) - Number(a.negative);
    return { bits: order < 0 === (operation === 'min') ? x : y, flags };
  }
  if (isNaN(a) || isNaN(b)) {
    return { bits: 0n, flags: signalling || operation !== 'eq' ? NV : 0 };
  }
  const order = compare(a, b);
  const holds = { eq: order === 0, lt: order < 0, le: order <= 0 }[operation];
  return { bits: holds ? 1n : 0n, flags: 0 };
}

export function classify(f: Format, x: bigint): Result {
  const a = decode(f, x);
  const bit = (() => {
    if (a.kind === 'signalling') return 8;
    if (a.kind === 'quiet') return 9;
    if (a.kind === 'infinite') return a.negative ? 0 : 7;
    if (a.n === 0n) return a.negative ? 3 : 4;
    if (floorLog2(a) < f.emin) return a.negative ? 2 : 5;
    return a.negative ? 1 : 6;
  })();
  return { bits: 1n << BigInt(bit), flags: 0 };
}

export function floatToFloat(from: Format, to: Format, mode: RoundingMode, x: bigint): Result {
  const a = decode(from, x);
  const nan = nanOr(to, [a]);
  if (nan) return nan;
  if (a.kind === 'infinite') return { bits: withSign(to, a.negative, infinityOf(to)), flags: 0 };
  return round(to, mode, a);
}

export interface IntegerType {
  readonly name: 'i32' | 'u32' | 'i64' | 'u64';
  readonly width: number;
  readonly signed: boolean;
}

export const INTEGER_TYPES: readonly IntegerType[] = [
  { name: 'i32', width: 32, signed: true },
  { name: 'u32', width: 32, signed: false },
  { name: 'i64', width: 64, signed: true },
  { name: 'u64', width: 64, signed: false },
];

function asRegister(t: IntegerType, value: bigint): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(t.width, value));
}

export function floatToInteger(f: Format, t: IntegerType, mode: RoundingMode, x: bigint): Result {
  const a = decode(f, x);
  const least = t.signed ? -(1n << BigInt(t.width - 1)) : 0n;
  const greatest = (1n << BigInt(t.signed ? t.width - 1 : t.width)) - 1n;
  if (a.kind !== 'finite') {
    const toLeast = a.kind === 'infinite' && a.negative;
    return { bits: asRegister(t, toLeast ? least : greatest), flags: NV };
  }
  const { k, exact } = roundTo(a, 0, mode);
  const value = a.negative ? -k : k;
  if (value < least) return { bits: asRegister(t, least), flags: NV };
  if (value > greatest) return { bits: asRegister(t, greatest), flags: NV };
  return { bits: asRegister(t, value), flags: exact ? 0 : NX };
}

export function integerToFloat(f: Format, t: IntegerType, mode: RoundingMode, rs1: bigint): Result {
  const value = t.signed ? BigInt.asIntN(t.width, rs1) : BigInt.asUintN(t.width, rs1);
  const negative = value < 0n;
  return round(f, mode, { negative, n: negative ? -value : value, d: 1n, e: 0 });
}
