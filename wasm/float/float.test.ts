// Compares the compiled floating point code with its definition (reference.ts), bit for bit and
// flag for flag: all pairs of corner values, and random operands made to hit cancellation, ties,
// sticky bits and the limits of the range. Everything runs twice: with no flag set, where all is
// computed exactly, and with NX set, where Wasm's own arithmetic may answer.

import asc from 'assemblyscript/asc';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Arithmetic,
  arithmetic,
  type Comparison,
  classify,
  comparison,
  F32,
  F64,
  type Format,
  floatToFloat,
  floatToInteger,
  INTEGER_TYPES,
  infinityOf,
  integerToFloat,
  NV,
  NX,
  nanOf,
  OF,
  type Result,
  ROUNDING_MODES,
  signOf,
} from './reference.ts';

type Value = number | bigint;
type Call = (...operands: Value[]) => bigint;

let core: WebAssembly.Instance;

async function compile(): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const root = new URL('../..', import.meta.url).pathname;
  const options = ['--baseDir', root, '-O3', '--runtime', 'stub', '--noExportMemory'];
  const { error, stderr } = await asc.main(
    ['wasm/float/index.ts', ...options, '--outFile', 'float.wasm'],
    {
      writeFile(_name, contents) {
        if (typeof contents !== 'string') binary = new Uint8Array(contents);
      },
    },
  );
  if (error || !binary) throw new Error(`The floating point code does not compile: ${stderr}`);
  return binary;
}

beforeAll(async () => {
  core = await WebAssembly.instantiate(await WebAssembly.compile(await compile()), {});
}, 120_000);

/** An export, with its result as a bigint (of 32 bits without sign, if it is an i32). */
function exported(name: string): Call {
  const f = core.exports[name];
  if (typeof f !== 'function') throw new Error(`The module exports no function ${name}.`);
  return (...operands) => {
    const r: unknown = f(...operands);
    if (typeof r === 'bigint') return BigInt.asUintN(64, r);
    return typeof r === 'number' ? BigInt(r >>> 0) : 0n;
  };
}

/** A float operand in the form that the Wasm function takes. */
function operand(f: Format, bits: bigint): Value {
  return f === F32 ? Number(bits) : bits;
}

/** Counts cases and keeps the first few that differ. */
class Checker {
  cases = 0;
  readonly failures: string[] = [];
  readonly #before: number;
  readonly #read = exported('readFflags');
  readonly #write = exported('writeFflags');

  constructor(before: number) {
    this.#before = before;
  }

  check(name: string, call: Call, operands: Value[], expected: Result): void {
    this.cases++;
    this.#write(this.#before);
    const bits = call(...operands);
    const flags = Number(this.#read());
    const expectedFlags = expected.flags | this.#before;
    if (bits === expected.bits && flags === expectedFlags) return;
    if (this.failures.length >= 10) return;
    const shown = operands.map((x) => `0x${x.toString(16)}`).join(', ');
    this.failures.push(
      `${name}(${shown}) is 0x${bits.toString(16)} flags ${flags}, ` +
        `should be 0x${expected.bits.toString(16)} flags ${expectedFlags}`,
    );
  }

  /** Fails unless all cases agreed, and there were as many as the test is meant to have. */
  finish(atLeast: number): void {
    expect(this.failures).toEqual([]);
    expect(this.cases).toBeGreaterThanOrEqual(atLeast);
  }
}

/** mulberry32, with a fixed seed for each test. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }

  pick<T>(from: readonly T[]): T {
    const x = from[this.below(from.length)];
    if (x === undefined) throw new Error('There is nothing to pick from.');
    return x;
  }

  bits(n: number): bigint {
    return ((BigInt(this.u32()) << 32n) | BigInt(this.u32())) >> BigInt(64 - n);
  }

  /** `n` bits that are random, or sparse, or long runs of ones or zeros: what makes ties. */
  pattern(n: number): bigint {
    const all = (1n << BigInt(n)) - 1n;
    const cut = BigInt(this.below(n + 1));
    switch (this.below(6)) {
      case 0:
        return (this.bits(n) << cut) & all;
      case 1:
        return this.bits(n) >> cut;
      case 2:
        return (all << cut) & all;
      case 3:
        return (1n << cut) & all;
      default:
        return this.bits(n);
    }
  }

