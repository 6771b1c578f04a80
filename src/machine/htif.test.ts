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
/** What was stored last: its lower half, or all of it. */
const half = () => htif.serve(BigInt(TOHOST), 4);
const whole = () => htif.serve(BigInt(TOHOST), 8);
const fromhost = () => view.getBigUint64(0x140, true);

describe('HTIF', () => {
  it.each([
    [1n, 0],
    [3n, 1],
    [(42n << 1n) | 1n, 42],
    [0xffff_ffff_ffffn, -1],
  ])('tohost = %i ends the program with code %i', (value, code) => {
    tohost(value);
    expect(half()).toBe(false);
    expect(exits).toEqual([]);
    expect(whole()).toBe(true);
    expect(exits).toEqual([code]);
    expect(view.getBigUint64(0x100, true)).toBe(0n);
  });

  it('takes the upper half as the end of a command, and waits for it no longer than told', () => {
    tohost(3n);
    expect(half()).toBe(false);
    expect(htif.serve(BigInt(TOHOST - 8), 8)).toBe(false);
    expect(exits).toEqual([]);
    expect(htif.serve(BigInt(TOHOST + 4), 4)).toBe(true);
    expect(exits).toEqual([1]);
    tohost(5n);
    expect(half()).toBe(false);
    htif.settle();
    expect(exits).toEqual([1, 2]);
  });

  it('prints and says so', () => {
    tohost(0x0101_0000_0000_0041n);
    expect(half()).toBe(true);
    expect(output).toBe('A');
    expect(fromhost()).toBe(0x0101_0000_0000_0000n);
  });

  it('reads what is typed, now or later', () => {
    tohost(0x0100_0000_0000_0000n);
    half();
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
      whole();
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
      expect(whole()).toBe(true);
      expect(view.getBigUint64(0x100, true)).toBe(0n);
    }
    view.setBigUint64(0x200, 64n, true);
    view.setBigUint64(0x210, 0xffff_ffff_ffff_fff0n, true);
    view.setBigUint64(0x218, 0xffff_ffff_ffff_ffffn, true);
    tohost(BigInt(BASE + 0x200));
    expect(whole()).toBe(true);
    expect([output, exits, fromhost()]).toEqual(['', [], 0n]);
  });
});
