import { describe, expect, test } from 'vitest';
import { testLines } from '../testing/line.ts';
import { checkState } from '../testing/state.ts';
import { Mswi, Mtimer, Sswi } from './aclint.ts';

function mtimer(harts = 2) {
  const clock = { now: 1000 };
  const lines = testLines(harts);
  return { clock, lines, timer: new Mtimer(() => clock.now, lines) };
}

describe('MTIMER', () => {
  test('mtime starts at zero, follows the clock, and can be set in halves or whole', () => {
    const { clock, timer } = mtimer();
    expect(timer.time()).toBe(0);
    clock.now += 0x1_8000_0000;
    expect(timer.load(0x7ff8, 4)).toBe(0x8000_0000);
    expect(timer.load(0x7ffc, 4)).toBe(1);
    expect(timer.load64(0x7ff8)).toBe(0x1_8000_0000n);
    timer.store(0x7ffc, 4, 5);
    expect(timer.load64(0x7ff8)).toBe(0x5_8000_0000n);
    timer.store(0x7ff8, 4, 7);
    expect(timer.load64(0x7ff8)).toBe(0x5_0000_0007n);
    timer.store64(0x7ff8, 0xffff_ffff_ffff_ffffn);
    expect(timer.time()).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('the interrupt is up exactly while mtime >= mtimecmp', () => {
    const { clock, timer, lines } = mtimer();
    expect(timer.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
    timer.store64(8, 500n);
    timer.store64(0, 300n);
    expect(timer.nextDeadline()).toBe(300);
    clock.now += 299;
    timer.update();
    expect(lines.map((l) => l.level)).toEqual([false, false]);
    clock.now += 1;
    timer.update();
    expect(lines.map((l) => l.level)).toEqual([true, false]);
    expect(timer.nextDeadline()).toBe(500);
    timer.store(4, 4, 1);
    expect(lines[0]!.level).toBe(false);
    expect(timer.load64(0)).toBe(0x1_0000_012cn);
    timer.store64(8, 0n);
    expect(lines[1]!.level).toBe(true);
    timer.store64(8, 0xffff_ffff_ffff_ffffn);
    expect(lines[1]!.level).toBe(false);
    expect(timer.nextDeadline()).toBe(0x1_0000_012c);
  });

  test('a whole store never shows half of the new value', () => {
    const { timer, lines } = mtimer(1);
    timer.store64(0, 0x1_0000_0000n);
    timer.store64(0, 0x2_0000_0000n);
    expect(lines[0]!.rises).toBe(0);
  });

  test('harts that are not there, odd widths, reset, state', () => {
    const { timer, lines, clock } = mtimer();
    timer.store64(16, 1n);
    timer.store(16, 4, 1);
    timer.store(0, 2, 1);
    expect(timer.load64(16)).toBe(0n);
    expect(timer.load(0, 1)).toBe(0);
    timer.store64(0, 0n);
    clock.now += 50;
    timer.reset();
    expect(lines[0]!.level).toBe(false);
    expect(timer.time()).toBe(0);
    checkState(() => mtimer().timer.state);
  });

  test('a restored mtime goes on from where it was saved, whatever the clock says', () => {
    const a = mtimer();
    a.clock.now += 12_345;
    const b = mtimer();
    b.clock.now = 9;
    b.timer.state.restore(a.timer.state.save());
    expect(b.timer.time()).toBe(12_345);
    b.clock.now += 5;
    expect(b.timer.time()).toBe(12_350);
  });
});

describe('software interrupts', () => {
  test('MSWI drives a line by bit 0', () => {
    const lines = testLines(2);
    const mswi = new Mswi(lines);
    mswi.store(4, 4, 0xffff_ffff);
    expect(lines.map((l) => l.level)).toEqual([false, true]);
    expect(mswi.load(4, 4)).toBe(1);
    mswi.store(4, 4, 2);
    expect(lines[1]!.level).toBe(false);
    mswi.store(8, 4, 1);
    expect(mswi.load(8, 4)).toBe(0);
    mswi.store(0, 4, 1);
    mswi.reset();
    expect(lines[0]!.level).toBe(false);
    checkState(() => new Mswi(testLines(2)).state);
  });

  test('SSWI sets and reads zero', () => {
    const set: number[] = [];
    const sswi = new Sswi(2, (hart) => set.push(hart));
    sswi.store(4, 4, 1);
    sswi.store(0, 4, 0);
    sswi.store(0, 2, 1);
    sswi.store(8, 4, 1);
    expect(set).toEqual([1]);
    expect(sswi.load()).toBe(0);
  });

  test('device-tree nodes name each hart’s line', () => {
    const at = { base: 0x200_4000, plic: 1, phandle: 2, harts: [7, 8] };
    expect(mtimer().timer.fdt(at)[0]!.properties).toEqual({
      compatible: 'riscv,aclint-mtimer',
      reg: [0x200_bff8n, 8n, 0x200_4000n, 0x7ff8n],
      'interrupts-extended': [7, 7, 8, 7],
    });
    expect(new Mswi(testLines(2)).fdt(at)[0]!.properties['interrupts-extended']).toEqual([
      7, 3, 8, 3,
    ]);
    expect(new Sswi(2, () => {}).fdt(at)[0]!.properties['interrupts-extended']).toEqual([
      7, 1, 8, 1,
    ]);
  });
});