  /** A finite float whose exponent is within `spread` of `exponent`, as far as the format goes. */
  float(f: Format, exponent: number, spread: number): bigint {
    const wanted = exponent + f.emax + this.below(2 * spread + 1) - spread;
    const field = BigInt(Math.min(Math.max(wanted, 0), 2 * f.emax));
    const fractionBits = f.precision - 1;
    const sign = this.below(2) === 1 ? signOf(f) : 0n;
    return sign | (field << BigInt(fractionBits)) | this.pattern(fractionBits);
  }
}

/** Corner values of a format, of both signs. */
function corners(f: Format): bigint[] {
  const ulp = BigInt(f.precision - 1);
  const power = (e: number) => BigInt(e + f.emax) << ulp;
  const half = 1n << (ulp - 1n);
  const one = power(0);
  const least = 1n << ulp;
  const positive = [
    ...[0n, 1n, 2n, 3n, half, half + 1n, least - 1n, least, least + 1n, 2n * least - 1n],
    ...[2n * least, power(-f.emax >> 1), power(-f.precision), power(-1) - 1n, power(-1)],
    ...[power(-1) + 1n, one - 2n, one - 1n, one, one + 1n, one + 2n, one + half, one + half + 1n],
    ...[power(1) - 1n, power(1), power(1) + half, power(f.precision - 2) + 1n],
    ...[power(f.precision - 1) - 1n, power(f.precision) + 1n, power(f.emax >> 1) - 1n],
    ...[power(31), power(32) - 1n, power(63) - 1n, power(63), power(64)],
    ...[power(f.emax), infinityOf(f) - 2n, infinityOf(f) - 1n, infinityOf(f)],
    ...[infinityOf(f) + 1n, nanOf(f) - 1n, nanOf(f), nanOf(f) + 5n],
  ];
  return positive.flatMap((x) => [x, x | signOf(f)]);
}

/** A smaller set, for operations of three operands. */
function fewCorners(f: Format): bigint[] {
  const ulp = BigInt(f.precision - 1);
  const one = BigInt(f.emax) << ulp;
  const least = 1n << ulp;
  const positive = [0n, 1n, least - 1n, least, one, one + 1n, infinityOf(f) - 1n, infinityOf(f)];
  const nans = [nanOf(f), infinityOf(f) + 1n];
  return [...positive.flatMap((x) => [x, x | signOf(f)]), ...nans];
}

function nudge(f: Format, x: bigint, by: number): bigint {
  return BigInt.asUintN(f.width, x + BigInt(by));
}

/**
 * Operands of a fused multiply-add whose exact result is beside the midpoint of two floats, by so
 * little (the error of a reciprocal) that a first rounding to more bits would land on it.
 */
function besideMidpoint(random: Random, f: Format): bigint[] {
  const one = BigInt(f.emax) << BigInt(f.precision - 1);
  const k = (f.precision >> 1) + random.below(3) - 1;
  const x = one + (1n << BigInt(f.precision - 1 - k));
  const reciprocal = arithmetic('div', f, 'RNE', [one, x]).bits;
  const halfUlp = BigInt(f.precision) << BigInt(f.precision - 1);
  const sign = random.below(2) === 1 ? signOf(f) : 0n;
  return [(x - halfUlp) | sign, reciprocal, random.float(f, 0, 0)];
}

