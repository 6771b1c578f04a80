import { expect, test } from 'vitest';
import { NinePClient } from '../storage/ninep/testing/client.ts';
import { FakeFolder } from '../storage/ninep/testing/fake-handle.ts';
import { PortShare } from '../worker/port-share.ts';
import { SharedFolder } from './shares.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';

async function guest(shared = SharedFolder.inMemory()) {
  const { port1, port2 } = new MessageChannel();
  const violations: string[] = [];
  const served = shared.serve(port1, (what) => void violations.push(what));
  const share = new PortShare('shared', port2);
  const client = new NinePClient((message) => share.request(message));
  await client.version();
  await client.attach(0);
  return { shared, share, client, served, violations, port: port2 };
}

const textOf = (shared: SharedFolder, path: string) => new Response(shared.read(path)).text();

test('what the person puts there the guest reads, and the other way round', async () => {
  const { shared, client, served } = await guest();
  const progress: number[] = [];
  await shared.put('docs/letter.txt', new Blob(['Dear ', 'guest']), (bytes) =>
    progress.push(bytes),
  );
  expect(progress.at(-1)).toBe(10);
  expect(await client.cat(0, 'docs', 'letter.txt')).toBe('Dear guest');
  await client.walk(0, 1);
  await client.create(1, 'answer');
  await client.write(1, 0, 'Dear person');
  expect(await textOf(shared, 'answer')).toBe('Dear person');
  expect((await shared.list()).map(({ name, kind, size }) => [name, kind, size])).toEqual([
    ['answer', 'file', 11],
    ['docs', 'folder', 4096],
  ]);
  expect((await shared.list('docs')).map(({ path }) => path)).toEqual(['docs/letter.txt']);
  await shared.remove('docs/letter.txt');
  await shared.remove('docs');
  await expect(shared.list('docs')).rejects.toThrow('it does not exist');
  served.dispose();
});

test('a file that does not arrive whole is not there', async () => {
  const { shared } = await guest();
  await shared.put('f', new Blob(['before']));
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error('the person cancelled'));
    },
  });
  await expect(shared.put('f', broken)).rejects.toThrow('the person cancelled');
  expect(await textOf(shared, 'f')).toBe('before');
  expect(await shared.list()).toHaveLength(1);
  const small = SharedFolder.inMemory({ limit: 1 << 20 });
  await expect(small.put('big', new Blob([new Uint8Array(2 << 20)]))).rejects.toThrow(
    'no room left',
  );
  expect(await small.list()).toEqual([]);
});

test.each(['../x', 'a/../../x', '.', ''])('%j is no path', async (path) => {
  const { shared } = await guest();
  await expect(shared.put(path, new Blob(['x']))).rejects.toThrow(/no name|it is a folder/);
});

test('changes by the guest are told', async () => {
  const { shared, client } = await guest();
  const told = new Promise<void>((resolve) => shared.onChange(resolve));
  await client.mkdir(0, 'new');
  await told;
});

test('a snapshot holds what was there when it was taken', async () => {
  const { shared, share, client } = await guest();
  await client.walk(0, 1);
  await client.create(1, 'f');
  const [, , frozen] = await Promise.all([
    client.write(1, 0, 'before'),
    share.freeze(TOKEN),
    client.write(1, 0, 'after!').then(() => shared.takeFrozen(TOKEN)),
  ]);
  expect(await textOf(shared, 'f')).toBe('after!');
  const other = SharedFolder.inMemory();
  other.restore(frozen!);
  expect(await textOf(other, 'f')).toBe('before');
  expect(shared.takeFrozen(TOKEN)).toBeUndefined();
});

test.each([
  ['another type', { type: 'steal' }],
  ['a message that is too short', { type: 'request', id: 1, message: new Uint8Array(3) }],
  ['one that is too long', { type: 'request', id: 1, message: new Uint8Array(512 * 1024 + 1) }],
  [
    'a view of a larger buffer',
    { type: 'request', id: 1, message: new Uint8Array(1 << 20).subarray(0, 9) },
  ],
  ['an id that is no number', { type: 'request', id: '1', message: new Uint8Array(9) }],
  ['a snapshot without a name', { type: 'freeze', token: '../x' }],
])('a worker that sends %s is cut off', async (_name, message) => {
  const { port, violations } = await guest();
  port.postMessage(message);
  await expect.poll(() => violations).toHaveLength(1);
});

test('a worker that asks without waiting is cut off', async () => {
  const folder = new FakeFolder('slow');
  folder.getFileHandle = () => new Promise(() => {});
  const handle = folder as unknown as FileSystemDirectoryHandle;
  const { client, violations } = await guest(await SharedFolder.ofHandle(handle, false));
  for (let i = 0; i < 300; i++) void client.walk(0, 1 + i, 'x');
  await expect.poll(() => violations).toEqual(['it asked too much of its shared folder']);
});
