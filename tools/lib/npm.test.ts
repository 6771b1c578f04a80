/** Installing npm packages where there is no network, and where they came by hand. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { installPackages } from './npm.mjs';
import { Plain } from './shell.mjs';

let folder: string;
let server: Server;
let connections = 0;

const entry = {
  version: '1.0.0',
  resolved: 'https://registry.npmjs.org/nothing/-/nothing-1.0.0.tgz',
  integrity: `sha512-${Buffer.alloc(64).toString('base64')}`,
};
const lock = {
  name: 'some',
  lockfileVersion: 3,
  packages: { '': { dependencies: { nothing: '1.0.0' } }, 'node_modules/nothing': entry },
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'npm-'));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'some', dependencies: { nothing: '1.0.0' } }),
  );
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
  connections = 0;
  server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  vi.stubEnv('npm_config_registry', `http://127.0.0.1:${port}/`);
  vi.stubEnv('npm_config_cache', join(folder, 'cache'));
  vi.spyOn(console, 'log').mockImplementation(() => {});
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  server.close();
  rmSync(folder, { recursive: true });
});

test('without a network npm tries twice, and a sentence says how to do without', async () => {
  const failure = await installPackages(folder).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Plain);
  expect(String(failure)).toMatch(
    /npm packages of package-lock\.json are missing .*registry URL.*--offline --cache FOLDER.*node_modules/,
  );
  expect(connections).toBe(2);
});

test('packages that were brought here are taken as they are', async () => {
  mkdirSync(join(folder, 'node_modules'));
  const note = join(folder, 'node_modules/.package-lock.json');
  writeFileSync(note, JSON.stringify({ packages: { 'node_modules/nothing': entry } }));
  await installPackages(folder);
  expect(connections).toBe(0);
});

test('without npm a sentence says so', async () => {
  vi.stubEnv('PATH', '/nowhere');
  await expect(installPackages(folder)).rejects.toThrow(/^npm, .* is missing here\. Install it/);
});
