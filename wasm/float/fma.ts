// Fused multiply-add of both formats: a * b + c with one rounding (IEEE 754-2008 §5.4.1). The
// caller flips sign bits for fmsub, fnmsub and fnmadd. Relies on arithmetic.ts for products and
// sums. binary32 fits into 64 bits throughout; binary64 is added in 128.

import { isNxSet, NV, RDN, RNE, raise } from './flags';
import {
  exponent,
  infinity,
  invalid,
  isClearOfLimits,
  isFiniteNumber,
  isInfinite,
  isNegative,
  isNotANumber,
  isSignalling,
  isZero,
  quietened,
  signed,
  significand,
} from './format';
import {
  highProduct,
  highProductOfTops,
  isExactProduct,
  isExactSum,
  roundedSum,
} from './arithmetic';
import { roundPack, shiftRightSticky } from './round';

// Below the exponent of everything, for a zero must not count as the larger operand.
const EXPONENT_OF_ZERO: i32 = -0x10000;

/** The result when an operand is infinite or NaN. */
function special<B>(a: B, b: B, c: B): B {
  // Infinity times zero is invalid even when the addend is a quiet NaN: RISC-V "F".
  if (isInfinite<B>(a) && isZero<B>(b)) return invalid<B>();
  if (isZero<B>(a) && isInfinite<B>(b)) return invalid<B>();
  if (isNotANumber<B>(a) || isNotANumber<B>(b) || isNotANumber<B>(c)) {
    if (isSignalling<B>(c)) raise(NV);
    return quietened<B>(a, b);
  }
  if (!isInfinite<B>(a) && !isInfinite<B>(b)) return c;
  const negative = isNegative<B>(a ^ b);
  if (isInfinite<B>(c) && isNegative<B>(c) != negative) return invalid<B>();
  return signed<B>(negative, infinity<B>());
}

export function f32_fma(a: u32, b: u32, c: u32, rm: i32): u32 {
  if (rm == RNE) {
    // The product is exact in f64. Its sum with c is rounded to 53 bits, which cannot move it
    // across a midpoint of two binary32 numbers, only onto one: elsewhere rounding twice is safe.
    const product = <f64>reinterpret<f32>(a) * <f64>reinterpret<f32>(b);
    const addend = <f64>reinterpret<f32>(c);
    const sum = product + addend;
    const r = reinterpret<u32>(<f32>sum);
    if ((reinterpret<u64>(sum) & 0x1fffffff) != 0x10000000 && isClearOfLimits<u32>(r)) {
      if (isNxSet()) return r;
      if (<f64>reinterpret<f32>(r) == sum && isExactSum<f64>(product, addend)) return r;
    }
  }
  if (!isFiniteNumber<u32>(a) || !isFiniteNumber<u32>(b) || !isFiniteNumber<u32>(c)) {
    return special<u32>(a, b, c);
  }
  let product = highProductOfTops(significand<u32>(a), significand<u32>(b));
  const shift = <i32>clz<u64>(product);
  product <<= shift;
  return roundedSum<u32>(
    isNegative<u32>(a ^ b),
    product == 0 ? EXPONENT_OF_ZERO : exponent<u32>(a) + exponent<u32>(b) + 1 - shift,
    product,
    isNegative<u32>(c),
    isZero<u32>(c) ? EXPONENT_OF_ZERO : exponent<u32>(c),
    significand<u32>(c),
    rm,
  );
}

export function f64_fma(a: u64, b: u64, c: u64, rm: i32): u64 {
  if (rm == RNE && isExactProduct<u64>(a, b)) {
    const product = reinterpret<f64>(a) * reinterpret<f64>(b);
    const addend = reinterpret<f64>(c);
    const r = reinterpret<u64>(product + addend);
    const whole =
      isClearOfLimits<u64>(reinterpret<u64>(product)) || isZero<u64>(a) || isZero<u64>(b);
    if (whole && isFiniteNumber<u64>(r)) {
      if (isNxSet() || isExactSum<f64>(product, addend)) return r;
    }
  }
  if (!isFiniteNumber<u64>(a) || !isFiniteNumber<u64>(b) || !isFiniteNumber<u64>(c)) {
    return special<u64>(a, b, c);
  }
  const negativeProduct = isNegative<u64>(a ^ b);
  const negativeC = isNegative<u64>(c);
  const x = significand<u64>(a);
  const y = significand<u64>(b);

  // Two values of 128 bits, the larger (h, l) and the smaller (sh, sl), with bit 127 set and of
  // weight 2^exp. A product has 106 bits, so 22 are free below it, as round.ts and aligning need.
  let h = highProduct(x, y);
  let l = x * y;
  let exp = EXPONENT_OF_ZERO;
  if (h != 0) {
    exp = exponent<u64>(a) + exponent<u64>(b) + 1;
    if (<i64>h > 0) {
      h = (h << 1) | (l >> 63);
      l <<= 1;
      exp -= 1;
    }
  }
  let negative = negativeProduct;
  let sh = significand<u64>(c);
  let sl: u64 = 0;
  let distance = exp - (sh == 0 ? EXPONENT_OF_ZERO : exponent<u64>(c));
  if (distance < 0 || (distance == 0 && h < sh)) {
    const productH = h;
    h = sh;
    sh = productH;
    sl = l;
    l = 0;
    exp -= distance;
    distance = -distance;
    negative = negativeC;
  }

  // One place down makes room for a carry, then align with a sticky bit.
  l = (h << 63) | (l >> 1);
  h >>= 1;
  exp += 1;
  distance += 1;
  if (distance < 64) {
    sl = shiftRightSticky(sl, distance) | (sh << (64 - distance));
    sh >>= distance;
  } else {
    sl = shiftRightSticky(sh, distance - 64) | u64(sl != 0);
    sh = 0;
  }

  if (negativeProduct == negativeC) {
    l += sl;
    h += sh + u64(l < sl);
    if ((h | l) == 0) return signed<u64>(negative, 0);
  } else {
    h -= sh + u64(l < sl);
    l -= sl;
    if ((h | l) == 0) return signed<u64>(rm == RDN, 0);
  }

  if (h == 0) {
    h = l;
    l = 0;
    exp -= 64;
  }
  const shift = <i32>clz<u64>(h);
  if (shift != 0) {
    h = (h << shift) | (l >> (64 - shift));
    l <<= shift;
  }
  return roundPack<u64>(negative, exp - shift, h | u64(l != 0), rm);
}
