import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { NodeFolder } from './node-folder.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'node-folder-'));
  folders.push(folder);
  return folder;
}

test('files are written, read, cut, listed and removed', async () => {
  const path = temporary();
  const folder = new NodeFolder(join(path, 'a/b'));
  const file = await folder.open('x', 'create');
  file.write(3, new Uint8Array([1, 2, 3]));
  file.flush();
  expect(file.size()).toBe(6);
  const read = new Uint8Array(10);
  expect(file.read(2, read)).toBe(4);
  expect([...read.subarray(0, 4)]).toEqual([0, 1, 2, 3]);
  file.truncate(4);
  expect(file.size()).toBe(4);
  file.close();
  await folder.folder('c');
  expect([...(await folder.list())].sort((a, b) => a.name.localeCompare(b.name))).toEqual([
    { name: 'c', kind: 'folder' },
    { name: 'x', kind: 'file' },
  ]);
  await folder.remove('x');
  await folder.remove('c');
  await folder.remove('never');
  expect(await folder.list()).toEqual([]);
  await expect(folder.open('x', 'existing')).rejects.toMatchObject({ kind: 'missing' });
});

test('names and links that lead out of the folder are refused', async () => {
  const path = temporary();
  const folder = new NodeFolder(join(path, 'a'));
  writeFileSync(join(path, 'secret'), 'x');
  symlinkSync(join(path, 'secret'), join(path, 'a/link'));
  for (const name of ['..', '../secret', '.lock', '', 'a/b', 'x'.repeat(101), 'link']) {
    await expect(folder.open(name, 'existing')).rejects.toMatchObject({ kind: 'failed' });
  }
});

test('a folder belongs to one process; one that was killed does not count', () => {
  const path = temporary();
  const folder = new NodeFolder(path);
  writeFileSync(join(path, '.lock'), '999999999');
  const lock = folder.lock();
  expect(() => folder.lock()).toThrow(/is in use/);
  lock.release();
  expect(existsSync(join(path, '.lock'))).toBe(false);
  writeFileSync(join(path, '.lock'), String(process.ppid));
  expect(() => folder.lock()).toThrow(/is in use by process/);
});
