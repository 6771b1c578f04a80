import { afterEach, expect, it, vi } from 'vitest';
import { runnable } from './rounds.ts';
import { ROWS } from './rows.ts';

afterEach(() => vi.restoreAllMocks());

const named = (...names: string[]) => ROWS.filter(({ name }) => names.includes(name));

it('leaves rows out whose guest has not been made, with a sentence', () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  const wanted = named('sh', 'python3', 'gcc');
  const { rows, guests } = runnable(wanted, (guest) => guest === 'micro');
  expect(rows.map(({ name }) => name)).toEqual(['sh']);
  expect(guests).toEqual(['micro']);
  expect(said.mock.calls).toEqual([
    [expect.stringMatching(/^Left out: python3, gcc\. .* debian, .* makes it\.$/)],
  ]);
});

it('boots only the guests that a row needs', () => {
  expect(runnable(named('sh'), () => true).guests).toEqual(['micro']);
  expect(runnable(named('perl', 'sqlite3'), () => true).guests).toEqual(['debian']);
  expect(runnable(ROWS, () => true)).toEqual({ rows: ROWS, guests: ['micro', 'debian'] });
});
