import { beforeEach, describe, expect, test } from 'vitest';
import { type TestLine, testLines } from '../testing/line.ts';
import { checkState } from '../testing/state.ts';
import { PLIC_SOURCES, Plic } from './plic.ts';

const ENABLE_M = 0x2000;
const ENABLE_S = 0x2080;
const M = 0x20_0000;
const S = 0x20_1000;

let outputs: TestLine[];
let plic: Plic;
const get = (offset: number) => plic.load(offset, 4);
const put = (offset: number, value: number) => plic.store(offset, 4, value);
const levels = () => outputs.map((line) => line.level);

beforeEach(() => {
  outputs = testLines(2);
  plic = new Plic(outputs);
});

describe('PLIC', () => {
  test('an enabled source above the threshold reaches its context, and only that', () => {
    const line = plic.line(33);
    put(33 * 4, 3);
    put(ENABLE_S + 4, 1 << 1);
    line.set(true);
    expect(levels()).toEqual([false, true]);
    expect(get(0x1004)).toBe(2);
    put(S, 3);
    expect(levels()).toEqual([false, false]);
    put(S, 2);
    expect(levels()).toEqual([false, true]);
    put(33 * 4, 0);
    expect(levels()).toEqual([false, false]);
    expect(get(M + 4)).toBe(0);
  });

  test('claim takes the highest priority, the lowest number among equals', () => {
    put(ENABLE_M, 0xffff_ffff);
    put(ENABLE_M + 8, 0x8000_0000);
    for (const [source, priority] of [
      [31, 2],
      [5, 2],
      [95, 7],
      [9, 1],
    ] as const) {
      put(source * 4, priority);
      plic.setLevel(source, true);
    }
    // A claim ignores the threshold (PLIC specification, "Interrupt Claim Process").
    put(M, 7);
    expect([1, 2, 3, 4, 5].map(() => get(M + 4))).toEqual([95, 5, 31, 9, 0]);
    expect(levels()).toEqual([false, false]);
  });

  test('a level that stays is forwarded again only after completion', () => {
    put(4, 1);
    put(ENABLE_S, 2);
    const line = plic.line(1);
    line.set(true);
    expect(get(S + 4)).toBe(1);
    expect(levels()).toEqual([false, false]);
    line.set(false);
    line.set(true);
    expect(levels()).toEqual([false, false]);
    put(S + 4, 1);
    expect(levels()).toEqual([false, true]);
    expect(get(S + 4)).toBe(1);
    line.set(false);
    put(S + 4, 1);
    expect(levels()).toEqual([false, false]);
    expect(outputs[1]!.rises).toBe(2);
  });

  test('a completion by a context that has not enabled the source is ignored', () => {
    put(4, 1);
    put(ENABLE_S, 2);
    plic.setLevel(1, true);
    get(S + 4);
    put(M + 4, 1);
    put(S + 4, 0);
    put(S + 4, 96);
    put(S + 4, 0xffff_ffff);
    expect(levels()).toEqual([false, false]);
    put(S + 4, 1);
    expect(levels()).toEqual([false, true]);
  });

  test('both contexts see a source; the claim of one takes it from the other', () => {
    put(4, 1);
    put(ENABLE_M, 2);
    put(ENABLE_S, 2);
    plic.setLevel(1, true);
    expect(levels()).toEqual([true, true]);
    expect(get(M + 4)).toBe(1);
    expect(levels()).toEqual([false, false]);
    expect(get(S + 4)).toBe(0);
  });

  test('registers keep what exists and nothing else', () => {
    for (let source = 0; source <= 1023; source++) put(source * 4, 0xffff_ffff);
    expect(get(0)).toBe(0);
    expect(get(4)).toBe(7);
    expect(get(PLIC_SOURCES * 4)).toBe(7);
    expect(get((PLIC_SOURCES + 1) * 4)).toBe(0);
    put(ENABLE_M, 0xffff_ffff);
    expect(get(ENABLE_M)).toBe(0xffff_fffe);
    put(ENABLE_M + 12, 1);
    expect(get(ENABLE_M + 12)).toBe(0);
    put(0x2100, 0xffff_ffff);
    expect(get(0x2100)).toBe(0);
    put(0x1000, 0xffff_ffff);
    expect(get(0x1000)).toBe(0);
    expect(get(0x20_2000)).toBe(0);
    expect(get(0x20_2004)).toBe(0);
    expect(get(M + 8)).toBe(0);
    put(0x5f_fffc, 1);
    expect(get(0x5f_fffc)).toBe(0);
    put(M, 0xff);
    expect(get(M)).toBe(7);
    plic.store(M, 2, 0);
    expect(plic.load(M, 1)).toBe(0);
    expect(get(M)).toBe(7);
    expect(() => plic.line(0)).toThrow(RangeError);
    expect(() => plic.line(96)).toThrow(RangeError);
  });

  test('reset keeps the lines of devices and forgets the rest', () => {
    put(4, 1);
    put(ENABLE_S, 2);
    plic.setLevel(1, true);
    get(S + 4);
    plic.reset();
    expect(levels()).toEqual([false, false]);
    put(4, 1);
    put(ENABLE_S, 2);
    expect(levels()).toEqual([false, true]);
  });

  test('state, and outputs follow a restore', () => {
    checkState(() => new Plic(testLines(2)).state);
    put(4, 1);
    put(ENABLE_S, 2);
    plic.setLevel(1, true);
    const saved = plic.state.save();
    const lines = testLines(2);
    new Plic(lines).state.restore(saved);
    expect(lines.map((line) => line.level)).toEqual([false, true]);
  });

  test('its device-tree node lists M and S of each hart', () => {
    const [node] = new Plic(testLines(4)).fdt({
      base: 0xc00_0000,
      plic: 9,
      phandle: 9,
      harts: [2, 4],
    });
    expect(node!.name).toBe('plic@c000000');
    expect(node!.phandle).toBe(9);
    expect(node!.properties['interrupts-extended']).toEqual([2, 11, 2, 9, 4, 11, 4, 9]);
    expect(node!.properties['riscv,ndev']).toBe(95);
  });
});
