import { expect, test } from 'vitest';
import { makeElf } from '../machine/loader/testing.ts';
import { readElfSymbols } from './elf-symbols.ts';

const file = makeElf({
  entry: 0x8000_0000n,
  segments: [],
  symbols: { start: 0x8000_0000n, loop: 0x8000_0010n, '.Lhidden': 0x8000_0014n },
});

test('finds the symbol that an address is in', () => {
  const table = readElfSymbols(file);
  expect(table.symbols.map(({ name }) => name)).toEqual(['start', 'loop']);
  expect(table.at(0x8000_000cn)?.name).toBe('start');
  expect(table.at(0x8000_0018n)?.name).toBe('loop');
  expect(table.at(0x7fff_fffen)).toBeUndefined();
  expect(table.named('loop')?.address).toBe(0x8000_0010n);
});

test('a damaged file has fewer symbols and is no failure', () => {
  for (let at = 0; at < file.length; at++) {
    for (const value of [0, 0x7f, 0xff]) {
      expect(readElfSymbols(file.with(at, value)).symbols.length).toBeLessThanOrEqual(3);
    }
    expect(readElfSymbols(file.slice(0, at)).symbols.length).toBeLessThanOrEqual(3);
  }
});
