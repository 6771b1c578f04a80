import { beforeEach, describe, expect, it } from 'vitest';
import type { ConsolePort } from './devices/virtio/console-port.ts';
import { ConsoleInput } from './input.ts';

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** A device that takes what it has room for. */
class Sink {
  guestOpen = false;
  room = 1000;
  got = '';
  take = (data: Uint8Array): number => {
    const taken = Math.min(this.room, data.length);
    this.room -= taken;
    this.got += String.fromCharCode(...data.subarray(0, taken));
    return taken;
  };
  write = this.take;
  receive = this.take;
}

let terminal: Sink;
let uart: Sink;
const make = (waits: boolean) =>
  new ConsoleInput({ terminal: terminal as unknown as ConsolePort, uart }, waits);

beforeEach(() => {
  terminal = new Sink();
  uart = new Sink();
});

describe('typed input', () => {
  it('goes to the serial port at once where no terminal is expected', () => {
    const input = make(false);
    input.type(bytes('a'));
    expect([uart.got, terminal.got, input.waiting]).toEqual(['a', '', false]);
  });

  it('goes to the terminal once it has a driver', () => {
    const input = make(false);
    terminal.guestOpen = true;
    input.type(bytes('a'));
    expect([uart.got, terminal.got]).toEqual(['', 'a']);
  });

  it('waits for a terminal that speaks, also when it has a driver already', () => {
    const input = make(true);
    input.type(bytes('ab'));
    terminal.guestOpen = true;
    input.pump();
    expect([uart.got, terminal.got, input.waiting]).toEqual(['', '', true]);
    input.guestReads();
    expect([uart.got, terminal.got, input.waiting]).toEqual(['', 'ab', false]);
    input.reset();
    input.type(bytes('c'));
    expect(input.waiting).toBe(true);
  });

  it('goes to the serial port of a guest that idles without a terminal', () => {
    const input = make(true);
    input.type(bytes('ab'));
    input.guestReads();
    expect(uart.got).toBe('ab');
  });

  it('keeps its order when devices are slow', () => {
    const input = make(false);
    uart.room = 3;
    input.type(bytes('abcd'));
    input.type(bytes('ef'));
    expect(uart.got).toBe('abc');
    uart.room = 2;
    input.pump();
    uart.room = 100;
    input.pump();
    expect(uart.got).toBe('abcdef');
  });

  it('has a bound', () => {
    const input = make(true);
    let taken = 0;
    for (let i = 0; i < 20; i++) taken += input.type(new Uint8Array(100_000));
    expect(taken).toBe(1 << 20);
    uart.room = 1e9;
    input.guestReads();
    expect(uart.got.length).toBe(1 << 20);
  });
});
