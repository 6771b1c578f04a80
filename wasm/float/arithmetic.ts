// Addition, subtraction, multiplication, division and square root of both formats, correctly
// rounded with exact flags (IEEE 754-2008 §5.4.1). Relies on format.ts, round.ts and on Wasm's
// own f32 and f64 operations rounding to nearest even, which its specification demands.
//
// Each operation first asks Wasm where that is exact enough (flags.ts, hostMayAnswer), or where the
// result itself is exact. A sum is
// never inexact when it is tiny, so any finite one will do; a root is never tiny. A product or
// quotient must be clear of underflow, or zero because an operand is.
//
// Note for whoever edits: the optimiser runs with fast-math. Constants beside a float operator
// (x * 1, x - 0, x * -1) are folded without regard for signs of zeros and NaNs, so there are none.

import { DZ, hostMayAnswer, isNxSet, RDN, RNE, raise } from './flags';
import {
  exponent,
  infinity,
  invalid,
  isClearOfLimits,
  isFiniteNumber,
  isInfinite,
  isNegative,
  isNotANumber,
  isZero,
  minNormal,
  precision,
  quietened,
  signBit,
  signed,
  significand,
} from './format';
import { normalizeRoundPack, roundPack, shiftRightSticky } from './round';

// F is the float type that B holds the bits of.
function add<B, F>(a: B, b: B, rm: i32): B {
  if (rm == RNE) {
    const x = reinterpret<F>(a);
    const y = reinterpret<F>(b);
    const r = reinterpret<B>(x + y);
    if (isFiniteNumber<B>(r) && (isNxSet() || isExactSum<F>(x, y))) return r;
  }
  return exactAdd<B>(a, b, rm);
}

/** Whether x + y is exact: the error of a sum is itself a number (Knuth, TAOCP 2, §4.2.2). */
export function isExactSum<F>(x: F, y: F): bool {
  const sum = x + y;
  const z = sum - x;
  return x - (sum - z) + (y - z) == <F>0;
}

/** Whether the product of two numbers has no more bits than its format holds. */
export function isExactProduct<B>(a: B, b: B): bool {
  // What a significand has behind its last one; for a subnormal that is too few, which is safe.
  const zeros = ctz<B>(a | minNormal<B>()) + ctz<B>(b | minNormal<B>());
  return <i32>zeros >= precision<B>();
}

function exactAdd<B>(a: B, b: B, rm: i32): B {
  if (!isFiniteNumber<B>(a) || !isFiniteNumber<B>(b)) {
    if (isNotANumber<B>(a) || isNotANumber<B>(b)) return quietened<B>(a, b);
    if (isInfinite<B>(a) && isInfinite<B>(b) && a != b) return invalid<B>();
    return isInfinite<B>(a) ? a : b;
  }
  return roundedSum<B>(
    isNegative<B>(a),
    exponent<B>(a),
    significand<B>(a),
    isNegative<B>(b),
    exponent<B>(b),
    significand<B>(b),
    rm,
  );
}

/**
 * The rounded sum of two values taken apart; a zero's exponent must not exceed the other's. At least
 * the low 11 bits of both significands are clear, so that aligning loses bits only when the two are
 * so far apart that at most one leading bit cancels: the sticky bit stays below what is rounded.
 */
export function roundedSum<B>(
  negativeA: bool,
  expA: i32,
  sigA: u64,
  negativeB: bool,
  expB: i32,
  sigB: u64,
  rm: i32,
): B {
  const aIsLarger = expA > expB || (expA == expB && sigA >= sigB);
  const negative = aIsLarger ? negativeA : negativeB;
  const exp = aIsLarger ? expA : expB;
  const distance = aIsLarger ? expA - expB : expB - expA;
  // One place down makes room for a carry.
  const larger = (aIsLarger ? sigA : sigB) >> 1;
  const smaller = shiftRightSticky((aIsLarger ? sigB : sigA) >> 1, distance);
  if (negativeA == negativeB) {
    const sum = larger + smaller;
    if (sum == 0) return signed<B>(negative, 0);
    return normalizeRoundPack<B>(negative, exp + 1, sum, rm);
  }
  const difference = larger - smaller;
  if (difference == 0) return signed<B>(rm == RDN, 0); // IEEE 754-2008 §6.3
  return normalizeRoundPack<B>(negative, exp + 1, difference, rm);
}

function mul<B, F>(a: B, b: B, rm: i32): B {
  if (rm == RNE) {
    const r = reinterpret<B>(reinterpret<F>(a) * reinterpret<F>(b));
    if (isClearOfLimits<B>(r) && (isNxSet() || isExactProduct<B>(a, b))) return r;
    if (isZero<B>(r) && (isZero<B>(a) || isZero<B>(b))) return r;
  }
  return exactMul<B>(a, b, rm);
}

function exactMul<B>(a: B, b: B, rm: i32): B {
  const negative = isNegative<B>(a ^ b);
  if (!isFiniteNumber<B>(a) || !isFiniteNumber<B>(b)) {
    if (isNotANumber<B>(a) || isNotANumber<B>(b)) return quietened<B>(a, b);
    if (isZero<B>(a) || isZero<B>(b)) return invalid<B>();
    return signed<B>(negative, infinity<B>());
  }
  if (isZero<B>(a) || isZero<B>(b)) return signed<B>(negative, 0);
  const x = significand<B>(a);
  const y = significand<B>(b);
  let sig: u64;
  if (sizeof<B>() == 4) sig = highProductOfTops(x, y);
  else sig = highProduct(x, y) | u64(x * y != 0);
  // The product of two numbers in [1, 2) is in [1, 4): bit 63 weighs one power more.
  return normalizeRoundPack<B>(negative, exponent<B>(a) + exponent<B>(b) + 1, sig, rm);
}

