// Integer helpers of the instruction table that Wasm has no operator for (unprivileged ISA 'M',
// 'Zbb'). Pure functions.

/** High 64 bits of the unsigned product. */
export function mulhu(x: i64, y: i64): i64 {
  const a = <u64>x;
  const b = <u64>y;
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const middle2 = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (middle2 >> 32);
}

export function mulh(a: i64, b: i64): i64 {
  return mulhu(a, b) - ((a >> 63) & b) - ((b >> 63) & a);
}

export function mulhsu(a: i64, b: i64): i64 {
  return mulhu(a, b) - ((a >> 63) & b);
}

export function div(a: i64, b: i64): i64 {
  if (b == 0) return -1;
  if (b == -1) return 0 - a;
  return a / b;
}

export function divu(a: i64, b: i64): i64 {
  return b == 0 ? -1 : <i64>(<u64>a / <u64>b);
}

export function rem(a: i64, b: i64): i64 {
  if (b == 0) return a;
  if (b == -1) return 0;
  return a % b;
}

export function remu(a: i64, b: i64): i64 {
  return b == 0 ? a : <i64>(<u64>a % <u64>b);
}

export function divw(a: i32, b: i32): i32 {
  if (b == 0) return -1;
  if (b == -1) return 0 - a;
  return a / b;
}

export function divuw(a: i32, b: i32): i32 {
  return b == 0 ? -1 : <i32>(<u32>a / <u32>b);
}

export function remw(a: i32, b: i32): i32 {
  if (b == 0) return a;
  if (b == -1) return 0;
  return a % b;
}

export function remuw(a: i32, b: i32): i32 {
  return b == 0 ? a : <i32>(<u32>a % <u32>b);
}

/** Each byte: all ones where it was not zero. */
export function orc_b(x: i64): i64 {
  const low = <u64>0x7f7f7f7f7f7f7f7f;
  const a = <u64>x;
  // The top bit of each byte: set where the byte has any bit.
  const top = (((a & low) + low) | a) & ~low;
  return (top >> 7) * 0xff;
}

export function rev8(x: i64): i64 {
  return bswap<i64>(x);
}
