import { expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';
import { ROWS } from './rows.ts';

it('takes rows and sides in their own order', () => {
  const args = parseArguments(['--rows', 'sh,boot,sha256', '--sides', 'node, qemu10']);
  expect(args.boot).toBe(true);
  expect(args.rows.map(({ name }) => name)).toEqual(['sha256', 'sh']);
  expect(args.sides).toEqual(['qemu10', 'node']);
  expect(args.rounds).toBe(3);
  expect(parseArguments([]).rows).toEqual(ROWS);
  expect(parseArguments(['--quick']).rounds).toBe(1);
});

it.each([
  [['--rows', 'sh,tea'], /--rows knows no "tea"/],
  [['--sides', 'v86'], /--sides knows no "v86"/],
  [['--rounds', '0'], /"0" is no number of rounds/],
  [['--fast'], /--fast/],
])('refuses %j', (words, sentence) => {
  expect(() => parseArguments(words)).toThrow(sentence);
});
