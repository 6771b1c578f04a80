import { describe, expect, test } from 'vitest';
import { GuestMemory, GuestMemoryFault, RAM_BASE } from './memory.ts';

const SIZE = 0x1000;

function memory(onWrite?: (at: number, length: number) => void) {
  const buffer = new SharedArrayBuffer(SIZE + 0x200);
  const ram = new GuestMemory({ buffer, offset: 0x100, size: SIZE, ...(onWrite && { onWrite }) });
  return { buffer, ram };
}

describe('guest memory', () => {
  test('an address and a length become an offset only inside RAM', () => {
    const { ram } = memory();
    expect(ram.locate(RAM_BASE, 0, SIZE)).toBe(0);
    expect(ram.locate(RAM_BASE + SIZE - 1, 0, 1)).toBe(SIZE - 1);
    expect(ram.locate(RAM_BASE + SIZE, 0, 0)).toBe(SIZE);
    for (const [low, high, length] of [
      [RAM_BASE - 1, 0, 1],
      [RAM_BASE - 1, 0, 2],
      [RAM_BASE, 0, SIZE + 1],
      [RAM_BASE + SIZE, 0, 1],
      [0x1000_1000, 0, 4],
      [RAM_BASE, 1, 4],
      [RAM_BASE, 0xffff_ffff, 4],
      [0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
      [RAM_BASE, 0x20_0000, 4],
      [RAM_BASE, 0, -1],
      [RAM_BASE, 0, Number.NaN],
    ] as const) {
      expect(() => ram.locate(low, high, length)).toThrow(GuestMemoryFault);
    }
    expect(ram.locate64(0x8000_0010n, 4)).toBe(0x10);
    expect(() => ram.locate64(0x8000_0000_8000_0010n, 4)).toThrow(/0x8000000080000010 are not RAM/);
    expect(ram.contains(RAM_BASE, 0, SIZE)).toBe(true);
    expect(ram.contains(RAM_BASE, 0, SIZE + 1)).toBe(false);
  });

  test('reads and writes copy, and never touch what surrounds RAM', () => {
    const { buffer, ram } = memory();
    const all = new Uint8Array(buffer);
    ram.write(ram.locate(RAM_BASE, 0, SIZE), 0, new Uint8Array(SIZE).fill(0xaa));
    expect(all.slice(0, 0x100).every((byte) => byte === 0)).toBe(true);
    expect(all.slice(0x100 + SIZE).every((byte) => byte === 0)).toBe(true);
    const into = new Uint8Array(4);
    ram.read(ram.locate(RAM_BASE + 8, 0, 4), 0, into);
    all[0x108] = 1;
    expect([...into]).toEqual([0xaa, 0xaa, 0xaa, 0xaa]);
    const end = ram.locate(RAM_BASE + SIZE - 2, 0, 2);
    expect(() => ram.read(end, 0, into)).toThrow(GuestMemoryFault);
    expect(() => ram.write(end, 0, into)).toThrow(GuestMemoryFault);
    expect(() => ram.writeU32(end, 0, 1)).toThrow(RangeError);
  });

  test('numbers are little endian and unsigned', () => {
    const { ram } = memory();
    const at = ram.locate(RAM_BASE, 0, 16);
    ram.writeU32(at, 4, 0xfedc_ba98);
    expect(ram.readU32(at, 4)).toBe(0xfedc_ba98);
    expect(ram.readU16(at, 4)).toBe(0xba98);
    expect(ram.readU8(at, 7)).toBe(0xfe);
    ram.storeReleaseU16(at, 2, 0x1234);
    expect(ram.loadAcquireU16(at, 2)).toBe(0x1234);
    expect(ram.readU8(at, 2)).toBe(0x34);
  });

  test('each write is told with its place and length', () => {
    const writes: [number, number][] = [];
    const { ram } = memory((at, length) => writes.push([at, length]));
    const at = ram.locate(RAM_BASE + 0x20, 0, 16);
    ram.writeU8(at, 1, 1);
    ram.writeU16(at, 2, 1);
    ram.writeU32(at, 4, 1);
    ram.storeReleaseU16(at, 8, 1);
    ram.write(at, 9, new Uint8Array(5));
    expect(writes).toEqual([
      [0x21, 1],
      [0x22, 2],
      [0x24, 4],
      [0x28, 2],
      [0x29, 5],
    ]);
  });
});
