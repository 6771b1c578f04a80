// The two binary interchange formats as bit patterns: geometry, classes, and taking a number apart.
// Every function is generic in B, the bit type: u32 is binary32, u64 is binary64 (IEEE 754-2008
// §3.4). Relies on nothing; raises no flag except in the two functions that answer NaN.
//
// A finite non-zero number apart is a sign, an exponent e with 2^e <= |x| < 2^(e+1), and a
// significand whose bit 63 is set and weighs 2^e: subnormals are normalised like the rest, and
// the bits below the format's precision (11 or 40 of them) are zero and free for arithmetic.

import { NV, raise } from './flags';

export function precision<B>(): i32 {
  return sizeof<B>() == 4 ? 24 : 53;
}

export function bias<B>(): i32 {
  return sizeof<B>() == 4 ? 127 : 1023;
}

export function signBit<B>(): B {
  return (<B>1) << (<B>(sizeof<B>() * 8 - 1));
}

export function minNormal<B>(): B {
  return (<B>1) << (<B>(precision<B>() - 1));
}

export function infinity<B>(): B {
  return sizeof<B>() == 4 ? <B>0x7f800000 : <B>0x7ff0000000000000;
}

export function canonicalNaN<B>(): B {
  return infinity<B>() | (minNormal<B>() >> 1);
}

export function magnitude<B>(a: B): B {
  return a & (signBit<B>() - 1);
}

export function isNegative<B>(a: B): bool {
  return (a & signBit<B>()) != 0;
}

export function isFiniteNumber<B>(a: B): bool {
  return magnitude<B>(a) < infinity<B>();
}

export function isInfinite<B>(a: B): bool {
  return magnitude<B>(a) == infinity<B>();
}

export function isZero<B>(a: B): bool {
  return magnitude<B>(a) == 0;
}

export function isNotANumber<B>(a: B): bool {
  return magnitude<B>(a) > infinity<B>();
}

export function isSignalling<B>(a: B): bool {
  return isNotANumber<B>(a) && magnitude<B>(a) < canonicalNaN<B>();
}

// Finite, and larger than the least normal number: then neither overflow nor underflow happened,
// nor anything invalid. The least normal itself may come from a tiny value rounded up.
export function isClearOfLimits<B>(a: B): bool {
  const floor = minNormal<B>() + 1;
  return magnitude<B>(a) - floor < infinity<B>() - floor;
}

export function signed<B>(negative: bool, value: B): B {
  return negative ? value | signBit<B>() : value;
}

/** The result of an operation that is invalid in itself. */
export function invalid<B>(): B {
  raise(NV);
  return canonicalNaN<B>();
}

/** The result of an operation of which an operand is NaN: RISC-V passes on no payload. */
export function quietened<B>(a: B, b: B): B {
  if (isSignalling<B>(a) || isSignalling<B>(b)) raise(NV);
  return canonicalNaN<B>();
}

/** Exponent of a finite number; that of zero is below all others. */
export function exponent<B>(a: B): i32 {
  const m = magnitude<B>(a);
  const biased = <i32>(m >> <B>(precision<B>() - 1));
  if (biased != 0) return biased - bias<B>();
  return 65 - <i32>clz<u64>(<u64>m) - bias<B>() - precision<B>();
}

/** Significand of a finite number, bit 63 set; that of zero is 0. */
export function significand<B>(a: B): u64 {
  const m = magnitude<B>(a);
  if (m >= minNormal<B>()) return ((<u64>m) << (64 - precision<B>())) | ((<u64>1) << 63);
  return (<u64>m) << clz<u64>(<u64>m);
}