/** Operands of one case; several strategies, each of which aims at one thing that can go wrong. */
function randomOperands(random: Random, operation: Arithmetic, f: Format): bigint[] {
  const strategy = random.below(4);
  const nearest = (op: Arithmetic, ...operands: bigint[]) =>
    arithmetic(op, f, 'RNE', operands).bits;
  const some = () => random.float(f, random.below(21) - 10, 3);
  const few = () => random.below(5) - 2;
  switch (operation) {
    case 'add':
    case 'sub': {
      const base = random.pick([0, 0, 0, f.emin + 1, f.emax - 1]);
      const a = random.float(f, base, 2);
      if (strategy === 0) return [a, nudge(f, a ^ signOf(f), random.below(9) - 4)];
      return [a, random.float(f, base, strategy === 1 ? 1 : f.precision + 2)];
    }
    case 'mul':
    case 'div': {
      const a = some();
      if (strategy === 0 && operation === 'div') {
        return [nudge(f, nearest('mul', a, some()), few()), a];
      }
      if (strategy > 1) return [a, some()];
      // The result near a limit of the range, or among the subnormals.
      const limit = random.pick([f.emin, f.emin - 10, f.emin - f.precision, f.emax]);
      const x = random.float(f, limit >> 1, 0);
      const other = operation === 'mul' ? limit - (limit >> 1) : (limit >> 1) - limit;
      return [x, random.float(f, other, 2)];
    }
    case 'sqrt': {
      const a = random.float(f, random.below(2 * f.emax - 1) - f.emax, 1) & ~signOf(f);
      if (strategy > 1) return [a];
      const root = some();
      return [nudge(f, nearest('mul', root, root), few())];
    }
    case 'fma': {
      const a = some();
      const b = some();
      if (strategy === 0) {
        return [a, b, nudge(f, nearest('mul', a, b) ^ signOf(f), few())];
      }
      if (strategy === 1) return [a, b, random.float(f, 0, 2 * f.precision + 4)];
      if (random.below(2) === 0) return besideMidpoint(random, f);
      const limit = random.pick([0, f.emin, f.emin - 10, f.emin - f.precision, f.emax]);
      const x = random.float(f, limit >> 1, 1);
      const y = random.float(f, limit - (limit >> 1), 1);
      return [x, y, random.float(f, limit, strategy === 2 ? 1 : f.precision)];
    }
  }
}

const ARITHMETIC: readonly Arithmetic[] = ['add', 'sub', 'mul', 'div', 'sqrt', 'fma'];
const COMPARISONS: readonly Comparison[] = ['eq', 'lt', 'le', 'min', 'max'];
const FORMATS = [F32, F64];
const RANDOM_CASES = 2000;

function checkArithmetic(
  checker: Checker,
  operation: Arithmetic,
  f: Format,
  operands: bigint[],
): void {
  const name = `${f.name}_${operation}`;
  const call = exported(name);
  const given = operands.map((x) => operand(f, x));
  for (const [rm, mode] of ROUNDING_MODES.entries()) {
    const expected = arithmetic(operation, f, mode, operands);
    checker.check(`${name} ${mode}`, call, [...given, rm], expected);
  }
}

