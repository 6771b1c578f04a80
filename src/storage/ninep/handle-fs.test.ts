import { expect, test } from 'vitest';
import { ERRNO, OPEN } from '../../machine/devices/virtio/nine-p-wire.ts';
import { HandleFs } from './handle-fs.ts';
import { NinePServer } from './server.ts';
import { NinePClient, NinePFailure } from './testing/client.ts';
import { FakeFile, FakeFolder } from './testing/fake-handle.ts';

async function session(readOnly = false) {
  const folder = new FakeFolder('photos');
  // Only what is used of the interface exists in the fake.
  const handle = folder as unknown as FileSystemDirectoryHandle;
  const errors: string[] = [];
  const server = new NinePServer(new HandleFs(handle, readOnly), {
    onError: (reason) => void errors.push(reason),
  });
  const client = new NinePClient((message) => server.request(message));
  await client.version();
  await client.attach(0);
  return { folder, client, errors };
}

const fails = (promise: Promise<unknown>, code: keyof typeof ERRNO) =>
  expect(promise).rejects.toThrow(new NinePFailure(ERRNO[code]));

const textOf = async (folder: FakeFolder, name: string) =>
  (await (await folder.getFileHandle(name)).getFile()).text();

test('files go both ways', async () => {
  const { folder, client, errors } = await session();
  const file = await folder.getFileHandle('from-host', { create: true });
  file.contents = Buffer.from('host');
  expect(await client.cat(0, 'from-host')).toBe('host');
  await client.walk(0, 1);
  await client.create(1, 'from-guest', OPEN.RDWR);
  await client.write(1, 0, 'hello ');
  await client.write(1, 6, 'world');
  expect((await client.getattr(1)).size).toBe(11n);
  expect(await client.readText(1, 6)).toBe('world');
  await client.write(1, 0, 'J');
  await client.clunk(1);
  expect(await textOf(folder, 'from-guest')).toBe('Jello world');
  await client.walk(0, 2, 'from-guest');
  await client.setattr(2, 8, { size: 5 });
  await client.open(2, OPEN.WRONLY);
  await client.write(2, 5, '!');
  await client.clunk(2);
  expect(await textOf(folder, 'from-guest')).toBe('Jello!');
  expect(errors).toEqual([]);
});

test('modes, owners and times are remembered', async () => {
  const { client } = await session();
  await client.walk(0, 1);
  await client.create(1, 'f', OPEN.RDWR, 0o600);
  await client.setattr(1, 2 | 32 | 256, { uid: 7, mtime: 9 });
  await client.clunk(1);
  await client.walk(0, 2, 'f');
  expect(await client.getattr(2)).toMatchObject({ mode: 0o100600, uid: 7, mtime: 9n });
});

test('folders, renames, removals', async () => {
  const { folder, client, errors } = await session();
  await client.mkdir(0, 'a');
  await fails(client.mkdir(0, 'a'), 'EEXIST');
  await client.walk(0, 1, 'a');
  await client.walk(1, 2);
  await client.create(2, 'f');
  await client.write(2, 0, 'moved');
  await client.renameat(1, 'f', 0, 'g');
  expect(await textOf(folder, 'g')).toBe('moved');
  await client.write(2, 5, ' on');
  expect(await client.cat(0, 'g')).toBe('moved on');
  await fails(client.renameat(0, 'a', 0, 'b'), 'EXDEV');
  await client.walk(1, 3);
  await client.create(3, 'inside');
  await fails(client.unlink(0, 'a', 0x200), 'ENOTEMPTY');
  await fails(client.unlink(0, 'a'), 'EISDIR');
  await client.unlink(1, 'inside');
  await client.unlink(0, 'a', 0x200);
  await client.walk(0, 4);
  await client.open(4);
  expect((await client.readdir(4)).map(({ name }) => name)).toEqual(['.', '..', 'g']);
  expect(folder.children.get('g')).toBeInstanceOf(FakeFile);
  expect(errors).toEqual([]);
});

test('what the disk cannot do is refused with a number', async () => {
  const { client } = await session();
  await fails(client.symlink(0, 'l', 'x'), 'EPERM');
  await client.walk(0, 1);
  await client.create(1, 'f');
  await fails(client.link(0, 1, 'g'), 'EPERM');
  await fails(client.mkdir(0, 'a:b'), 'EINVAL');
  await fails(client.walk(0, 2, 'missing'), 'ENOENT');
  await fails(client.walk(1, 2, 'x'), 'EBUSY');
});

test('read-only unless allowed', async () => {
  const { folder, client } = await session(true);
  (await folder.getFileHandle('f', { create: true })).contents = Buffer.from('x');
  expect(await client.cat(0, 'f')).toBe('x');
  await fails(client.unlink(0, 'f'), 'EROFS');
  await fails(client.mkdir(0, 'd'), 'EROFS');
});
