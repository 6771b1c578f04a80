import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatShare } from './format.ts';

test('durations', () => {
  expect([0, 7.9, 65, 3599, 3600, 90_061].map(formatDuration)).toEqual([
    '0:00',
    '0:07',
    '1:05',
    '59:59',
    '1:00:00',
    '25:01:01',
  ]);
});

test('a share that is small but there is not shown as nothing', () => {
  expect([0, 0.004, 0.5, 1].map(formatShare)).toEqual(['0%', '<1%', '50%', '100%']);
});

test('sizes of downloads', () => {
  expect([900, 153_000, 10_654_509].map(formatBytes)).toEqual(['1 kB', '153 kB', '10.7 MB']);
});
