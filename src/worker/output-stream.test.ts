import { describe, expect, test } from 'vitest';
import { OutputStream } from './output-stream.ts';
import { type ConsoleSource, OUTPUT_CHUNK, OUTPUT_WINDOW } from './protocol.ts';

function stream() {
  const sent: { source: ConsoleSource; data: Uint8Array }[] = [];
  const output = new OutputStream((source, data) => sent.push({ source, data }));
  const bytes = () => sent.reduce((sum, { data }) => sum + data.length, 0);
  return { output, sent, bytes };
}

const microtasks = () => new Promise((resolve) => setTimeout(resolve));

describe('console output on its way to the page', () => {
  test('what one slice wrote byte by byte leaves as one message', async () => {
    const { output, sent } = stream();
    for (const char of 'hello') output.push(new TextEncoder().encode(char), 'serial');
    expect(sent).toEqual([]);
    await microtasks();
    expect(sent.map(({ data }) => new TextDecoder().decode(data))).toEqual(['hello']);
  });

  test('the two sources keep their order and stay apart', async () => {
    const { output, sent } = stream();
    output.push(Uint8Array.of(1), 'serial');
    output.push(Uint8Array.of(2), 'hvc');
    output.push(Uint8Array.of(3), 'serial');
    await microtasks();
    expect(sent.map(({ source, data }) => [source, data[0]])).toEqual([
      ['serial', 1],
      ['hvc', 2],
      ['serial', 3],
    ]);
  });

  test('no message is longer than the limit, and nothing is lost or reordered', async () => {
    const { output, sent } = stream();
    const data = Uint8Array.from({ length: OUTPUT_CHUNK * 2 + 77 }, (_, i) => i % 251);
    output.push(data, 'hvc');
    await microtasks();
    expect(Math.max(...sent.map((message) => message.data.length))).toBe(OUTPUT_CHUNK);
    expect(sent.flatMap((message) => [...message.data])).toEqual([...data]);
  });

  test('no more is under way than the window, until the page acknowledges', async () => {
    const { output, bytes } = stream();
    output.push(new Uint8Array(OUTPUT_WINDOW * 2), 'hvc');
    await microtasks();
    expect(bytes()).toBe(OUTPUT_WINDOW);
    output.acknowledge(OUTPUT_CHUNK);
    expect(bytes()).toBe(OUTPUT_WINDOW + OUTPUT_CHUNK);
    output.acknowledge(OUTPUT_WINDOW);
    output.acknowledge(OUTPUT_WINDOW);
    expect(bytes()).toBe(OUTPUT_WINDOW * 2);
  });

  test('a guest that floods is held back until there is room', async () => {
    const { output } = stream();
    output.push(new Uint8Array(OUTPUT_WINDOW * 2), 'hvc');
    await microtasks();
    const order: string[] = [];
    const held = output.room().then(() => order.push('released'));
    order.push('held');
    output.acknowledge(OUTPUT_WINDOW);
    await held;
    expect(order).toEqual(['held', 'released']);
  });

  test('a page that never acknowledges does not hold the guest for ever', async () => {
    const { output } = stream();
    output.push(new Uint8Array(OUTPUT_WINDOW * 2), 'hvc');
    await microtasks();
    await expect(output.room()).resolves.toBeUndefined();
  });

  test('memory is bounded: the oldest waiting output is dropped and a line says so', async () => {
    const { output, sent, bytes } = stream();
    const line = new Uint8Array(OUTPUT_CHUNK).fill(65);
    for (let i = 0; i < 1000; i++) output.push(line, 'hvc');
    output.push(new TextEncoder().encode('the end'), 'hvc');
    await microtasks();
    for (let i = 0; i < 1000; i++) output.acknowledge(OUTPUT_WINDOW);
    expect(bytes()).toBeLessThan(5 * 1024 * 1024);
    const text = sent.map(({ data }) => new TextDecoder().decode(data)).join('');
    expect(text).toContain('output was dropped');
    expect(text.endsWith('the end')).toBe(true);
  });
});
