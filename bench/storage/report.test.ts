import { expect, it } from 'vitest';
import { reportRow } from '../report.ts';
import { parseStorageArguments } from './arguments.ts';
import { medians, rowTable, snapshotTable, startTable } from './report.ts';
import { DISK_ROWS } from './rows.ts';

it('takes the median of each figure on its own, and none of nothing', () => {
  const rounds = [
    { cold: 3, warm: 1 },
    { cold: 1, warm: 2 },
    { cold: 2, warm: 9 },
  ];
  expect(medians(rounds, ['cold', 'warm'])).toEqual({ cold: 2, warm: 2 });
  expect(medians([], ['cold'])).toBeUndefined();
});

it('shows how much a second, seconds, and what failed', () => {
  const [write] = DISK_ROWS;
  if (!write) throw new Error('There are no rows.');
  const measured = (seconds: number) => [
    { boot: 1, rows: new Map([[write.name, { seconds, digest: 'd', clockError: 0 }]]) },
  ];
  const row = reportRow(
    write,
    { qemu10: measured(0.5), node: measured(0.25) },
    { chromium: 'No.' },
  );
  const lines = rowTable([row], DISK_ROWS).split('\n');
  expect(lines[1]?.split(/ {2,}/)).toEqual(['write', '128', '256', 'failed', 'MiB/s', '2.00', '–']);
  expect(rowTable([row])).toContain('0.500');
});

it('has a line for each measurement, also one that failed', () => {
  const figures = {
    ...{ pause: 1.25, whole: 400, bytes: 5e6, nextPause: 0.5, nextWhole: 40, nextBytes: 1e6 },
    ...{ restore: 12, answer: 99 },
  };
  const shown = snapshotTable([
    { name: '128 MB', place: 'node', figures },
    { name: '128 MB', place: 'chromium', figures: undefined, failure: 'It broke.' },
  ]).split('\n');
  expect(shown[1]?.split(/ {2,}/)).toEqual([
    '128 MB',
    'node',
    '1.3',
    '400',
    '5.0',
    '0.5',
    '40',
    '1.0',
    '12',
    '99',
  ]);
  expect(shown[2]?.match(/failed/g)).toHaveLength(8);
  expect(startTable([{ name: 'micro', place: 'chromium', figures: undefined }])).toMatch(
    /micro +failed +failed/,
  );
});

it('takes parts in their own order, and refuses what there is not', () => {
  expect(parseStorageArguments(['--parts', 'start,disk']).parts).toEqual(['disk', 'start']);
  expect(parseStorageArguments([]).rounds).toBe(3);
  expect(() => parseStorageArguments(['--parts', 'tape'])).toThrow(/--parts knows no "tape"/);
});
