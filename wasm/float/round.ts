// The one place where a result is rounded and put together, for both formats and all modes.
// Takes a value as sign, exponent and 64-bit significand (see format.ts), in which bit 0 may be
// sticky: set when anything non-zero lies below it. As both formats keep at least eleven bits
// fewer, rounding that is as good as the exact value. Raises OF, UF and NX as IEEE 754-2008 §7.4
// to §7.6 ask, with tininess detected after rounding, as RISC-V chose.

import { NX, OF, RDN, RMM, RNE, RTZ, RUP, raise, UF } from './flags';
import { bias, infinity, precision, signed } from './format';

/** x shifted right, with what falls out kept as a sticky bit 0. */
export function shiftRightSticky(x: u64, distance: i32): u64 {
  if (distance > 63) return u64(x != 0);
  const lost = x & (((<u64>1) << distance) - 1);
  return (x >> distance) | u64(lost != 0);
}

/** Whether the magnitude goes up, where `lost` lies below the last place kept and `half` is half of it. */
export function roundsUp(negative: bool, odd: bool, lost: u64, half: u64, rm: i32): bool {
  if (rm == RNE) return lost > half || (lost == half && odd);
  if (rm == RMM) return lost >= half;
  if (rm == RTZ) return false;
  return lost != 0 && negative == (rm == RDN);
}

/** The number nearest in the given mode to a non-zero value; bit 63 of `sig` is set. */
export function roundPack<B>(negative: bool, exp: i32, sig: u64, rm: i32): B {
  const drop = 64 - precision<B>();
  const half = (<u64>1) << (drop - 1);
  const below = ((<u64>1) << drop) - 1;
  let biased = exp + bias<B>();
  if (biased > 2 * bias<B>()) return overflow<B>(negative, rm);

  let tiny = false;
  if (biased <= 0) {
    // Were the exponent unbounded, only the largest significand below 2^emin could still reach it.
    const largest = ~below;
    tiny = biased < 0 || sig < largest || !roundsUp(negative, true, sig & below, half, rm);
    sig = shiftRightSticky(sig, 1 - biased);
    biased = 1;
  }

  const lost = sig & below;
  const kept = sig >> drop;
  const up = roundsUp(negative, (kept & 1) != 0, lost, half, rm);
  // The integer bit of `kept` adds one to the exponent, and so does a carry out of the fraction.
  const bits = ((<u64>(biased - 1)) << (precision<B>() - 1)) + kept + u64(up);
  if (bits >= <u64>infinity<B>()) return overflow<B>(negative, rm);
  if (lost != 0) raise(tiny ? UF | NX : NX);
  return signed<B>(negative, <B>bits);
}

/** As roundPack, from any significand: bit 63 weighs 2^exp but need not be set, unless all is zero. */
export function normalizeRoundPack<B>(negative: bool, exp: i32, sig: u64, rm: i32): B {
  const shift = <i32>clz<u64>(sig);
  return roundPack<B>(negative, exp - shift, sig << shift, rm);
}

function overflow<B>(negative: bool, rm: i32): B {
  raise(OF | NX);
  const toInfinity = rm == RNE || rm == RMM || rm == (negative ? RDN : RUP);
  return signed<B>(negative, infinity<B>() - <B>!toInfinity);
}
