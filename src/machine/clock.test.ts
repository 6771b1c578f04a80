import { describe, expect, it } from 'vitest';
import { GuestClock } from './clock.ts';

function setup() {
  const time = { ms: 5000 };
  return { time, clock: new GuestClock(() => time.ms) };
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
});
