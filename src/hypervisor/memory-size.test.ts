import { expect, test } from 'vitest';
import { formatMemorySize, parseMemorySize } from './memory-size.ts';

test.each([
  ['128', 128 << 20],
  ['128M', 128 << 20],
  ['128 MB', 128 << 20],
  ['128mib', 128 << 20],
  ['1.5G', 1.5 * 2 ** 30],
  ['2 GB', 2 ** 31],
  ['512k', 512 << 10],
])('%s is read', (text, bytes) => {
  expect(parseMemorySize(text)).toBe(bytes);
});

test.each(['', 'M', '-1M', '0', '1e9', '1TB', 'NaN', '1 2M', '128Mx', '9'.repeat(400)])(
  '%j is no size',
  (text) => {
    expect(parseMemorySize(text)).toBeUndefined();
  },
);

test('what is shown can be typed', () => {
  for (const bytes of [96, 128, 192, 512, 1024, 1536, 2048].map((size) => size * 2 ** 20)) {
    expect(parseMemorySize(formatMemorySize(bytes))).toBe(bytes);
  }
  expect(formatMemorySize(41_523_200)).toBe('39.6 MB');
});
