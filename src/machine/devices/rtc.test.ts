import { describe, expect, test } from 'vitest';
import { TestLine } from '../testing/line.ts';
import { checkState } from '../testing/state.ts';
import { GoldfishRtc } from './rtc.ts';

const START = 1_700_000_000_123; // milliseconds since 1970

function rtc() {
  const clock = { now: START };
  const irq = new TestLine();
  const device = new GoldfishRtc(() => clock.now, irq);
  const get = (offset: number) => device.load(offset, 4);
  const put = (offset: number, value: number) => device.store(offset, 4, value);
  const time = () => {
    const low = BigInt(get(0));
    return (BigInt(get(4)) << 32n) | low;
  };
  const setAlarm = (at: bigint) => {
    put(0x0c, Number(at >> 32n));
    put(0x08, Number(at & 0xffff_ffffn));
  };
  return { clock, irq, device, get, put, time, setAlarm };
}

describe('goldfish RTC', () => {
  test('tells nanoseconds; the high half belongs to the low half read before it', () => {
    const { clock, get, time } = rtc();
    expect(time()).toBe(BigInt(START) * 1_000_000n);
    clock.now += 0.5;
    expect(time()).toBe(BigInt(START) * 1_000_000n + 500_000n);
    get(0);
    const high = get(4);
    clock.now += 10_000;
    expect(get(4)).toBe(high);
  });

  test('the guest sets its own time, the wall clock goes on under it', () => {
    const { clock, put, time } = rtc();
    put(4, 1);
    put(0, 5);
    expect(time()).toBe(0x1_0000_0005n);
    clock.now += 2;
    expect(time()).toBe(0x1_0000_0005n + 2_000_000n);
  });

  test('the alarm rings once when due, if enabled, until cleared', () => {
    const { clock, irq, device, get, put, time, setAlarm } = rtc();
    expect(device.nextAlarm()).toBe(Number.POSITIVE_INFINITY);
    put(0x10, 1);
    setAlarm(time() + 3_000_000n);
    expect(get(0x18)).toBe(1);
    expect(device.nextAlarm()).toBeCloseTo(START + 3, 3);
    clock.now += 2.9;
    device.update();
    expect(irq.level).toBe(false);
    clock.now += 0.2;
    device.update();
    expect(irq.level).toBe(true);
    expect(get(0x18)).toBe(0);
    put(0x1c, 1);
    expect(irq.level).toBe(false);
    device.update();
    expect(irq.level).toBe(false);
  });

  test('an alarm in the past rings at once; a cleared one never; a disabled one is silent', () => {
    const { clock, irq, device, put, time, setAlarm } = rtc();
    setAlarm(time() - 1n);
    expect(irq.level).toBe(false);
    put(0x10, 1);
    expect(irq.level).toBe(true);
    put(0x1c, 0);
    setAlarm(time() + 1_000_000n);
    put(0x14, 0);
    clock.now += 5;
    device.update();
    expect(irq.level).toBe(false);
  });

  test('a time far beyond 2^53 is kept exactly', () => {
    const { put, time } = rtc();
    put(4, 0xffff_ffff);
    put(0, 0xffff_fffe);
    expect(time()).toBe(0xffff_ffff_ffff_fffen);
  });

  test('reset, state, node, other widths', () => {
    const { device, irq, put, time, setAlarm } = rtc();
    put(0x10, 1);
    setAlarm(1n);
    device.reset();
    expect(irq.level).toBe(false);
    expect(time()).toBe(BigInt(START) * 1_000_000n);
    expect(device.load(0, 1)).toBe(0);
    checkState(() => rtc().device.state);
    const [node] = device.fdt({ base: 0x10_1000, irq: 11, plic: 2, phandle: 5, harts: [] });
    expect(node!.name).toBe('rtc@101000');
    expect(node!.properties.compatible).toBe('google,goldfish-rtc');
  });
});
