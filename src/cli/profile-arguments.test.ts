import { expect, test } from 'vitest';
import { parseProfileArguments } from './profile-arguments.ts';

test('takes its own options and leaves the others', () => {
  expect(
    parseProfileArguments(['--top=5', '--exec', 'true', '--by', 'address', '--json', '--boot']),
  ).toEqual({
    top: 5,
    by: 'address',
    json: true,
    region: undefined,
    boot: true,
    interval: 20_000,
    rest: ['--exec', 'true'],
  });
});

test.each([
  [['--top', '0'], /^--top is a number from 1 to \d+, not "0"\.$/],
  [['--top'], /^--top needs a value\./],
  [['--region', '--json'], /^--region needs a value\./],
  [['--by', 'file'], /^--by is one of function, address, not "file"\.$/],
  [['--json=1'], /^--json takes no value, so not "1"\.$/],
  [['--region', 'f', '--json'], /exclude each other/],
])('%j is refused with a sentence', (words, sentence) => {
  expect(() => parseProfileArguments(words)).toThrow(sentence);
});