/** The upper 64 of the 128 bits of x * y. */
export function highProduct(x: u64, y: u64): u64 {
  const xl = x & 0xffffffff;
  const xh = x >> 32;
  const yl = y & 0xffffffff;
  const yh = y >> 32;
  const middle = xh * yl + ((xl * yl) >> 32);
  return xh * yh + (middle >> 32) + ((xl * yh + (middle & 0xffffffff)) >> 32);
}

/** As highProduct, where the lower halves are zero (as in every binary32), so that it is exact. */
export function highProductOfTops(x: u64, y: u64): u64 {
  return (x >> 32) * (y >> 32);
}

function div<B, F>(a: B, b: B, rm: i32): B {
  if (hostMayAnswer(rm)) {
    const r = reinterpret<B>(reinterpret<F>(a) / reinterpret<F>(b));
    if (isClearOfLimits<B>(r)) return r;
    if (isZero<B>(r) && isZero<B>(a)) return r;
  }
  return exactDiv<B>(a, b, rm);
}

function exactDiv<B>(a: B, b: B, rm: i32): B {
  const negative = isNegative<B>(a ^ b);
  if (isNotANumber<B>(a) || isNotANumber<B>(b)) return quietened<B>(a, b);
  if (isInfinite<B>(a)) {
    return isInfinite<B>(b) ? invalid<B>() : signed<B>(negative, infinity<B>());
  }
  if (isZero<B>(b)) {
    if (isZero<B>(a)) return invalid<B>();
    raise(DZ);
    return signed<B>(negative, infinity<B>());
  }
  if (isZero<B>(a) || isInfinite<B>(b)) return signed<B>(negative, 0);

  // Integers of 53 bits with a quotient in [1, 2). Wasm divides them to 53 bits, to nearest;
  // the remainder, at most half of y in magnitude, is exact in 64 bits and shows the side.
  let exp = exponent<B>(a) - exponent<B>(b);
  let x = significand<B>(a) >> 11;
  const y = significand<B>(b) >> 11;
  if (x < y) {
    x <<= 1;
    exp -= 1;
  }
  const quotient = significand<u64>(reinterpret<u64>(<f64>(<i64>x) / <f64>(<i64>y)));
  const remainder = <i64>((x << 52) - (quotient >> 11) * y);
  return roundPack<B>(negative, exp, beside(quotient, remainder), rm);
}

function squareRoot<B, F>(a: B, rm: i32): B {
  if (hostMayAnswer(rm)) {
    const r = reinterpret<B>(sqrt<F>(reinterpret<F>(a)));
    if (isFiniteNumber<B>(r)) return r;
  }
  return exactSquareRoot<B>(a, rm);
}

function exactSquareRoot<B>(a: B, rm: i32): B {
  if (isNotANumber<B>(a)) return quietened<B>(a, a);
  if (isZero<B>(a)) return a;
  if (isNegative<B>(a)) return invalid<B>();
  if (isInfinite<B>(a)) return a;

  // As in the division: x / 2^52 in [1, 4) with an even exponent, its root in [1, 2) to 53 bits,
  // and a remainder that is no larger than the root.
  const exp = exponent<B>(a);
  const x = (significand<B>(a) >> 11) << (<u64>(exp & 1));
  const root = significand<u64>(reinterpret<u64>(sqrt<f64>(<f64>(<i64>x))));
  const remainder = <i64>((x << 52) - (root >> 11) * (root >> 11));
  return roundPack<B>(false, exp >> 1, beside(root, remainder), rm);
}

// The exact value lies within half a unit of bit 11 of a significand whose low 11 bits are zero:
// above it, on it or below it as the remainder is positive, zero or negative. (It is never below
// the power of two that bit 63 stands for, so bit 63 stays.)
function beside(sig: u64, remainder: i64): u64 {
  return sig + u64(remainder > 0) - u64(remainder < 0);
}

export function f32_add(a: u32, b: u32, rm: i32): u32 {
  return add<u32, f32>(a, b, rm);
}

export function f64_add(a: u64, b: u64, rm: i32): u64 {
  return add<u64, f64>(a, b, rm);
}

// No NaN is passed on, so that its sign may change.
export function f32_sub(a: u32, b: u32, rm: i32): u32 {
  return add<u32, f32>(a, b ^ signBit<u32>(), rm);
}

export function f64_sub(a: u64, b: u64, rm: i32): u64 {
  return add<u64, f64>(a, b ^ signBit<u64>(), rm);
}

export function f32_mul(a: u32, b: u32, rm: i32): u32 {
  return mul<u32, f32>(a, b, rm);
}

export function f64_mul(a: u64, b: u64, rm: i32): u64 {
  return mul<u64, f64>(a, b, rm);
}

export function f32_div(a: u32, b: u32, rm: i32): u32 {
  return div<u32, f32>(a, b, rm);
}

export function f64_div(a: u64, b: u64, rm: i32): u64 {
  return div<u64, f64>(a, b, rm);
}

export function f32_sqrt(a: u32, rm: i32): u32 {
  return squareRoot<u32, f32>(a, rm);
}

export function f64_sqrt(a: u64, rm: i32): u64 {
  return squareRoot<u64, f64>(a, rm);
}
