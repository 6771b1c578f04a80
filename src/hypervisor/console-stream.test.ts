import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OUTPUT_CHUNK, OUTPUT_WINDOW } from '../worker/protocol.ts';
import { type ConsoleSink, ConsoleStream } from './console-stream.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function terminal(visible: boolean) {
  const parsed: Uint8Array[] = [];
  const pending: (() => void)[] = [];
  const sink: ConsoleSink = {
    visible,
    picture: () => 'a screen',
    write(data, done) {
      parsed.push(data);
      pending.push(done);
    },
  };
  const bytes = () => parsed.reduce((sum, data) => sum + data.length, 0);
  const parse = () => {
    for (const done of pending.splice(0)) done();
  };
  return { sink, bytes, parse, parsed };
}

const chunk = (size = OUTPUT_CHUNK) => new Uint8Array(size);

describe('a console on the page', () => {
  test('output is acknowledged when the terminal has parsed it', () => {
    const acknowledged: number[] = [];
    const stream = new ConsoleStream((bytes) => acknowledged.push(bytes));
    const { sink, parse } = terminal(true);
    stream.attach(sink);
    expect(stream.receive(chunk(100))).toBe(true);
    expect(acknowledged).toEqual([]);
    parse();
    expect(acknowledged).toEqual([100]);
  });

  test('what a terminal that is gone had not parsed is acknowledged all the same', () => {
    const acknowledged: number[] = [];
    const stream = new ConsoleStream((bytes) => acknowledged.push(bytes));
    const { sink, parse } = terminal(true);
    stream.attach(sink);
    stream.receive(chunk(100));
    stream.detach();
    expect(acknowledged).toEqual([100]);
    parse();
    stream.receive(chunk(50));
    expect(acknowledged).toEqual([100, 50]);
  });

  test('a worker that ignores the window is found out', () => {
    const stream = new ConsoleStream(() => {});
    stream.attach(terminal(true).sink);
    let accepted = 0;
    while (stream.receive(chunk())) accepted += OUTPUT_CHUNK;
    expect(accepted).toBeLessThanOrEqual(OUTPUT_WINDOW + OUTPUT_CHUNK);
  });

  test.each([true, false])('a frame spends a bounded number of bytes (visible: %s)', (visible) => {
    const stream = new ConsoleStream(() => {});
    const { sink, bytes, parse } = terminal(visible);
    stream.attach(sink);
    let sent = 0;
    for (let frame = 0; frame < 200; frame++) {
      while (stream.receive(chunk())) sent += OUTPUT_CHUNK;
      parse();
      vi.advanceTimersByTime(16);
    }
    // The last chunk may go beyond the budget; later frames pay it back.
    const perFrame = (bytes() - 2 * OUTPUT_CHUNK) / 200;
    expect(perFrame).toBeLessThanOrEqual(visible ? 64 * 1024 : 12 * 1024);
    expect(bytes()).toBeGreaterThan(200 * 8 * 1024);
    expect(sent).toBeGreaterThanOrEqual(bytes());
  });

  test('order is kept from before the terminal came to after it', () => {
    const stream = new ConsoleStream(() => {});
    stream.receive(new TextEncoder().encode('one '));
    stream.receive(new TextEncoder().encode('two '));
    const { sink, parsed, parse } = terminal(true);
    stream.attach(sink);
    parse();
    stream.receive(new TextEncoder().encode('three'));
    expect(parsed.map((data) => new TextDecoder().decode(data)).join('')).toBe('one two three');
  });

  test('without a terminal a VM is not held up, and only the tail is kept', () => {
    let acknowledged = 0;
    const stream = new ConsoleStream((bytes) => {
      acknowledged += bytes;
    });
    for (let i = 0; i < 100; i++) expect(stream.receive(chunk())).toBe(true);
    expect(acknowledged).toBe(100 * OUTPUT_CHUNK);
    const { sink, bytes, parse } = terminal(true);
    stream.attach(sink);
    for (let frame = 0; frame < 100; frame++) {
      parse();
      vi.advanceTimersByTime(16);
    }
    expect(bytes()).toBeLessThanOrEqual(512 * 1024);
    expect(acknowledged).toBe(100 * OUTPUT_CHUNK);
  });
});
