// Conversions between the formats and to and from integers, as RISC-V "F" and "D" define them: out
// of range saturates with NV alone, NaN counts as positive, results of 32 bits (unsigned ones too)
// come sign-extended for rd, and integers arrive as the whole of rs1. Relies on format.ts and
// round.ts, and on Wasm's conversions where they are exact or rounding to nearest is all that is
// asked.

import { hostMayAnswer, NV, NX, raise } from './flags';
import {
  canonicalNaN,
  exponent,
  infinity,
  isClearOfLimits,
  isNegative,
  isNotANumber,
  isSignalling,
  isZero,
  magnitude,
  signed,
  significand,
} from './format';
import { normalizeRoundPack, roundPack, roundsUp } from './round';

const HALF: u64 = 0x8000000000000000;

/**
 * `a` rounded to an integer, as its low 64 bits. A negative result has a magnitude of at most
 * `mostNegative`, any other at most `mostPositive`; what is beyond saturates.
 */
function toInteger<B>(a: B, mostNegative: u64, mostPositive: u64, rm: i32): u64 {
  const negative = isNegative<B>(a) && !isNotANumber<B>(a);
  const limit = negative ? mostNegative : mostPositive;
  const exp = exponent<B>(a);
  if (exp < 64) {
    // The integer part, and the part below the point in units of 2^-64 (sticky, if beyond that).
    const sig = significand<B>(a);
    let integer: u64 = 0;
    let fraction: u64;
    if (exp < -1) {
      fraction = u64(sig != 0);
    } else if (exp == -1) {
      fraction = sig;
    } else {
      integer = sig >> (63 - exp);
      fraction = exp == 63 ? 0 : sig << (exp + 1);
    }
    integer += u64(roundsUp(negative, (integer & 1) != 0, fraction, HALF, rm));
    if (integer <= limit) {
      if (fraction != 0) raise(NX);
      return negative ? 0 - integer : integer;
    }
  }
  raise(NV);
  return negative ? 0 - limit : limit;
}

function toI32<B>(a: B, rm: i32): i64 {
  return <i64>toInteger<B>(a, 0x80000000, 0x7fffffff, rm);
}

function toU32<B>(a: B, rm: i32): i64 {
  return <i64>(<i32>toInteger<B>(a, 0, 0xffffffff, rm));
}

function toI64<B>(a: B, rm: i32): i64 {
  return <i64>toInteger<B>(a, 0x8000000000000000, 0x7fffffffffffffff, rm);
}

function toU64<B>(a: B, rm: i32): i64 {
  return <i64>toInteger<B>(a, 0, 0xffffffffffffffff, rm);
}

function fromMagnitude<B>(negative: bool, value: u64, rm: i32): B {
  if (value == 0) return 0;
  return normalizeRoundPack<B>(negative, 63, value, rm);
}

function fromI64<B, F>(value: i64, rm: i32): B {
  if (hostMayAnswer(rm)) return reinterpret<B>(<F>value);
  return fromMagnitude<B>(value < 0, <u64>(value < 0 ? 0 - value : value), rm);
}

function fromU64<B, F>(value: u64, rm: i32): B {
  if (hostMayAnswer(rm)) return reinterpret<B>(<F>value);
  return fromMagnitude<B>(false, value, rm);
}

export function f32_to_i32(a: u32, rm: i32): i64 {
  return toI32<u32>(a, rm);
}

export function f64_to_i32(a: u64, rm: i32): i64 {
  return toI32<u64>(a, rm);
}

export function f32_to_u32(a: u32, rm: i32): i64 {
  return toU32<u32>(a, rm);
}

export function f64_to_u32(a: u64, rm: i32): i64 {
  return toU32<u64>(a, rm);
}

export function f32_to_i64(a: u32, rm: i32): i64 {
  return toI64<u32>(a, rm);
}

export function f64_to_i64(a: u64, rm: i32): i64 {
  return toI64<u64>(a, rm);
}

export function f32_to_u64(a: u32, rm: i32): i64 {
  return toU64<u32>(a, rm);
}

export function f64_to_u64(a: u64, rm: i32): i64 {
  return toU64<u64>(a, rm);
}

export function i32_to_f32(value: i64, rm: i32): u32 {
  return fromI64<u32, f32>(<i64>(<i32>value), rm);
}

export function u32_to_f32(value: i64, rm: i32): u32 {
  return fromI64<u32, f32>(<i64>(<u32>value), rm);
}

export function i64_to_f32(value: i64, rm: i32): u32 {
  return fromI64<u32, f32>(value, rm);
}

export function u64_to_f32(value: i64, rm: i32): u32 {
  return fromU64<u32, f32>(<u64>value, rm);
}

// Every integer of 32 bits is a binary64 number: these two are exact, in any mode.
export function i32_to_f64(value: i64, rm: i32): u64 {
  return reinterpret<u64>(<f64>(<i32>value));
}

export function u32_to_f64(value: i64, rm: i32): u64 {
  return reinterpret<u64>(<f64>(<u32>value));
}

export function i64_to_f64(value: i64, rm: i32): u64 {
  return fromI64<u64, f64>(value, rm);
}

export function u64_to_f64(value: i64, rm: i32): u64 {
  return fromU64<u64, f64>(<u64>value, rm);
}

export function f32_to_f64(a: u32): u64 {
  if (isNotANumber<u32>(a)) {
    if (isSignalling<u32>(a)) raise(NV);
    return canonicalNaN<u64>();
  }
  return reinterpret<u64>(<f64>reinterpret<f32>(a));
}

export function f64_to_f32(a: u64, rm: i32): u32 {
  if (hostMayAnswer(rm)) {
    const r = reinterpret<u32>(<f32>reinterpret<f64>(a));
    if (isClearOfLimits<u32>(r)) return r;
  }
  const negative = isNegative<u64>(a);
  if (isZero<u64>(a)) return signed<u32>(negative, 0);
  if (magnitude<u64>(a) >= infinity<u64>()) {
    if (!isNotANumber<u64>(a)) return signed<u32>(negative, infinity<u32>());
    if (isSignalling<u64>(a)) raise(NV);
    return canonicalNaN<u32>();
  }
  return roundPack<u32>(negative, exponent<u64>(a), significand<u64>(a), rm);
}
