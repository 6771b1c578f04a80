/** Packages are read without dpkg-deb too, and a folder of them serves in place of the network. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readControl, readDeb } from './deb.mjs';
import { debianPackages } from './debian.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'debs-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const longName = `usr/share/${'deep/'.repeat(30)}file`;

/** A package as dpkg makes it: ar of debian-binary, control.tar.gz and data.tar.gz. */
function makeDeb(fields: Record<string, string>, files: Record<string, string> = {}): string {
  const stage = mkdtempSync(join(tmpdir(), 'stage-'));
  const pack = (name: string, content: Record<string, string>) => {
    const root = join(stage, name);
    for (const [path, text] of Object.entries(content)) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text, { mode: path.includes('bin/') ? 0o755 : 0o644 });
    }
    mkdirSync(root, { recursive: true });
    execFileSync('tar', ['czf', `${root}.tar.gz`, '-C', root, '.']);
    return readFileSync(`${root}.tar.gz`);
  };
  const control = Object.entries(fields).map(([key, value]) => `${key}: ${value}\n`);
  const members = {
    'debian-binary': Buffer.from('2.0\n'),
    'control.tar.gz': pack('control', { control: control.join('') }),
    'data.tar.gz': pack('data', files),
  };
  const parts = Object.entries(members).flatMap(([name, data]) => [
    Buffer.from(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`,
    ),
    data,
    Buffer.alloc(data.length % 2, '\n'),
  ]);
  const file = join(folder, `${fields.Package}_${fields.Version}_${fields.Architecture}.deb`);
  writeFileSync(file, Buffer.concat([Buffer.from('!<arch>\n'), ...parts]));
  rmSync(stage, { recursive: true });
  return file;
}

const some = { Package: 'some', Version: '1.0-1', Architecture: 'riscv64' };

describe.each([
  ['with dpkg-deb', undefined],
  ['with Node alone', '/nowhere'],
])('%s', (_, path) => {
  test('a package is read', async () => {
    const file = makeDeb(
      { ...some, Depends: 'other (>= 2), third | fourth' },
      {
        'usr/bin/tool': 'program',
        [longName]: 'x'.repeat(100_000),
        'usr/share/other': 'left out',
      },
    );
    if (path) vi.stubEnv('PATH', path);
    const entries = await readDeb(file, (name) => name === 'usr/bin/tool' || name === longName);
    expect(
      entries
        .map(({ path, type, mode }) => ({ path, type, mode }))
        .sort((a, b) => a.path.localeCompare(b.path)),
    ).toEqual([
      { path: 'usr/bin/tool', type: 'file', mode: 0o755 },
      { path: longName, type: 'file', mode: 0o644 },
    ]);
    expect(entries.find((entry) => entry.path === longName)?.data.length).toBe(100_000);
    expect(await readControl(file)).toMatchObject({
      Package: 'some',
      Depends: 'other (>= 2), third | fourth',
    });
  });
});

describe('TABVISOR_DEB_DIR', () => {
  beforeEach(() => vi.stubEnv('TABVISOR_DEB_DIR', folder));

  test('gives packages and what a metapackage points at', async () => {
    makeDeb({
      ...some,
      Package: 'linux-image-riscv64',
      Depends: 'linux-image-6.1-riscv64 (= 1.0-1), base',
    });
    makeDeb({ ...some, Package: 'linux-image-6.1-riscv64', Depends: 'kmod' });
    makeDeb(some);
    const names = async (wanted: string[]) =>
      (await debianPackages('riscv64', wanted, { follow: /^linux-image-\d/ })).map(
        ({ name }) => name,
      );
    expect(await names(['linux-image-riscv64', 'some'])).toEqual([
      'linux-image-riscv64',
      'some',
      'linux-image-6.1-riscv64',
    ]);
  });

  test('names what is missing, of this architecture', async () => {
    makeDeb({ ...some, Architecture: 'amd64' });
    await expect(debianPackages('riscv64', ['some', 'more'])).rejects.toThrow(
      /lacks packages for riscv64: some, more/,
    );
  });

  test('must be a folder', async () => {
    vi.stubEnv('TABVISOR_DEB_DIR', '/nowhere');
    await expect(debianPackages('riscv64', ['some'])).rejects.toThrow(
      /\/nowhere, which is no folder/,
    );
  });
});
