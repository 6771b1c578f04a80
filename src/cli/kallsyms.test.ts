import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readKallsyms } from './kallsyms.ts';

const file = new URL('../../images/micro/kernel', import.meta.url);
const NONE = /^The kernel has no table of symbols \(kallsyms\), or it is damaged\. Give [^\n]+\.$/;

/** `count` symbols of the kind that scripts/kallsyms.c writes: tokens are single characters. */
function makeTable(count: number, { base = 0xffff_ffff_8000_0000n, before = false } = {}) {
  const bytes: number[] = Array.from({ length: 256 }, (_, i) => i % 7);
  const align = () => {
    while (bytes.length % 8 !== 0) bytes.push(0);
  };
  const number = (value: bigint, size: number) => {
    for (let i = 0; i < size; i++) bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
  };
  const offsets = () => {
    align();
    for (let i = 0; i < count; i++) number(BigInt(16 * i), 4);
    align();
    number(base, 8);
  };
  if (before) offsets();
  align();
  number(BigInt(count), 4);
  align();
  const names = bytes.length;
  const markers: number[] = [];
  for (let i = 0; i < count; i++) {
    if (i % 256 === 0) markers.push(bytes.length - names);
    // Every seventh name needs a length of two bytes.
    const text = `${i % 2 ? 't' : 'T'}symbol_${i}${i % 7 ? '' : 'x'.repeat(130)}`;
    if (text.length < 128) bytes.push(text.length);
    else bytes.push((text.length & 0x7f) | 0x80, text.length >> 7);
    bytes.push(...Buffer.from(text));
  }
  align();
  for (const marker of markers) number(BigInt(marker), 4);
  align();
  const places: number[] = [];
  const tokens = bytes.length;
  for (let i = 0; i < 256; i++) {
    places.push(bytes.length - tokens);
    bytes.push(...(i > 32 && i < 127 ? [i] : Buffer.from(`token${i}`)), 0);
  }
  align();
  for (const place of places) number(BigInt(place), 2);
  if (!before) offsets();
  bytes.push(...Array.from({ length: 64 }, () => 0));
  return Uint8Array.from(bytes);
}

describe('a table of symbols', () => {
  test.each([
    { count: 1000, before: false },
    { count: 1000, before: true },
    { count: 257, before: false },
    { count: 512, before: true },
  ])('$count symbols, offsets before: $before', ({ count, before }) => {
    const table = readKallsyms(makeTable(count, { before }));
    expect(table.symbols).toHaveLength(count);
    expect(table.symbols[8]).toEqual({
      address: 0xffff_ffff_8000_0080n,
      name: 'symbol_8',
      type: 'T',
    });
    expect(table.symbols.at(-1)?.address).toBe(0xffff_ffff_8000_0000n + BigInt(16 * (count - 1)));
  });

  test('of a kernel that gets its place when it starts', () => {
    expect(readKallsyms(makeTable(300, { base: 0n })).symbols[1]?.address).toBe(
      0xffff_ffff_8000_0010n,
    );
  });

  test('anything else gives a sentence', () => {
    for (const image of [new Uint8Array(0), new Uint8Array(100_000), Buffer.from('0\x001\x002')]) {
      expect(() => readKallsyms(image)).toThrow(NONE);
    }
  });

  test('damage gives a sentence or another table, and no crash', () => {
    const whole = makeTable(600);
    let refused = 0;
    for (let at = 0; at < whole.length; at += 61) {
      for (const image of [whole.slice(0, at), whole.with(at, (whole[at] ?? 0) ^ 0x55)]) {
        try {
          readKallsyms(image);
        } catch (error) {
          refused++;
          expect(error).toHaveProperty('message', expect.stringMatching(NONE));
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe.skipIf(!existsSync(file))("Debian's kernel", () => {
  const image = existsSync(file) ? readFileSync(file) : new Uint8Array(0);
  const table = readKallsyms(image);

  test('has its symbols in order, each with a type', () => {
    expect(table.symbols.length).toBeGreaterThan(50_000);
    expect(table.symbols[0]).toMatchObject({ name: '_start', address: 0xffff_ffff_8000_0000n });
    for (const [i, { address, name, type }] of table.symbols.entries()) {
      expect(address >= (table.symbols[i - 1]?.address ?? 0n)).toBe(true);
      if (!/^[A-Za-z]$/.test(type) || name === '') throw new Error(`${i}: ${type} ${name}`);
    }
  });

  test('has what every kernel has', () => {
    expect(table.named('schedule')?.type).toBe('T');
    expect(table.named('memcpy')?.type).toMatch(/[TW]/);
    const schedule = table.named('schedule')?.address ?? 0n;
    expect(table.at(schedule)?.name).toBe('schedule');
    expect(table.at(schedule + 4n)?.name).toBe('schedule');
    expect(table.at(0x1000n)).toBeUndefined();
    expect(table.at(0xffff_ffff_ffff_0000n)).toBeUndefined();
  });

  test('cut short, it has none', () => {
    expect(() => readKallsyms(image.subarray(0, 1 << 20))).toThrow(NONE);
  });
});
