import { describe, expect, it } from 'vitest';
import { Ram } from './ram.ts';

const PAGE = 4096;

describe('RAM as a whole', () => {
  it('counts used pages, and none after it was cleared', () => {
    const buffer = new ArrayBuffer(64 * PAGE);
    const bytes = new Uint8Array(buffer);
    const ram = new Ram(buffer, 8 * PAGE, 40 * PAGE);
    expect(ram.used()).toBe(0);
    bytes.fill(1, 8 * PAGE, 10 * PAGE);
    bytes[7 * PAGE] = 1;
    bytes[48 * PAGE] = 1;
    expect(ram.used()).toBe(2 * PAGE);
    ram.clear();
    expect(ram.used()).toBe(0);
    expect(bytes.reduce((sum, byte) => sum + byte, 0)).toBe(2);
  });

  it('clears patterns that are no ordinary numbers', () => {
    const buffer = new ArrayBuffer(2 * PAGE);
    const bytes = new Uint8Array(buffer);
    const ram = new Ram(buffer, 0, 2 * PAGE);
    bytes[15] = 0x80; // -0.0
    bytes.fill(0xff, PAGE, PAGE + 8); // NaN
    bytes[2 * PAGE - 8] = 1; // subnormal
    ram.clear();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('looks at a large RAM block by block', () => {
    const buffer = new ArrayBuffer(256 << 20);
    const ram = new Ram(buffer, 0, 256 << 20);
    expect(ram.used()).toBe(0);
    for (const at of [0, 100 << 20, 255 << 20]) new Uint8Array(buffer)[at] = 1;
    let used = 0;
    expect(ram.used(true)).toBe(3 * PAGE);
    new Uint8Array(buffer)[200 << 20] = 1;
    for (let i = 0; i < 2; i++) used = ram.used();
    expect(used).toBe(4 * PAGE);
  });
});
