import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COST_BILLS, COST_HOURS, Costs, sumOf, type Usage } from './costs.ts';

const HOUR = 3600_000;
const usage = (from: number, to: number, rest: Partial<Usage> = {}): Usage => ({
  from,
  to,
  instructions: 0,
  busy: 0,
  memory: 0,
  storage: 0,
  ...rest,
});

describe('costs', () => {
  it('add up, by the hour', () => {
    const costs = new Costs();
    // Half an hour at half a processor, over the turn of an hour.
    costs.charge('1', 'web', {
      from: 9.75 * HOUR,
      to: 10.25 * HOUR,
      instructions: 1000,
      busy: 0.5,
      memory: 4096,
      storage: 100,
    });
    const [bill] = costs.bills;
    expect(bill?.total).toEqual({
      instructions: 1000,
      cpu_s: 900,
      memory_byte_hours: 2048,
      storage_byte_hours: 50,
      on_s: 1800,
    });
    expect(bill?.hours.map(({ hour, cost }) => [hour, cost.cpu_s])).toEqual([
      [9, 450],
      [10, 450],
    ]);
  });

  it('keep the bill of a VM that is gone, across a restore too, and take nothing that is no bill', () => {
    const costs = new Costs();
    costs.charge('1', 'web', usage(0, HOUR, { busy: 1 }));
    costs.deleted('1');
    expect(costs.bills).toMatchObject([{ name: 'web', deleted: true }]);
    const later = new Costs();
    later.charge('1', 'other', usage(5 * HOUR, 6 * HOUR, { busy: 1 }));
    const stored = JSON.parse(JSON.stringify(costs.bills));
    later.restore([...stored, { vm: 'x' }, 7], (vm) => `former-${vm}`);
    later.restore({}, (vm) => vm);
    expect(later.bills.map(({ vm, name, deleted }) => `${vm} ${name} ${deleted}`)).toEqual([
      '1 other false',
      'former-1 web true',
    ]);
    expect(sumOf(later.bills.map(({ total }) => total)).cpu_s).toBe(7200);
  });

  it('drop deleted VMs first when there are too many', () => {
    const costs = new Costs();
    for (let vm = 0; vm <= COST_BILLS; vm++) {
      costs.charge(String(vm), 'x', usage(0, 1000, { busy: 1 }));
      if (vm === 3) costs.deleted('3');
    }
    expect(costs.bills).toHaveLength(COST_BILLS);
    expect(costs.bills.some(({ vm }) => vm === '3')).toBe(false);
  });

  it('each interval is charged once and whole: hours add up to the total', () => {
    const intervals = fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: HOUR }),
        length: fc.integer({ min: 1, max: 2 * HOUR }),
        busy: fc.double({ min: 0, max: 1, noNaN: true }),
        memory: fc.integer({ min: 0, max: 2 ** 31 }),
        instructions: fc.integer({ min: 0, max: 1e9 }),
      }),
      { minLength: 1, maxLength: 15 },
    );
    fc.assert(
      fc.property(intervals, (list) => {
        const costs = new Costs();
        let now = 1000 * HOUR + 17;
        const expected = { cpu_s: 0, instructions: 0, on_s: 0 };
        for (const { gap, length, ...rest } of list) {
          now += gap;
          costs.charge('1', 'web', usage(now, now + length, rest));
          now += length;
          expected.cpu_s += (rest.busy * length) / 1000;
          expected.instructions += rest.instructions;
          expected.on_s += length / 1000;
        }
        const [bill] = costs.bills;
        const hours = sumOf(bill?.hours.map(({ cost }) => cost) ?? []);
        for (const key of ['cpu_s', 'instructions', 'on_s'] as const) {
          expect(bill?.total[key]).toBeCloseTo(expected[key], 3);
          expect(hours[key]).toBeCloseTo(expected[key], 3);
        }
        expect(bill?.hours.length).toBeLessThanOrEqual(COST_HOURS);
      }),
    );
  });
});
