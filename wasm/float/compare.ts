// Comparison, minimum, maximum and classification of both formats. Relies on format.ts; changes no
// flag but NV. IEEE 754-2019 §5.11 (comparison), §9.6 (minimumNumber, maximumNumber); fclass as
// in RISC-V "F". Predicates answer 0 or 1 as a value for rd.

import { NV, raise } from './flags';
import {
  canonicalNaN,
  infinity,
  isNegative,
  isNotANumber,
  isSignalling,
  isZero,
  magnitude,
  minNormal,
  signBit,
} from './format';

/** Place in the order of all numbers, in which -0 stands just before +0; one for each bit pattern. */
function rank<B>(a: B): B {
  return isNegative<B>(a) ? ~a : a | signBit<B>();
}

function unordered<B>(a: B, b: B): bool {
  return isNotANumber<B>(a) || isNotANumber<B>(b);
}

function bothZero<B>(a: B, b: B): bool {
  return isZero<B>(a | b);
}

function equal<B>(a: B, b: B): i64 {
  if (unordered<B>(a, b)) {
    if (isSignalling<B>(a) || isSignalling<B>(b)) raise(NV);
    return 0;
  }
  return i64(a == b || bothZero<B>(a, b));
}

function less<B>(a: B, b: B): i64 {
  if (unordered<B>(a, b)) {
    raise(NV);
    return 0;
  }
  return i64(rank<B>(a) < rank<B>(b) && !bothZero<B>(a, b));
}

function lessOrEqual<B>(a: B, b: B): i64 {
  if (unordered<B>(a, b)) {
    raise(NV);
    return 0;
  }
  return i64(rank<B>(a) <= rank<B>(b) || bothZero<B>(a, b));
}

/** The number if there is but one, canonical NaN if there is none. */
function onlyNumber<B>(a: B, b: B): B {
  if (isSignalling<B>(a) || isSignalling<B>(b)) raise(NV);
  if (!isNotANumber<B>(a)) return a;
  return isNotANumber<B>(b) ? canonicalNaN<B>() : b;
}

function minimum<B>(a: B, b: B): B {
  if (unordered<B>(a, b)) return onlyNumber<B>(a, b);
  return rank<B>(a) < rank<B>(b) ? a : b;
}

function maximum<B>(a: B, b: B): B {
  if (unordered<B>(a, b)) return onlyNumber<B>(a, b);
  return rank<B>(a) > rank<B>(b) ? a : b;
}

function classify<B>(a: B): i64 {
  const m = magnitude<B>(a);
  if (m > infinity<B>()) return isSignalling<B>(a) ? 1 << 8 : 1 << 9;
  // Positive classes are bits 4 to 7, negative ones mirror them in bits 3 to 0.
  const size = m == 0 ? 0 : m < minNormal<B>() ? 1 : m < infinity<B>() ? 2 : 3;
  return (<i64>1) << (<i64>(isNegative<B>(a) ? 3 - size : 4 + size));
}

export function f32_eq(a: u32, b: u32): i64 {
  return equal<u32>(a, b);
}

export function f64_eq(a: u64, b: u64): i64 {
  return equal<u64>(a, b);
}

export function f32_lt(a: u32, b: u32): i64 {
  return less<u32>(a, b);
}

export function f64_lt(a: u64, b: u64): i64 {
  return less<u64>(a, b);
}

export function f32_le(a: u32, b: u32): i64 {
  return lessOrEqual<u32>(a, b);
}

export function f64_le(a: u64, b: u64): i64 {
  return lessOrEqual<u64>(a, b);
}

export function f32_min(a: u32, b: u32): u32 {
  return minimum<u32>(a, b);
}

export function f64_min(a: u64, b: u64): u64 {
  return minimum<u64>(a, b);
}

export function f32_max(a: u32, b: u32): u32 {
  return maximum<u32>(a, b);
}

export function f64_max(a: u64, b: u64): u64 {
  return maximum<u64>(a, b);
}

export function f32_class(a: u32): i64 {
  return classify<u32>(a);
}

export function f64_class(a: u64): i64 {
  return classify<u64>(a);
}
