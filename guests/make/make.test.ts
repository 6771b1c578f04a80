/** The parts of making an image: recipes and their errors, archives, dpkg's database. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTar } from '../../tools/lib/deb.mjs';
import { dpkgDatabase } from './dpkg.ts';
import { recipeFiles } from './files.ts';
import { parseRecipe, readRecipe } from './recipe.ts';
import { type TarEntry, tarEnd, tarEntry } from './tar.ts';
import { matcher, writeTree } from './tree.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recipe-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const good = {
  name: 'mine',
  title: 'Mine',
  description: 'A guest of my own.',
  packages: ['base-files', 'libc6'],
  kernel: { package: 'linux-image-riscv64', modules: [] },
  disk: { size: '512M' },
  memory: { default: '256M', minimum: '128M' },
};

describe('a recipe', () => {
  test('is read; sizes are bytes', () => {
    const recipe = parseRecipe(JSON.stringify(good), 'mine.json');
    expect(recipe).toMatchObject({ disk: { size: 512 << 20 }, commands: [], files: [] });
  });

  test.each([
    [{ name: '../up' }, /name: is no name of a template/],
    [{ packages: ['Base Files'] }, /packages\.0: is no name of a package/],
    [{ packages: [] }, /packages/],
    [{ disk: { size: '12' } }, /disk\.size: is no size such as "512M"/],
    [{ memory: { default: '128M', minimum: '256M' } }, /minimum is above/],
    [{ files: [{ to: '/etc/../x', text: '' }] }, /files\.0\.to: is no absolute path/],
    [{ files: [{ to: '/etc/x' }] }, /exactly one of "from", "text" and "link"/],
    [{ files: [{ to: '/etc/x', text: '', link: 'y' }] }, /exactly one/],
    [{ commands: ['one\ntwo'] }, /commands\.0: is no line/],
    [{ comands: [] }, /comands/],
  ])('with %j is refused in one sentence', (change, words) => {
    const text = JSON.stringify({ ...good, ...change });
    expect(() => parseRecipe(text, 'mine.json')).toThrow(words);
    expect(() => parseRecipe(text, 'mine.json')).toThrow(/^The recipe mine\.json .{5,400}\.$/);
  });

  test('that is no JSON, is missing, or names a file that is missing says so', () => {
    expect(() => parseRecipe('{', 'mine.json')).toThrow(/mine\.json is not JSON/);
    expect(() => readRecipe(join(folder, 'none.json'))).toThrow(/cannot be read/);
    const file = join(folder, 'mine.json');
    const files = [{ to: '/etc/x', from: 'x' }];
    writeFileSync(file, JSON.stringify({ ...good, files }));
    expect(() => readRecipe(file)).toThrow(/names x, which does not exist/);
    writeFileSync(join(folder, 'x'), 'contents');
    const { recipe } = readRecipe(file);
    expect(recipeFiles(recipe, folder)).toEqual([
      { path: 'etc/x', type: 'file', mode: 0o644, data: Buffer.from('contents') },
    ]);
  });

  test.each(['debian', 'small'])('of the repository fits: %s', (name) => {
    expect(readRecipe(join(import.meta.dirname, `../${name}/recipe.json`)).recipe.name).toBe(name);
  });
});

describe('an archive', () => {
  const long = `${'folder/'.repeat(30)}file`;
  const entries: TarEntry[] = [
    { path: 'bin', type: 'folder', mode: 0o1777 },
    {
      path: 'bin/su',
      type: 'file',
      mode: 0o4755,
      uid: 0,
      gid: 42,
      time: 7,
      data: Buffer.from('x'),
    },
    { path: 'bin/sh', type: 'link', mode: 0o777, target: 'dash' },
    { path: 'bin/again', type: 'hard', mode: 0o4755, target: 'bin/su' },
    { path: long, type: 'file', mode: 0o600, uid: 1000, gid: 1000, data: Buffer.alloc(1000, 1) },
  ];

  test('keeps owners, modes, links and long names, for tar too', async () => {
    const bytes = Buffer.concat([...entries.flatMap((one) => tarEntry(one)), tarEnd()]);
    const back = [];
    async function* stream() {
      yield bytes;
    }
    for await (const entry of readTar(stream(), () => true)) back.push(entry);
    expect(back.map(({ path, type, mode, uid, gid }) => [path, type, mode, uid, gid])).toEqual(
      entries.map(({ path, type, mode, uid = 0, gid = 0 }) => [path, type, mode, uid, gid]),
    );
    expect(back.map(({ data }) => data.length)).toEqual([0, 1, 0, 0, 1000]);
    expect(back[2]?.target).toBe('dash');
    const file = join(folder, 'archive.tar');
    writeFileSync(file, bytes);
    const listed = execFileSync('tar', ['-tvf', file, '--numeric-owner']).toString().split('\n');
    expect(listed[1]).toMatch(/^-rwsr-xr-x 0\/42 /);
    expect(listed[4]).toContain(long);
  });
});

test("dpkg's database says what was unpacked", async () => {
  const control =
    'Package: some\nVersion: 1\nArchitecture: riscv64\nMulti-Arch: same\nDescription: x\n';
  const file = (path: string, data: string) => ({
    ...{ path, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, time: 0, target: '' },
    data: Buffer.from(data),
  });
  const entries = dpkgDatabase([
    {
      name: 'some',
      control: [
        file('control', control),
        file('postinst', '#!/bin/sh\n'),
        file('triggers', '# what\ninterest-noawait /usr/share/x\ninterest ldconfig\n'),
      ],
      paths: ['/etc', '/etc/some'],
      contents: new Map([['/etc/some', Buffer.from('a')]]),
    },
  ]);
  const at = (path: string) => entries.find((one) => one.path === `var/lib/dpkg/${path}`);
  const text = (path: string) => Buffer.from(at(path)?.data ?? '').toString();
  expect(text('status')).toBe(
    'Package: some\nStatus: install ok unpacked\nVersion: 1\nArchitecture: riscv64\n' +
      'Multi-Arch: same\nDescription: x\nConffiles:\n /etc/some 0cc175b9c0f1b6a831c399e269772661\n',
  );
  expect(text('info/some:riscv64.list')).toBe('/.\n/etc\n/etc/some\n');
  expect(at('info/some:riscv64.postinst')?.mode).toBe(0o755);
  expect(text('triggers/File')).toBe('/usr/share/x some:riscv64/noawait\n');
  expect(text('triggers/ldconfig')).toBe('some:riscv64\n');
});

test('patterns of paths are those of dpkg', () => {
  const left = matcher(['/usr/share/doc/*', '/usr/share/man/[a-z][a-z]/*', '/x?']);
  expect(['/usr/share/doc/a/b', '/usr/share/man/de/man1/x', '/xy'].every(left)).toBe(true);
  expect(['/usr/share/docs', '/usr/share/man/man1/x', '/x', '/xyz'].some(left)).toBe(false);
});

test('no packages make a tree of what is given, with the folders above', async () => {
  const file = join(folder, 'tree.tar');
  const extra: TarEntry[] = [{ path: 'a/b/c', type: 'file', mode: 0o644, data: Buffer.from('c') }];
  const tree = await writeTree(file, { packages: [], exclude: [], include: [], extra });
  expect(tree.bytes).toBeGreaterThan(0);
  const listed = execFileSync('tar', ['-tf', file]).toString();
  expect(listed).toContain('a/\na/b/\na/b/c\n');
});
