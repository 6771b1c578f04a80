/** Programs that set-up and tests need, where they cannot be installed. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { installMissing, Plain, which } from './shell.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bin-'));
  vi.stubEnv('PATH', `${folder}:/bin:/usr/bin`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const program = 'mkfs.of-nothing';
const needs = [{ program, package: 'nothing-tools' }];

test('a program is a file that may be run: no folder, no plain file', () => {
  expect(which(program)).toBeUndefined();
  mkdirSync(join(folder, program));
  expect(which(program)).toBeUndefined();
  rmSync(join(folder, program), { recursive: true });
  writeFileSync(join(folder, program), '', { mode: 0o644 });
  expect(which(program)).toBeUndefined();
  chmodSync(join(folder, program), 0o755);
  expect(which(program)).toBe(join(folder, program));
});

test('without root one sentence names what is missing and how to get it; nothing is installed', async () => {
  writeFileSync(join(folder, 'apt-get'), `#!/bin/sh\necho >'${folder}/called'`, { mode: 0o755 });
  vi.spyOn(process, 'getuid').mockReturnValue(1000);
  const failure = await installMissing(needs, 'the tests').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Plain);
  expect(String(failure)).toMatch(
    /Missing for the tests: mkfs\.of-nothing; installing them needs root\. .*apt-get install nothing-tools/,
  );
  expect(existsSync(join(folder, 'called'))).toBe(false);
});

test('as root without apt-get too', async () => {
  vi.stubEnv('PATH', folder);
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  await expect(installMissing(needs, 'the tests')).rejects.toThrow(/there is no apt-get here/);
});
