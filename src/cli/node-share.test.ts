import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ERRNO, OPEN } from '../machine/devices/virtio/nine-p-wire.ts';
import { UserError } from '../machine/errors.ts';
import { NinePServer } from '../storage/ninep/server.ts';
import { NinePClient, NinePFailure } from '../storage/ninep/testing/client.ts';
import { NodeShare } from './node-share.ts';

let top: string;
let folder: string;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'tabvisor-share-')));
  folder = join(top, 'shared');
  mkdirSync(folder);
  mkdirSync(join(top, 'outside'));
  writeFileSync(join(top, 'outside/secret'), 'secret');
});
const servers: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.dispose();
  rmSync(top, { recursive: true });
});

async function session(readOnly = false) {
  const server = new NinePServer(await NodeShare.open(folder, readOnly));
  servers.push(server);
  const client = new NinePClient((message) => server.request(message));
  await client.version();
  await client.attach(0);
  return client;
}

const fails = (promise: Promise<unknown>, code: keyof typeof ERRNO) =>
  expect(promise).rejects.toThrow(new NinePFailure(ERRNO[code]));

test('files go both ways, with their modes and times', async () => {
  const client = await session();
  writeFileSync(join(folder, 'from-host'), 'host');
  expect(await client.cat(0, 'from-host')).toBe('host');
  await client.mkdir(0, 'a', 0o750);
  await client.walk(0, 1, 'a');
  await client.create(1, 'from-guest', OPEN.RDWR, 0o444);
  await client.write(1, 0, 'guest');
  await client.setattr(1, 16 | 128 | 32 | 256, { atime: 1_000, mtime: 2_000 });
  const file = join(folder, 'a/from-guest');
  expect(readFileSync(file, 'utf8')).toBe('guest');
  expect(statSync(file).mode & 0o7777).toBe(0o444);
  expect(statSync(join(folder, 'a')).mode & 0o7777).toBe(0o750);
  expect(statSync(file).mtimeMs).toBe(2_000_000);
  expect(await client.getattr(1)).toMatchObject({ mtime: 2_000n, size: 5n, uid: 0, gid: 0 });
});

test('owners are the guest’s, and no file here gets the right of its owner', async () => {
  const client = await session();
  await client.walk(0, 1);
  await client.create(1, 'program', OPEN.RDWR, 0o6755);
  await client.setattr(1, 1 | 2 | 4, { mode: 0o6711, uid: 1000, gid: 100 });
  expect(await client.getattr(1)).toMatchObject({ mode: 0o100711, uid: 1000, gid: 100 });
  const stat = statSync(join(folder, 'program'));
  expect([stat.mode & 0o7777, stat.uid]).toEqual([0o711, statSync(folder).uid]);
});

test('what the host changes is seen, with another version', async () => {
  const client = await session();
  writeFileSync(join(folder, 'f'), 'one');
  const [before] = await client.walk(0, 1, 'f');
  await client.clunk(1);
  writeFileSync(join(folder, 'f'), 'three');
  const [after] = await client.walk(0, 1, 'f');
  expect(after!.path).toBe(before!.path);
  expect(after!.version).not.toBe(before!.version);
  expect(await client.cat(0, 'f')).toBe('three');
});

