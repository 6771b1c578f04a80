import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryBackend } from './memory-backend.ts';

const SIZE = 300_000;
const range = fc
  .tuple(fc.nat(SIZE), fc.nat(SIZE))
  .map(([a, b]) => ({ offset: Math.min(a, b), length: Math.abs(a - b) }));

test('behaves like one array of bytes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ range, what: fc.constantFrom('write', 'zero', 'discard'), fill: fc.nat(255) }),
      ),
      (steps) => {
        const disk = new MemoryBackend(SIZE, { contents: Uint8Array.of(7, 8, 9) });
        const model = new Uint8Array(SIZE);
        model.set([7, 8, 9]);
        for (const {
          range: { offset, length },
          what,
          fill,
        } of steps) {
          if (what === 'write') disk.write(offset, new Uint8Array(length).fill(fill));
          else if (what === 'zero') disk.writeZeroes(offset, length);
          else disk.discard(offset, length);
          model.fill(what === 'write' ? fill : 0, offset, offset + length);
        }
        const all = new Uint8Array(SIZE).fill(0xee);
        disk.read(0, all);
        expect(all.every((byte, i) => byte === model[i])).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
});

test('takes memory only for what is written, and gives it back', () => {
  const disk = new MemoryBackend(2 ** 40);
  disk.write(2 ** 39, Uint8Array.of(1));
  expect(disk.allocated).toBe(65_536);
  disk.discard(0, 2 ** 40);
  expect(disk.allocated).toBe(0);
});

test('refuses what lies outside, and contents that do not fit', () => {
  const disk = new MemoryBackend(1024);
  expect(() => disk.read(1000, new Uint8Array(25))).toThrow(/go beyond the disk/);
  expect(() => disk.write(-1, new Uint8Array(1))).toThrow(RangeError);
  expect(() => disk.discard(Number.NaN, 1)).toThrow(RangeError);
  expect(() => new MemoryBackend(2, { contents: new Uint8Array(3) })).toThrow(/do not fit/);
  expect(() => new MemoryBackend(-1)).toThrow(RangeError);
});
