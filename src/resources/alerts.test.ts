import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALERT_RULES, type AlertKind, type AlertRule, Alerts } from './alerts.ts';

const rule: AlertRule = {
  kind: 'cpu-starved',
  title: 'Starved',
  level: 'warning',
  raise: 0.5,
  clear: 0.3,
  raiseAfter_ms: 10_000,
  clearAfter_ms: 5000,
  text: (percent) => `Waits ${percent}.`,
};

function reading(value: number | undefined, kind: AlertKind = 'cpu-starved') {
  return [{ vm: '1', name: 'web', values: value === undefined ? {} : { [kind]: value } }];
}

describe('alerts', () => {
  it('are raised after a while beyond the threshold, and cleared after a while below the lower one', () => {
    const alerts = new Alerts([rule]);
    const at = (seconds: number, value: number | undefined) => {
      const { raised, cleared } = alerts.evaluate(seconds * 1000, reading(value));
      return `${raised.map(({ text }) => text)}${cleared.map(() => 'cleared')}`;
    };
    expect(at(0, 0.6)).toBe('');
    expect(at(9, 0.6)).toBe('');
    expect(at(10, 0.7)).toBe('Waits 70%.');
    expect(at(11, 0.4)).toBe('');
    expect(alerts.active).toMatchObject([{ name: 'web', since: 0, raisedAt: 10_000 }]);
    // Between the two thresholds nothing changes, and the time below starts anew.
    expect(at(12, 0.2)).toBe('');
    expect(at(15, 0.35)).toBe('');
    expect(at(16, 0.2)).toBe('');
    expect(at(20, 0.2)).toBe('');
    expect(at(21, 0.2)).toBe('cleared');
    expect(alerts.active).toEqual([]);
  });

  it('what was not measured neither raises nor clears', () => {
    const alerts = new Alerts([rule]);
    alerts.evaluate(0, reading(0.9));
    alerts.evaluate(5000, reading(undefined));
    expect(alerts.evaluate(12_000, reading(0.9)).raised).toEqual([]);
    expect(alerts.evaluate(22_000, reading(0.9)).raised).toHaveLength(1);
    expect(alerts.evaluate(90_000, reading(undefined)).cleared).toEqual([]);
    expect(alerts.active).toHaveLength(1);
  });

  it('end with their VM, and with their kind when it is muted', () => {
    const alerts = new Alerts();
    alerts.evaluate(0, [...reading(1, 'stopped'), { name: 'host', values: { 'storage-full': 1 } }]);
    expect(alerts.active.map(({ name }) => name).sort()).toEqual(['host', 'web']);
    alerts.evaluate(1, [{ name: 'host', values: { 'storage-full': 1 } }]);
    expect(alerts.active.map(({ name }) => name)).toEqual(['host']);
    alerts.mute('storage-full', true);
    expect(alerts.active).toEqual([]);
    expect(alerts.evaluate(2, [{ name: 'host', values: { 'storage-full': 1 } }]).raised).toEqual(
      [],
    );
    alerts.mute('storage-full', false);
    expect(
      alerts.evaluate(3, [{ name: 'host', values: { 'storage-full': 1 } }]).raised,
    ).toHaveLength(1);
  });

  it('a VM that stopped is told at once, and its start clears it', () => {
    const alerts = new Alerts();
    expect(alerts.evaluate(0, reading(1, 'stopped')).raised).toHaveLength(1);
    expect(alerts.evaluate(1, reading(0, 'stopped')).cleared).toHaveLength(1);
  });

  it('every rule has hysteresis in the right direction, and says what to do', () => {
    for (const { clear, raise, text } of ALERT_RULES) {
      expect(clear).toBeLessThanOrEqual(raise);
      expect(text('95%')).toMatch(/\. .+\.$/);
    }
  });

  const steps = fc.array(
    fc.record({
      ms: fc.integer({ min: 1, max: 8000 }),
      value: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    }),
    { maxLength: 200 },
  );

  it('raised only when all readings of the whole duration were beyond the threshold', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const alerts = new Alerts([rule]);
        let now = 0;
        let beyondSince: number | undefined;
        let belowSince: number | undefined;
        let standing = false;
        for (const { ms, value } of list) {
          now += ms;
          if (value === undefined || value < rule.raise) beyondSince = undefined;
          else beyondSince ??= now;
          if (value === undefined || value >= rule.clear) belowSince = undefined;
          else belowSince ??= now;
          const { raised, cleared } = alerts.evaluate(now, reading(value));
          if (raised.length > 0) {
            expect(standing).toBe(false);
            expect(now - (beyondSince ?? now)).toBeGreaterThanOrEqual(rule.raiseAfter_ms);
            standing = true;
          } else if (cleared.length > 0) {
            expect(standing).toBe(true);
            expect(now - (belowSince ?? now)).toBeGreaterThanOrEqual(rule.clearAfter_ms);
            standing = false;
          } else if (!standing && beyondSince !== undefined) {
            // And never later than that.
            expect(now - beyondSince).toBeLessThan(rule.raiseAfter_ms);
          }
          expect(alerts.active.length).toBe(standing ? 1 : 0);
        }
      }),
    );
  });
});
