/** Packages are read without dpkg-deb too, and a folder of them serves in place of the network. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readControl, readDeb } from './deb.mjs';
import { debianPackages } from './debian.mjs';
import { Plain } from './shell.mjs';

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

/** A package whose files do not compress, so that a cut goes through them. */
function makeLargeDeb(): string {
  return makeDeb(some, { 'usr/bin/tool': randomBytes(200_000).toString('base64') });
}

describe.each([
  ['with dpkg-deb', undefined],
  ['with Node alone', '/nowhere'],
])('a damaged package, %s', (_, path) => {
  const damages: [string, (file: string) => void][] = [
    ['cut in its files', (file) => truncateSync(file, 100_000)],
    ['cut in its first header', (file) => truncateSync(file, 40)],
    ['empty', (file) => truncateSync(file, 0)],
    ['another kind of file', (file) => writeFileSync(file, 'hello\n'.repeat(1000))],
    [
      'with other bytes',
      (file) => {
        const data = readFileSync(file);
        writeFileSync(file, data.fill('x', data.length - 100_000, data.length - 90_000));
      },
    ],
  ];
  test.each(damages)('%s: one sentence names the file', async (_name, damage) => {
    const file = makeLargeDeb();
    damage(file);
    if (path) vi.stubEnv('PATH', path);
    const failure = await readDeb(file, () => true).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Plain);
    const message = failure instanceof Error ? failure.message : '';
    expect(message).toMatch(
      /^The package \S+ is damaged or not whole \([^\n]+\)\. Fetch it again\.$/,
    );
    expect(message).toContain(file);
  });
});

describe('apt', () => {
  /** A stand-in for apt-get whose updates end as told, each once, and what it was asked for. */
  function standIn(...updates: string[]): { asked: () => string[] } {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const calls = join(folder, 'calls');
    for (const [i, text] of updates.entries()) writeFileSync(join(folder, `update${i}`), text);
    const lists = join(folder, 'cache/trixie-riscv64/lists');
    const script = `#!/bin/sh
      echo "$1" >>'${calls}'
      case "$1" in
        indextargets) echo 'http://deb.debian.org/debian trixie' ;;
        update)
          n=$(grep -c update '${calls}')
          said='${folder}/update'$((n - 1))
          [ -s "$said" ] && { cat "$said" >&2; exit 100; }
          echo 'Codename: trixie' >'${lists}/m_InRelease'; : >'${lists}/m_Packages' ;;
        *) exit 100 ;;
      esac`;
    writeFileSync(join(bin, 'apt-get'), script, { mode: 0o755 });
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    return {
      asked: () =>
        readFileSync(calls, 'utf8')
          .split('\n')
          .filter((line) => line === 'update'),
    };
  }
  const fetching = async (log: string[]) =>
    debianPackages('riscv64', ['some'], {
      cache: join(folder, 'cache'),
      log: (line) => log.push(line),
    }).catch((error: unknown) => (error instanceof Plain ? error.message : error));

  test.each([
    "E: Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease  Could not resolve 'deb.debian.org'",
    "E: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'deb.debian.org'",
    'E: Failed to fetch http://deb.debian.org/x  Could not connect to deb.debian.org:80 (1.2.3.4)',
  ])('without a network tries once and says one sentence: %s', async (words) => {
    const { asked } = standIn(words, words, words);
    const log: string[] = [];
    expect(await fetching(log)).toMatch(
      /^The package lists [^\n]*no way to http:\/\/deb\.debian\.org\/debian [^\n]*TABVISOR_DEB_DIR\.$/,
    );
    expect(log).toEqual([]);
    expect(asked()).toHaveLength(1);
  });

  test('tries a mirror in the middle of an update again', async () => {
    const words = 'E: Failed to fetch http://x/Packages.xz  File has unexpected size (1 != 2).';
    const { asked } = standIn(words, '');
    const log: string[] = [];
    // The lists are there now; the stand-in has no packages.
    expect(await fetching(log)).toMatch(/does not know how to get some/);
    expect(log).toEqual([expect.stringMatching(/in the middle of a mirror update\.$/)]);
    expect(asked()).toHaveLength(2);
  });
});

describe('TABVISOR_DEB_DIR', () => {
  beforeEach(() => vi.stubEnv('TABVISOR_DEB_DIR', folder));

  test('names a package in it that is cut', async () => {
    const file = makeLargeDeb();
    truncateSync(file, 40);
    await expect(debianPackages('riscv64', ['some'])).rejects.toThrow(
      `The package ${file} is damaged or not whole`,
    );
  });

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
