import { expect, test } from 'vitest';
import { EventGate } from './event-gate.ts';
import { TEXT_LIMIT } from './protocol.ts';

const event = (text: string) => ({ kind: 'guest', level: 'warning', text }) as const;

test('a flood becomes a few events, and the next one tells how many were left out', () => {
  let now = 0;
  const passed: string[] = [];
  const gate = new EventGate(
    () => now,
    ({ text }) => passed.push(text),
  );
  for (let i = 0; i < 1000; i++) gate.pass(event(`number ${i}`));
  expect(passed).toHaveLength(20);
  now = 2999;
  gate.pass(event('too soon'));
  expect(passed).toHaveLength(20);
  now = 3000;
  gate.pass(event('x'.repeat(2 * TEXT_LIMIT)));
  expect(passed[20]).toMatch(/x \(981 events before it were left out\)$/);
  expect(passed[20]).toHaveLength(TEXT_LIMIT);
  now = 1e9;
  for (let i = 0; i < 1000; i++) gate.pass(event('again'));
  expect(passed).toHaveLength(41);
  expect(passed[21]).toBe('again');
});
