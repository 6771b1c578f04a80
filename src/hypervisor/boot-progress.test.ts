import { expect, test } from 'vitest';
import { BootProgress } from './boot-progress.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const PROMPT = '\x1b[1;32mroot@micro\x1b[0m:\x1b[1;34m~\x1b[0m# ';

test('kernel, init and shell are told apart', () => {
  const progress = new BootProgress();
  expect(progress.observe(bytes('[    0.000000] Linux version 6.12\r\n'), 'serial')).toBe(false);
  expect(progress.stage).toBe('kernel');
  expect(progress.observe(bytes('[    2.1] Run /init as init process\r\n'), 'serial')).toBe(true);
  expect(progress.stage).toBe('init');
  expect(progress.observe(bytes('BusyBox v1.37\r\n'), 'hvc')).toBe(false);
  expect(progress.observe(bytes(PROMPT), 'hvc')).toBe(true);
  expect(progress.stage).toBe('shell');
});

test('a prompt is seen across chunks and behind colours', () => {
  const progress = new BootProgress();
  for (const char of PROMPT) progress.observe(bytes(char), 'hvc');
  expect(progress.stage).toBe('shell');
});

test('the serial port’s hash signs are no prompt', () => {
  const progress = new BootProgress();
  progress.observe(bytes('[    1.0] SMP: # '), 'serial');
  expect(progress.stage).toBe('kernel');
});

test('a guest that reboots by itself is seen, even when its whole log comes at once', () => {
  const progress = new BootProgress();
  progress.observe(bytes(PROMPT), 'hvc');
  expect(progress.observe(bytes('ordinary output # '), 'hvc')).toBe(false);
  const log = `[    0.000000] Linux version 6.12\r\n${'[    1.0] more\r\n'.repeat(200)}`;
  expect(progress.observe(bytes(log), 'serial')).toBe(true);
  expect(progress.stage).toBe('kernel');
  progress.observe(bytes(PROMPT), 'hvc');
  expect(progress.stage).toBe('shell');
});
