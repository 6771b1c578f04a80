import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { axisOf, COARSE, FINE, Series, windowUntil } from './series.ts';

const T0 = 1_700_000_000_000;
const lastMinutes = (now: number, minutes: number) => windowUntil(now, minutes * 60_000);

describe('series', () => {
  it('keeps each second for ten minutes and each minute for a day', () => {
    const series = new Series();
    const end = T0 + 25 * 3600_000;
    for (let time = T0; time < end; time += 1000) {
      series.record(time, time + 1000, { seconds: (time - T0) / 1000 });
    }
    const fine = series.read('seconds', lastMinutes(end - 1, 10));
    expect(fine).toHaveLength(600);
    expect(fine.at(-1)).toBe(25 * 3600 - 1);
    expect(fine[0]).toBe(25 * 3600 - 600);
    const coarse = series.read('seconds', lastMinutes(end - 1, 24 * 60));
    expect(coarse).toHaveLength(1440);
    expect(coarse.every((value) => value !== null)).toBe(true);
  });

  it('leaves gaps where nothing was measured, also when a whole ring was passed over', () => {
    const series = new Series();
    series.record(T0, T0 + 1000, { a: 1 });
    series.record(T0 + 3000, T0 + 4000, { a: 2 });
    expect(series.read('a', lastMinutes(T0 + 3999, 1)).slice(-5)).toEqual([null, 1, null, null, 2]);
    const later = T0 + 7 * 24 * 3600_000;
    series.record(later, later + 1000, { a: 3 });
    const values = series.read('a', lastMinutes(later, 10));
    expect(values.filter((value) => value !== null)).toEqual([3]);
  });

  it('has one time axis for all: slots begin at whole steps', () => {
    const window = lastMinutes(T0 + 456, 1);
    expect(window.resolution).toBe(FINE);
    expect(axisOf(window).every((time) => Number.isInteger(time))).toBe(true);
    expect(axisOf(window).at(-1)).toBe(T0 / 1000);
    const hours = lastMinutes(T0 + 456, 120);
    expect(hours.resolution).toBe(COARSE);
    expect(hours.count).toBe(120);
    expect(axisOf(hours).every((time) => time % 60 === 0)).toBe(true);
  });

  it('shows peaks that a mean hides', () => {
    const series = new Series();
    const minute = Math.ceil(T0 / 60_000) * 60_000;
    series.record(minute, minute + 59_000, { a: 0 });
    series.record(minute + 59_000, minute + 60_000, { a: 1 });
    const window = lastMinutes(minute + 59_999, 60);
    expect(series.read('a', window).at(-1)).toBeCloseTo(1 / 60);
    expect(series.read('a', window, 'peak').at(-1)).toBe(1);
  });

  const interval = fc.record({
    gap: fc.integer({ min: 0, max: 20_000 }),
    length: fc.integer({ min: 1, max: 9000 }),
    value: fc.integer({ min: 0, max: 1000 }),
  });

  it('nothing is lost or minted: the sum over the slots is the sum over the figures', () => {
    fc.assert(
      fc.property(fc.array(interval, { minLength: 1, maxLength: 15 }), (intervals) => {
        const series = new Series<'work' | 'time'>();
        let now = T0;
        let work = 0;
        for (const { gap, length, value } of intervals) {
          now += gap;
          // Work as a rate over its own time, time as the share of a slot that was measured.
          series.record(now, now + length, { work: value });
          work += value * length;
          now += length;
        }
        const total = (span: number) => {
          const window = windowUntil(now, span);
          const means = series.read('work', window);
          // What a slot stands for: its length, less what was not measured of it.
          return means.reduce<number>((sum, mean, index) => {
            const begin = (window.first + index) * window.resolution.step_ms;
            return sum + (mean ?? 0) * measured(intervals, begin, window.resolution.step_ms);
          }, 0);
        };
        // Whole hours in any case: all intervals lie within the window.
        expect(total(24 * 3600_000) / Math.max(1, work)).toBeCloseTo(work === 0 ? 0 : 1, 3);
        if (now - T0 < 590_000) {
          expect(total(600_000) / Math.max(1, work)).toBeCloseTo(work === 0 ? 0 : 1, 3);
        }
      }),
    );
  });

  it('its memory grows with its metrics only', () => {
    const series = new Series();
    series.record(T0, T0 + 1000, { a: 1, b: 2 });
    const { bytes } = series;
    fc.assert(
      fc.property(
        fc.double({ min: -1e13, max: 1e13, noNaN: true }),
        fc.double({ noNaN: false }),
        fc.double(),
        (at, length, value) => {
          series.record(at, at + length, { a: value });
          expect(series.bytes).toBe(bytes);
          for (const read of series.read('a', windowUntil(at, 600_000))) {
            if (read !== null) expect(read).not.toBeNaN();
          }
        },
      ),
    );
  });
});

/** Milliseconds of the slot that one of the intervals covers. */
function measured(
  intervals: readonly { gap: number; length: number }[],
  begin: number,
  step: number,
): number {
  let now = T0;
  let covered = 0;
  for (const { gap, length } of intervals) {
    now += gap;
    covered += Math.max(0, Math.min(now + length, begin + step) - Math.max(now, begin));
    now += length;
  }
  return covered;
}
