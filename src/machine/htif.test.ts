import { beforeEach, describe, expect, it } from 'vitest';
import { HtifDevice } from './htif.ts';
import { GuestMemory } from './memory.ts';

const BASE = 0x8000_0000;
const TOHOST = BASE + 0x100;
const FROMHOST = BASE + 0x140;

let buffer: ArrayBuffer;
let view: DataView;
let output: string;
let input: number[];
let exits: number[];
let htif: HtifDevice;

beforeEach(() => {
  buffer = new ArrayBuffer(0x10000);
  view = new DataView(buffer);
  output = '';
  input = [];
  exits = [];
  const memory = new GuestMemory({ buffer, offset: 0, size: 0x10000 });
  htif = new HtifDevice(
    memory,
    { tohost: TOHOST, fromhost: FROMHOST },
    {
      consoleWrite: (data) => {
        output += String.fromCharCode(...data);
      },
      consoleRead: (most) => Uint8Array.from(input.splice(0, most)),
      exit: (code) => exits.push(code),
    },
  );
});

const tohost = (value: bigint) => view.setBigUint64(0x100, value, true);
const fromhost = () => view.getBigUint64(0x140, true);

describe('HTIF', () => {
  it.each([
    [1n, 0],
    [3n, 1],
    [(42n << 1n) | 1n, 42],
    [0xffff_ffff_ffffn, -1],
  ])('tohost = %i ends the program with code %i', (value, code) => {
    tohost(value);
    expect(htif.serve(false)).toBe(false);
    expect(exits).toEqual([]);
    expect(htif.serve(true)).toBe(true);
    expect(exits).toEqual([code]);
    expect(view.getBigUint64(0x100, true)).toBe(0n);
  });

  it('prints and says so', () => {
    tohost(0x0101_0000_0000_0041n);
    expect(htif.serve(false)).toBe(true);
    expect(output).toBe('A');
    expect(fromhost()).toBe(0x0101_0000_0000_0000n);
  });

  it('reads what is typed, now or later', () => {
    tohost(0x0100_0000_0000_0000n);
    htif.serve(false);
    expect(fromhost()).toBe(0n);
    input = [66, 67];
    htif.input();
    expect(fromhost()).toBe(0x0100_0000_0000_0042n);
    htif.input();
    expect(input).toEqual([67]);
  });

  it('serves the system calls write and exit', () => {
    const call = (...words: bigint[]) => {
      for (const [i, word] of words.entries()) view.setBigUint64(0x200 + 8 * i, word, true);
      tohost(BigInt(BASE + 0x200));
      htif.serve(true);
    };
    new Uint8Array(buffer).set([104, 105], 0x300);
    call(64n, 1n, BigInt(BASE + 0x300), 2n);
    expect(output).toBe('hi');
    expect(view.getBigUint64(0x200, true)).toBe(2n);
    expect(fromhost()).toBe(1n);
    call(93n, 7n);
    expect(exits).toEqual([7]);
    call(57n);
    expect(view.getBigInt64(0x200, true)).toBe(-38n);
  });

  it('ignores what points outside memory and what it does not know', () => {
    for (const value of [0x10n, 0xffff_ffff_fffen, 0x0702_0000_0000_0000n, 0x0199n << 48n]) {
      tohost(value);
      expect(htif.serve(true)).toBe(true);
      expect(view.getBigUint64(0x100, true)).toBe(0n);
    }
    view.setBigUint64(0x200, 64n, true);
    view.setBigUint64(0x210, 0xffff_ffff_ffff_fff0n, true);
    view.setBigUint64(0x218, 0xffff_ffff_ffff_ffffn, true);
    tohost(BigInt(BASE + 0x200));
    expect(htif.serve(true)).toBe(true);
    expect([output, exits, fromhost()]).toEqual(['', [], 0n]);
  });
});
