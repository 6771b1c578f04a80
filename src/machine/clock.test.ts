import { describe, expect, it } from 'vitest';
import { GuestClock } from './clock.ts';

function setup() {
  const time = { ms: 5000 };
  const stalls: number[] = [];
  const clock = new GuestClock(
    () => time.ms,
    (ms) => stalls.push(ms),
  );
  return { time, clock, stalls };
}

describe('guest clock', () => {
  it('counts ten million ticks a second, in whole numbers', () => {
    const { time, clock } = setup();
    clock.run();
    time.ms += 1000.12349;
    expect(clock.ticks()).toBe(10_001_234);
  });

  it('stands while the machine does', () => {
    const { time, clock } = setup();
    time.ms += 50;
    expect(clock.ticks()).toBe(0);
    clock.run();
    time.ms += 2;
    clock.stop();
    time.ms += 1000;
    expect(clock.ticks()).toBe(20_000);
    clock.run();
    clock.run();
    time.ms += 1;
    expect(clock.ticks()).toBe(30_000);
  });

  it('never goes back, even if the host does', () => {
    const { time, clock } = setup();
    clock.run();
    time.ms += 10;
    expect(clock.ticks()).toBe(100_000);
    time.ms -= 5;
    expect(clock.ticks()).toBe(100_000);
  });

  it('says how long until a tick', () => {
    const { time, clock } = setup();
    clock.run();
    expect(clock.msUntil(25_000)).toBe(2.5);
    time.ms += 5;
    expect(clock.msUntil(25_000)).toBe(0);
    clock.set(0);
    expect(clock.ticks()).toBe(0);
    time.ms += 1;
    expect(clock.ticks()).toBe(10_000);
  });

  it('takes a stall of the host for a pause, and tells of it', () => {
    const { time, clock, stalls } = setup();
    clock.run();
    time.ms += 100;
    expect(clock.ticks()).toBe(1_000_000);
    // A page that was frozen for an hour.
    time.ms += 3_600_000;
    expect(clock.ticks()).toBe(1_000_000);
    expect(stalls).toEqual([3_600_000]);
    time.ms += 1;
    expect(clock.ticks()).toBe(1_010_000);
    // Hiccups of a busy host are the guest's own time.
    time.ms += 3000;
    expect(clock.ticks()).toBe(31_010_000);
    expect(stalls).toHaveLength(1);
  });

  it('a guest that sleeps is no stall, and one that oversleeps loses only what was too much', () => {
    const { time, clock, stalls } = setup();
    clock.run();
    clock.leaveAlone(60_000);
    time.ms += 20_000;
    // Somebody else looks in between.
    expect(clock.ticks()).toBe(200_000_000);
    time.ms += 40_100;
    expect(clock.ticks()).toBe(601_000_000);
    expect(stalls).toEqual([]);
    clock.leaveAlone(1000);
    time.ms += 1000 + 7_200_000;
    expect(clock.ticks()).toBe(611_000_000);
    expect(stalls).toEqual([7_200_000]);
    // Woken early: it is watched again.
    clock.leaveAlone(600_000);
    time.ms += 50;
    clock.leaveAlone(0);
    time.ms += 30_000;
    expect(clock.ticks()).toBe(611_500_000);
    expect(stalls).toEqual([7_200_000, 30_000]);
  });

  it('a pause is no stall', () => {
    const { time, clock, stalls } = setup();
    clock.run();
    clock.stop();
    time.ms += 1e7;
    clock.run();
    time.ms += 2;
    expect(clock.ticks()).toBe(20_000);
    clock.set(70);
    expect(clock.ticks()).toBe(70);
    expect(stalls).toEqual([]);
  });
});
