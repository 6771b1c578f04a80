import { expect, test } from 'vitest';
import { StorageError } from '../files.ts';
import { CHUNK, MemoryFs } from './memory-fs.ts';
import { FrozenMemory, thaw } from './memory-image.ts';

const HOW = { mode: 0o644, uid: 1, gid: 2 };
const bytes = (text: string) => new TextEncoder().encode(text);

function example() {
  const fs = new MemoryFs({ now: () => 1000 });
  const folder = fs.makeFolder(fs.root, 'folder', { ...HOW, mode: 0o755 });
  const file = fs.create(folder, 'file', HOW);
  fs.write(file, 0, bytes('first'));
  fs.write(file, 3 * CHUNK, bytes('far away'));
  fs.addName(fs.root, 'also', file);
  fs.makeLink(fs.root, 'link', 'folder/file', HOW);
  return { fs, folder, file };
}

const read = (fs: MemoryFs, path: string, offset = 0) => {
  let node = fs.lookup(fs.root, path.split('/')[0]!);
  for (const name of path.split('/').slice(1)) node = fs.lookup(node, name);
  if (node.kind !== 'file') throw new Error('no file');
  const into = new Uint8Array(5);
  return new TextDecoder().decode(into.subarray(0, fs.read(node, offset, into)));
};

test('what was there at the instant, whatever is written later', () => {
  const { fs, folder, file } = example();
  const frozen = new FrozenMemory(fs);
  fs.write(file, 0, bytes('later'));
  fs.resize(file, 3);
  fs.remove(fs.root, 'also', 'other');
  fs.create(folder, 'new', HOW);
  const other = new MemoryFs();
  other.create(other.root, 'before', HOW);
  thaw(other, frozen.bytes());
  expect(other.list(other.root).map(({ name }) => name)).toEqual(['folder', 'also', 'link']);
  expect(read(other, 'folder/file')).toBe('first');
  expect(read(other, 'also', 3 * CHUNK)).toBe('far a');
  expect(other.attributes(other.lookup(other.root, 'also'))).toMatchObject({
    links: 2,
    uid: 1,
    mtime: 1000,
  });
  expect(other.readLink(other.lookup(other.root, 'link'))).toBe('folder/file');
  expect(read(fs, 'folder/file')).toBe('lat');
});

test('a copy goes on by itself, and twice is the same', () => {
  const { fs } = example();
  const image = new FrozenMemory(fs).bytes();
  const [one, two] = [new MemoryFs(), new MemoryFs()];
  thaw(one, image);
  thaw(two, image);
  const file = one.lookup(one.root, 'also');
  if (file.kind !== 'file') throw new Error('no file');
  one.write(file, 0, bytes('mine!'));
  expect([read(one, 'folder/file'), read(two, 'folder/file')]).toEqual(['mine!', 'first']);
  expect(new FrozenMemory(two).bytes()).toEqual(image);
  expect(two.used).toBe(fs.used);
});

test('a file that nothing names any more is kept while it is held', () => {
  const { fs, folder, file } = example();
  fs.hold(file);
  fs.remove(folder, 'file', 'other');
  fs.remove(fs.root, 'also', 'other');
  const other = new MemoryFs();
  thaw(other, new FrozenMemory(fs).bytes());
  expect(other.byNumber(BigInt(file.id))?.kind).toBe('file');
});

test('one that is too large for the folder is refused', () => {
  const { fs } = example();
  const small = new MemoryFs({ limit: CHUNK });
  expect(() => thaw(small, new FrozenMemory(fs).bytes())).toThrow(StorageError);
  expect(small.list(small.root)).toEqual([]);
});

test('damaged bytes are refused, and nothing has changed', () => {
  const { fs } = example();
  const image = new FrozenMemory(fs).bytes();
  const tree = new DataView(image.buffer).getUint32(8, true);
  const victim = new MemoryFs();
  const file = victim.create(victim.root, 'mine', HOW);
  let refused = 0;
  for (let at = 0; at < 16 + tree; at++) {
    const damaged = image.slice();
    damaged[at] = damaged[at]! ^ 0x15;
    try {
      thaw(new MemoryFs(), damaged);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      refused++;
      expect(() => thaw(victim, damaged)).toThrow(StorageError);
    }
  }
  expect(refused).toBeGreaterThan(tree / 2);
  for (const length of [0, 15, 16, 16 + tree, image.length - 1]) {
    expect(() => thaw(victim, image.slice(0, length))).toThrow('is damaged');
  }
  expect(victim.lookup(victim.root, 'mine')).toBe(file);
});

const node = { mode: 0, uid: 0, gid: 0, atime: 0, mtime: 0, ctime: 0, version: 1 };
const folderOf = (id: number, ...children: [string, number][]) => ({
  ...node,
  kind: 'folder',
  id,
  children,
});
test.each([
  ['a circle', [folderOf(1), folderOf(2, ['a', 3]), folderOf(3, ['b', 2])]],
  ['a folder at two places', [folderOf(1, ['a', 2], ['b', 2]), folderOf(2)]],
  ['the root in itself', [folderOf(1, ['a', 1])]],
  ['a way out', [folderOf(1, ['..', 2]), folderOf(2)]],
  ['a name with a slash', [folderOf(1, ['a/b', 2]), folderOf(2)]],
  ['a name that leads nowhere', [folderOf(1, ['a', 9])]],
  ['a file twice', [folderOf(1), folderOf(1)]],
  ['no root', []],
  ['a number to come', [folderOf(50)]],
])('%s is refused', (_name, nodes) => {
  const tree = bytes(JSON.stringify({ nextId: 20, nodes }));
  const image = new Uint8Array(16 + tree.length);
  image.set(new FrozenMemory(new MemoryFs()).bytes().subarray(0, 8));
  new DataView(image.buffer).setUint32(8, tree.length, true);
  image.set(tree, 16);
  expect(() => thaw(new MemoryFs(), image)).toThrow('is damaged');
});
