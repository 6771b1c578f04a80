import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FRAME_POLICY, FRAME_SCRIPT, FRAME_SCRIPT_HASH } from './frame.ts';

const page = readFileSync(new URL('../../index.html', import.meta.url), 'utf8');
const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(page)?.[1] ?? '';

test('both policies name the hash of the frame’s script', () => {
  const hash = `sha256-${createHash('sha256').update(FRAME_SCRIPT).digest('base64')}`;
  expect(FRAME_SCRIPT_HASH).toBe(hash);
  expect(FRAME_POLICY).toContain(`'${hash}'`);
  expect(policy).toContain(`'${hash}'`);
});

test('the frame may start blob workers and nothing else', () => {
  expect(FRAME_POLICY.split('; ')).toEqual([
    "default-src 'none'",
    `script-src '${FRAME_SCRIPT_HASH}' 'wasm-unsafe-eval'`,
    'worker-src blob:',
    "connect-src 'none'",
    "form-action 'none'",
    "base-uri 'none'",
  ]);
});

test('the page may frame nothing, so that no frame can be navigated anywhere', () => {
  expect(policy).toContain("frame-src 'none'");
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/script-src[^;]*('unsafe-inline'|'unsafe-eval'|blob:|https?:)/);
});
