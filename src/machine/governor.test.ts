import { describe, expect, it } from 'vitest';
import { CpuGovernor } from './governor.ts';

/** A guest that always has work, on a clock of its own; `late`: how much later its sleeps end. */
function spin(governor: CpuGovernor, clock: { ms: number }, ms: number, late = 0) {
  let ran = 0;
  let longest = 0;
  for (const end = clock.ms + ms; clock.ms < end; ) {
    const wait = governor.wait();
    if (wait > 0) {
      governor.steal();
      clock.ms += wait + late;
      longest = Math.max(longest, wait + late);
      governor.endSteal();
      continue;
    }
    const slice = governor.slice(6);
    clock.ms += slice;
    governor.ran(slice);
    ran += slice;
  }
  return { ran, longest };
}

describe('a governor', () => {
  it.each([0.01, 0.05, 0.2, 0.5, 0.9])('lets %d of a processor through', (quota) => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    governor.quota = quota;
    const { ran } = spin(governor, clock, 20_000);
    expect(ran / 20_000).toBeGreaterThan(quota * 0.98);
    expect(ran / 20_000).toBeLessThan(quota * 1.05);
    expect(governor.stealMs + ran).toBeCloseTo(clock.ms, 3);
  });

  it.each([15, 300])('has back what a timer that is %d ms late costs', (late) => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    governor.quota = 0.25;
    expect(spin(governor, clock, 60_000, late).ran / 60_000).toBeCloseTo(0.25, 2);
  });

  it('waits in short pieces', () => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    governor.quota = 0.2;
    expect(spin(governor, clock, 5000).longest).toBeLessThan(40);
  });

  it.each([0.01, 0.2, 0.9])('lets %d through, also where somebody types all the time', (quota) => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    governor.quota = quota;
    let ran = 0;
    for (; clock.ms < 20_000; clock.ms++) {
      governor.hurry();
      while (governor.wait() === 0) {
        const slice = governor.slice(6);
        clock.ms += slice;
        governor.ran(slice);
        ran += slice;
        governor.hurry();
      }
      governor.steal();
    }
    expect(ran / clock.ms).toBeLessThan(quota * 1.05);
    expect(ran / clock.ms).toBeGreaterThan(quota * 0.9);
  });

  it('runs at once for who types, and waits for that afterwards', () => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    governor.quota = 0.2;
    const run = () => {
      const slice = governor.slice(6);
      clock.ms += slice;
      governor.ran(slice);
      return slice;
    };
    while (governor.wait() === 0) run();
    const before = governor.wait();
    governor.hurry();
    expect(governor.wait()).toBe(0);
    const ahead = run();
    expect(ahead).toBeGreaterThanOrEqual(2);
    expect(governor.wait()).toBeCloseTo(before + ahead / 0.2 - ahead, 3);
    // It does not go on like that.
    for (let key = 0; key < 5; key++) {
      governor.hurry();
      if (governor.wait() === 0) run();
    }
    expect(governor.wait()).toBeGreaterThan(30);
  });

  it('does not save up more than a tenth of a second of its quota', () => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    governor.quota = 0.2;
    governor.idle(60_000);
    clock.ms += 60_000;
    expect(spin(governor, clock, 1000).ran).toBeLessThan(0.2 * 1100 + 7);
  });

  it('without a quota never waits', () => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    expect(spin(governor, clock, 1000).ran).toBeGreaterThanOrEqual(1000);
    governor.quota = 0.1;
    spin(governor, clock, 1000);
    governor.quota = undefined;
    expect(governor.wait()).toBe(0);
    expect(governor.stealMs).toBeGreaterThan(800);
  });

  it.each([0, -1, Number.NaN])('refuses a quota of %d', (quota) => {
    const governor = new CpuGovernor(() => 0);
    expect(() => {
      governor.quota = quota;
    }).toThrow(RangeError);
  });

  it('tells what the guest would use, and at once when it falls asleep', () => {
    const clock = { ms: 0 };
    const governor = new CpuGovernor(() => clock.ms);
    const told: number[] = [];
    governor.onDemand((demand) => told.push(demand));
    governor.quota = 0.2;
    spin(governor, clock, 1000);
    expect(told).toEqual([1]);
    governor.idle(1000);
    expect(told).toEqual([1, 0]);
    clock.ms += 5000;
    spin(governor, clock, 200);
    expect(told.at(-1)).toBe(1);
    // Ticks of an idle guest's timer are no demand.
    governor.idle(1000);
    for (let i = 0; i < 20; i++) {
      clock.ms += 250;
      governor.ran(0.5);
      governor.idle(250);
    }
    expect(told.at(-1)).toBe(0);
  });
});
