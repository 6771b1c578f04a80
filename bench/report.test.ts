import { describe, expect, it } from 'vitest';
import type { Failed, Measured, Pass } from './pass.ts';
import { geometricMean, meanOf, median, reportRow, table } from './report.ts';

const measured = (seconds: number, digest = 'd', instructions?: number): Measured => ({
  seconds,
  digest,
  clockError: 0,
  instructions,
});
const pass = (row: Measured | Failed, boot: number | Failed = 1): Pass => ({
  boot,
  rows: new Map([['sh', row]]),
});
const sh = { name: 'sh', what: 'a loop', repetitions: 1, v86Seconds: 12 };

describe('figures', () => {
  it('takes medians and the geometric mean', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1])).toBe(2.5);
    expect(median([])).toBeNull();
    expect(geometricMean([0.5, 2])).toBeCloseTo(1);
    expect(geometricMean([])).toBeNull();
  });

  it('compares with the better QEMU', () => {
    const row = reportRow(
      sh,
      {
        qemu10: [pass(measured(2)), pass(measured(9)), pass(measured(3))],
        qemu7: [pass(measured(4))],
        node: [pass(measured(6, 'd', 1000)), pass(measured(6, 'd', 1010))],
        chromium: [pass(measured(1.5))],
      },
      { interpreter: 'left out' },
    );
    expect(row).toMatchObject({
      qemu10_s: 3,
      qemu7_s: 4,
      qemu_s: 3,
      node_s: 6,
      node_ratio: 0.5,
      chromium_ratio: 2,
      v86_ratio: 8,
      interpreter_s: null,
      instructions: 1005,
      failures: { interpreter: 'left out' },
    });
  });

  it('counts a row as failed when one pass failed or printed something else', () => {
    const passes = {
      qemu10: [pass(measured(2))],
      node: [pass(measured(1)), pass({ failure: 'It hung.' })],
      chromium: [pass(measured(1, 'other'))],
    };
    const row = reportRow(sh, passes, {});
    expect(row.node_s).toBeNull();
    expect(row.node_ratio).toBeNull();
    expect(row.chromium_s).toBeNull();
    expect(row.failures).toEqual({
      node: 'It hung.',
      chromium: 'The output differs from that on QEMU.',
    });
    expect(meanOf([row], 'chromium_ratio')).toBeNull();
    const shown = table([row], new Set());
    expect(shown.match(/failed/g)).toHaveLength(2);
    expect(shown).toMatch(/^sh\s+2\.000/m);
  });

  it('takes the boot from the host', () => {
    const boot = { name: 'boot', what: 'boot', repetitions: 1 };
    const passes = { qemu7: [pass(measured(1), 2)], node: [pass(measured(1), { failure: 'Hm.' })] };
    const row = reportRow(boot, passes, {});
    expect(row.qemu_s).toBe(2);
    expect(row.failures).toEqual({ node: 'Hm.' });
  });
});
