/** Register values that find mistakes: corners of each format mixed with plain random ones. */
import type { Random } from './random.ts';

const MASK = (1n << 64n) - 1n;

const integerCorners: bigint[] = [
  0n,
  1n,
  2n,
  -1n,
  -2n,
  0x55555555_55555555n,
  0xaaaaaaaa_aaaaaaaan,
  0x00000000_ffffffffn,
  0xffffffff_00000000n,
  0x0102040810204080n,
  0x8000000080000000n,
  ...[7n, 8n, 15n, 16n, 31n, 32n, 63n].flatMap((bit) => [
    1n << bit,
    (1n << bit) - 1n,
    -(1n << bit),
    -(1n << bit) - 1n,
    (1n << bit) + 1n,
  ]),
].map((value) => value & MASK);

export function integer(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
    case 1:
      return random.pick(integerCorners);
    case 2:
      return BigInt(random.below(130));
    case 3:
      return BigInt.asUintN(64, BigInt(random.u32() | 0));
    case 4:
      return BigInt.asUintN(64, BigInt.asIntN(64, random.u64()) >> BigInt(random.below(64)));
    case 5:
      return (1n << BigInt(random.below(64))) ^ (random.chance(0.5) ? MASK : 0n);
    default:
      return random.u64();
  }
}

interface Format {
  readonly fraction: number;
  readonly exponent: number;
}

const SINGLE: Format = { fraction: 23, exponent: 8 };
const DOUBLE: Format = { fraction: 52, exponent: 11 };

function fractionBits(random: Random, bits: number): bigint {
  const all = (1n << BigInt(bits)) - 1n;
  switch (random.below(6)) {
    case 0:
      return 0n;
    case 1:
      return all;
    case 2:
      return 1n << BigInt(random.below(bits));
    case 3:
      return all ^ ((1n << BigInt(random.below(bits))) - 1n);
    case 4:
      return BigInt(random.below(4));
    default:
      return random.u64() & all;
  }
}

/**
 * Bits of a number: exponents gather at a few places, so that two numbers meet (alignment,
 * cancellation, ties), overflow and underflow often.
 */
function float(random: Random, { fraction, exponent }: Format): bigint {
  const bias = 2 ** (exponent - 1) - 1;
  const top = 2 * bias + 1;
  let e: number;
  switch (random.below(12)) {
    case 0:
      e = 0;
      break;
    case 1:
      e = top;
      break;
    case 2:
      e = random.between(1, 3);
      break;
    case 3:
      e = top - random.between(1, 3);
      break;
    case 4:
      e = random.below(top + 1);
      break;
    case 5:
      e = bias + random.pick([31, 32, 63, 64, 30, 62, 52, 23]);
      break;
    case 6:
      e = random.pick([bias >> 1, bias + (bias >> 1)]) + random.between(-3, 3);
      break;
    case 7:
      e = random.between(1, fraction + 4);
      break;
    default:
      e = bias + random.between(-4, 4);
  }
  const sign = BigInt(random.below(2)) << BigInt(fraction + exponent);
  return sign | (BigInt(e) << BigInt(fraction)) | fractionBits(random, fraction);
}

const BOX = 0xffffffff_00000000n;

/** The number where single precision ends within double: conversions round and underflow there. */
function doubleNearSingle(random: Random): bigint {
  const single = Number(random.below(2)) * 2 - 1;
  const exponent = random.pick([-149, -150, -126, -127, 127, 128, 0, 1, 24]);
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, single * 2 ** exponent * (1 + random.below(4) * 2 ** -random.between(1, 52)));
  return bits.getBigUint64(0);
}

/** Bits of a floating-point register: boxed singles, doubles, and now and then no box. */
export function floating(random: Random): bigint {
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return BOX | float(random, SINGLE);
    case 4:
      return random.u64();
    case 5:
      return doubleNearSingle(random);
    default:
      return float(random, DOUBLE);
  }
}