describe('nothing outside is reached', () => {
  test('a link out of the folder is a link, not its target', async () => {
    symlinkSync(join(top, 'outside'), join(folder, 'out'));
    symlinkSync(join(top, 'outside/secret'), join(folder, 'file'));
    const client = await session();
    await client.walk(0, 1, 'out');
    expect((await client.getattr(1)).mode & 0o170000).toBe(0o120000);
    await fails(client.open(1), 'ELOOP');
    await fails(client.walk(1, 2, 'secret'), 'ELOOP');
    expect(await client.walk(0, 2, 'out', 'secret')).toHaveLength(1);
    await fails(client.cat(0, 'file'), 'ELOOP');
    await fails(client.mkdir(1, 'x'), 'ELOOP');
    await client.walk(0, 3);
    await fails(client.create(3, 'file', OPEN.RDWR | OPEN.TRUNC), 'ELOOP');
    await client.walk(0, 4, 'file');
    await fails(client.setattr(4, 8, { size: 0 }), 'EINVAL');
    await client.setattr(4, 1, { mode: 0 });
    expect(readFileSync(join(top, 'outside/secret'), 'utf8')).toBe('secret');
    expect(statSync(join(top, 'outside/secret')).mode & 0o777).not.toBe(0);
  });

  test('a folder that becomes a link while it is held', async () => {
    const client = await session();
    await client.mkdir(0, 'a');
    await client.walk(0, 1, 'a');
    renameSync(join(folder, 'a'), join(folder, 'b'));
    symlinkSync(join(top, 'outside'), join(folder, 'a'));
    await fails(client.walk(1, 2, 'secret'), 'ELOOP');
    await client.walk(1, 3);
    await fails(client.create(3, 'new'), 'ELOOP');
    await fails(client.unlink(1, 'secret'), 'ELOOP');
    await fails(client.mkdir(1, 'x'), 'ELOOP');
    await fails(client.renameat(1, 'secret', 0, 'x'), 'ELOOP');
    expect(existsSync(join(top, 'outside/secret'))).toBe(true);
  });

  test('requests beside each other find no moment in between', async () => {
    const client = await session();
    await client.mkdir(0, 'a');
    await client.walk(0, 1, 'a');
    await client.walk(1, 5);
    await client.create(5, 'secret');
    await client.write(5, 0, 'mine');
    for (let i = 0; i < 30; i++) {
      const stolen = 100 + i;
      const results = await Promise.allSettled([
        client.renameat(0, 'a', 0, 'b'),
        client.symlink(0, 'a', '../outside'),
        client.walk(1, stolen, 'secret').then(() => client.cat(stolen)),
        client.unlink(0, 'a').then(() => client.renameat(0, 'b', 0, 'a')),
      ]);
      for (const one of results) {
        if (one.status === 'fulfilled' && typeof one.value === 'string') {
          expect(one.value).toBe('mine');
        }
      }
    }
  });

  test('pipes and devices are not there', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const client = await session();
    await fails(client.walk(0, 1, 'pipe'), 'EPERM');
    await client.walk(0, 2);
    await client.open(2);
    expect((await client.readdir(2)).map(({ name }) => name)).toEqual(['.', '..']);
  });
});

test('a file without a name goes on, and what took its name is another', async () => {
  const client = await session();
  await client.walk(0, 1);
  await client.create(1, 'f');
  await client.write(1, 0, 'old');
  await client.unlink(0, 'f');
  await client.walk(0, 2);
  await client.create(2, 'f');
  expect(await client.readText(1)).toBe('old');
  expect((await client.getattr(1)).size).toBe(3n);
  await client.setattr(1, 8, { size: 1 });
  expect(await client.readText(1)).toBe('o');
  await client.mkdir(0, 'd');
  await client.walk(0, 3, 'd');
  await client.renameat(0, 'd', 0, 'e');
  await client.walk(3, 4);
  await client.create(4, 'inside');
  expect(lstatSync(join(folder, 'e/inside')).isFile()).toBe(true);
});

test('read-only', async () => {
  writeFileSync(join(folder, 'f'), 'x');
  const client = await session(true);
  expect(await client.cat(0, 'f')).toBe('x');
  await fails(client.unlink(0, 'f'), 'EROFS');
  await client.walk(0, 1, 'f');
  await fails(client.open(1, OPEN.RDWR), 'EROFS');
});

test('what is no folder is refused with a sentence', async () => {
  const sentence = (path: string) => NodeShare.open(path, false);
  await expect(sentence(join(top, 'missing'))).rejects.toThrow('it does not exist');
  await expect(sentence(join(top, 'outside/secret'))).rejects.toThrow(UserError);
});