describe.each([
  { before: 0, path: 'exact path, no flag set' },
  { before: NX, path: 'fast path, NX set' },
])('$path', ({ before }) => {
  for (const f of FORMATS) {
    for (const operation of ARITHMETIC) {
      it(`${f.name}_${operation}: corner values`, { timeout: 60_000 }, () => {
        const checker = new Checker(before);
        const values = operation === 'fma' ? fewCorners(f) : corners(f);
        for (const a of values) {
          if (operation === 'sqrt') {
            checkArithmetic(checker, operation, f, [a]);
            continue;
          }
          for (const b of values) {
            if (operation !== 'fma') {
              checkArithmetic(checker, operation, f, [a, b]);
              continue;
            }
            for (const c of values) checkArithmetic(checker, operation, f, [a, b, c]);
          }
        }
        checker.finish(operation === 'sqrt' ? 400 : 25_000);
      });

      it(`${f.name}_${operation}: random values`, { timeout: 60_000 }, () => {
        const checker = new Checker(before);
        const random = new Random(1);
        for (let i = 0; i < RANDOM_CASES; i++) {
          checkArithmetic(checker, operation, f, randomOperands(random, operation, f));
        }
        checker.finish(RANDOM_CASES * ROUNDING_MODES.length);
      });
    }

    it(`${f.name}: comparisons and classes`, { timeout: 60_000 }, () => {
      const checker = new Checker(before);
      const random = new Random(2);
      const values = corners(f);
      const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
      for (let i = 0; i < RANDOM_CASES; i++) {
        const a = random.float(f, 0, 2);
        pairs.push([a, random.below(2) === 0 ? random.float(f, 0, 2) : nudge(f, a, i % 3)]);
      }
      for (const operation of COMPARISONS) {
        const name = `${f.name}_${operation}`;
        const call = exported(name);
        for (const [a, b] of pairs) {
          const given = [operand(f, a), operand(f, b)];
          checker.check(name, call, given, comparison(operation, f, a, b));
        }
      }
      const call = exported(`${f.name}_class`);
      for (const a of values) {
        checker.check(`${f.name}_class`, call, [operand(f, a)], classify(f, a));
      }
      checker.finish(45_000);
    });

    it(`${f.name}: to and from integers`, { timeout: 60_000 }, () => {
      const checker = new Checker(before);
      const random = new Random(3);
      const floats = corners(f);
      const integers = [0n];
      for (let i = 0n; i < 64n; i++) {
        for (const d of [-1n, 0n, 1n]) integers.push((1n << i) + d, -((1n << i) + d));
      }
      for (let i = 0; i < RANDOM_CASES / 2; i++) {
        floats.push(random.float(f, random.below(68) - 3, 0));
        // Halves and their neighbours.
        const whole = BigInt(random.below(1 << 20));
        const half = integerToFloat(f, INTEGER_TYPES[0]!, 'RNE', 2n * whole + 1n).bits;
        floats.push(nudge(f, half - (1n << BigInt(f.precision - 1)), random.below(3) - 1));
        const x = random.pattern(64) >> BigInt(random.below(64));
        integers.push(random.below(2) === 0 ? x : -x);
      }
      for (const [rm, mode] of ROUNDING_MODES.entries()) {
        for (const t of INTEGER_TYPES) {
          const to = `${f.name}_to_${t.name}`;
          const toInteger = exported(to);
          for (const x of floats) {
            const expected = floatToInteger(f, t, mode, x);
            checker.check(`${to} ${mode}`, toInteger, [operand(f, x), rm], expected);
          }
          const from = `${t.name}_to_${f.name}`;
          const fromInteger = exported(from);
          for (const x of integers) {
            const rs1 = BigInt.asIntN(64, x);
            const expected = integerToFloat(f, t, mode, rs1);
            checker.check(`${from} ${mode}`, fromInteger, [rs1, rm], expected);
          }
        }
      }
      checker.finish(65_000);
    });
  }

  it('f32 to f64 and back', { timeout: 60_000 }, () => {
    const checker = new Checker(before);
    const random = new Random(4);
    const singles = corners(F32);
    for (let i = 0; i < RANDOM_CASES; i++) singles.push(random.float(F32, 0, 140));
    const doubles = corners(F64);
    for (const x of singles) {
      const exact = floatToFloat(F32, F64, 'RNE', x);
      checker.check('f32_to_f64', exported('f32_to_f64'), [Number(x)], exact);
      // On and beside the number, and the midpoint to the next one.
      const midpoint = exact.bits + (1n << 28n);
      for (const d of [-1, 0, 1]) {
        doubles.push(nudge(F64, exact.bits, d), nudge(F64, midpoint, d));
      }
    }
    for (let e = -152; e < 130; e++) {
      for (let i = 0; i < 10; i++) doubles.push(random.float(F64, e, 0));
    }
    const narrow = exported('f64_to_f32');
    for (const [rm, mode] of ROUNDING_MODES.entries()) {
      for (const x of doubles) {
        checker.check(`f64_to_f32 ${mode}`, narrow, [x, rm], floatToFloat(F64, F32, mode, x));
      }
    }
    checker.finish(70_000);
  });
});

describe('the module', () => {
  it('accumulates flags until they are written', () => {
    const write = exported('writeFflags');
    const read = exported('readFflags');
    write(0);
    exported('f32_add')(1, 0x3f800000, 0);
    exported('f32_sqrt')(0xbf800000, 0);
    exported('f64_mul')(0x7fe0000000000000n, 0x7fe0000000000000n, 0);
    expect(Number(read())).toBe(NX | NV | OF);
    write(0xff);
    expect(Number(read())).toBe(0x1f);
    write(0);
    expect(Number(read())).toBe(0);
  });

  it('asks nothing of its host and holds no memory', async () => {
    const module = await WebAssembly.compile(await compile());
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    const kinds = new Set(WebAssembly.Module.exports(module).map((e) => e.kind));
    expect([...kinds]).toEqual(['function']);
  }, 120_000);
});
