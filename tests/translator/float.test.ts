/**
 * Floating point in both tiers, where Wasm's own arithmetic may answer and where it must not: corner
 * values against each other, with the inexact flag set and clear; results and flags are the same.
 * The interpreter's are checked with a reference by themselves (wasm/float/float.test.ts).
 */
import { setFlagsFromString } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import { BASE, DATA } from './programs.ts';
import { FORMS, TierRun } from './tier.ts';

// So that engines which still hide it fuse multiply-add as well; others ignore the flag.
setFlagsFromString('--experimental-wasm-relaxed-simd');

const DOUBLES = [
  0x0000000000000000n, // 0
  0x8000000000000000n,
  0x0000000000000001n, // subnormal
  0x800fffffffffffffn,
  0x0010000000000000n, // the least normal one and its neighbours
  0x0010000000000001n,
  0x0010000000000123n,
  0x001fffffffffffffn, // its half is tiny, and rounds to the least normal one
  0x1ff0000000000003n, // its square is subnormal
  0x3fd5555555555555n, // a third
  0xbfe0000000000000n,
  0x3ff0000000000000n, // 1
  0x3ff0000000000001n,
  0x41dfffffffc00000n, // 2^31 - 1, 2^31, -2^31 - 1
  0x41e0000000000000n,
  0xc1e0000000200000n,
  0x41f0000000000000n, // 2^32
  0x43e0000000000000n, // 2^63, 2^64
  0x43f0000000000000n,
  0x47efffffe0000000n, // the largest binary32
  0x369fffffffffffffn, // below half of the least binary32
  0x3810000000000001n, // near the least normal binary32
  0x380fffffe0000000n, // tiny as binary32, and rounds to the least normal one
  0x7fefffffffffffffn, // the largest
  0x7ff0000000000000n, // infinite
  0x7ff8000000000000n, // NaN, quiet and signalling
  0x7ff0000000000001n,
];
const SINGLES = [
  0x00000000n,
  0x80000000n,
  0x00000001n,
  0x807fffffn,
  0x00800000n,
  0x00800001n,
  0x00800123n,
  0x00ffffffn, // its half is tiny, and rounds to the least normal one
  0x1fc00003n,
  0x3eaaaaabn,
  0xbf000000n,
  0x3f800000n,
  0x3f800001n,
  0x4effffffn,
  0x4f000000n,
  0xcf000001n,
  0x4f800000n,
  0x5f000000n,
  0x5f800000n,
  0x7f7fffffn,
  0x7f800000n,
  0x7fc00000n,
  0x7f800001n,
].map((bits) => bits | 0xffffffff00000000n);
const INTEGERS = [
  0n,
  1n,
  -1n,
  3n,
  0x7fffffffn,
  0x80000000n,
  (1n << 53n) + 1n,
  (1n << 62n) + 1n,
  -(1n << 63n),
  (1n << 24n) + 1n,
];

interface Case {
  readonly code: string;
  readonly values: readonly bigint[];
  /** How many operands take all values; a third one takes few. */
  readonly operands: 1 | 2 | 3;
}

function cases(): Case[] {
  const list: Case[] = [];
  for (const [s, values] of [
    ['d', DOUBLES],
    ['s', SINGLES],
  ] as const) {
    for (const op of ['fadd', 'fsub', 'fmul', 'fdiv']) {
      list.push({ code: `${op}.${s} fa3, fa0, fa1`, values, operands: 2 });
      list.push({ code: `${op}.${s} fa3, fa0, fa1, rne`, values, operands: 2 });
      list.push({ code: `${op}.${s} fa3, fa0, fa1, rup`, values, operands: 2 });
    }
    list.push({ code: `fsqrt.${s} fa3, fa0`, values, operands: 1 });
    for (const op of ['fmadd', 'fmsub', 'fnmsub', 'fnmadd']) {
      list.push({ code: `${op}.${s} fa3, fa0, fa1, fa2`, values, operands: 3 });
    }
    for (const op of ['feq', 'flt', 'fle']) {
      list.push({ code: `${op}.${s} a3, fa0, fa1\nfmv.d.x fa3, a3`, values, operands: 2 });
    }
    for (const to of ['w', 'wu', 'l', 'lu']) {
      for (const mode of ['', ', rne', ', rtz', ', rdn']) {
        list.push({ code: `fcvt.${to}.${s} a3, fa0${mode}\nfmv.d.x fa3, a3`, values, operands: 1 });
      }
      list.push({
        code: `fmv.x.d a3, fa0\nfcvt.${s}.${to} fa3, a3`,
        values: INTEGERS,
        operands: 1,
      });
    }
  }
  list.push({ code: 'fcvt.s.d fa3, fa0', values: DOUBLES, operands: 1 });
  list.push({ code: 'fcvt.d.s fa3, fa0', values: SINGLES, operands: 1 });
  return list;
}

const THIRD = 5;

function operandsOf({ values, operands }: Case): bigint[] {
  const rows: bigint[] = [];
  const few = values.filter((_, i) => i % THIRD === 1);
  for (const a of values) {
    for (const b of operands > 1 ? values : [0n]) {
      for (const c of operands > 2 ? few : [0n]) rows.push(a, b, c);
    }
  }
  // Once more, when the loop has been translated.
  return [...rows, ...rows];
}

const program = ({ code }: Case, flags: number, rows: number) => `
  li t0, 0x6000
  csrs mstatus, t0
  li s0, ${DATA}
  li s2, ${rows}
again:
  fld fa0, 0(s0)
  fld fa1, 8(s0)
  fld fa2, 16(s0)
  csrwi fflags, ${flags}
  ${code}
  csrr t1, fflags
  fsd fa3, 0(s0)
  sd t1, 8(s0)
  addi s0, s0, 24
  addi s2, s2, -1
  bnez s2, again
end:
  j end
`;

const OUTPUT = DATA - RAM_BASE;

/** Results and flags, a pair for each row of operands. */
function play(
  item: Case,
  flags: number,
  translate?: object,
): { bytes: Buffer; translated: number } {
  const operands = operandsOf(item);
  const { bytes } = assemble(program(item, flags, operands.length / 3), { base: BASE });
  const run = new TierRun(bytes, translate ? { translate } : {});
  const view = new DataView(run.ram.buffer, run.ram.byteOffset + OUTPUT);
  for (const [i, value] of operands.entries()) view.setBigUint64(8 * i, value, true);
  // A little first, so that the loop is translated for the rest.
  run.run(400);
  run.run(40 * operands.length);
  return {
    bytes: Buffer.from(run.ram.slice(OUTPUT, OUTPUT + 8 * operands.length)),
    translated: Number(run.hart.u64('stat_translated')),
  };
}

describe.each(FORMS)('floating point, %s', (_, without) => {
  it.each([
    ['set', 1],
    ['clear', 0],
  ])('is the same in both tiers with NX %s', (_name, flags) => {
    for (const item of cases()) {
      const expected = play(item, flags);
      const found = play(item, flags, { without });
      expect(expected.translated).toBe(0);
      expect(found.translated).toBeGreaterThan(0);
      const at = expected.bytes.compare(found.bytes) === 0 ? -1 : differing(expected, found);
      expect(at, `${item.code}: result or flags of row ${Math.floor(at / 24)}`).toBe(-1);
    }
  });
});

function differing(a: { bytes: Buffer }, b: { bytes: Buffer }): number {
  return a.bytes.findIndex((byte, i) => byte !== b.bytes[i]);
}
