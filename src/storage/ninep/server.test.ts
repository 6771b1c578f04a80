import { describe, expect, test } from 'vitest';
import { ERRNO, OPEN, T, WireWriter } from '../../machine/devices/virtio/nine-p-wire.ts';
import { MemoryFs } from './memory-fs.ts';
import { NinePServer } from './server.ts';
import { NinePClient, NinePFailure } from './testing/client.ts';

async function session(options: ConstructorParameters<typeof MemoryFs>[0] = {}) {
  const fs = new MemoryFs(options);
  const errors: string[] = [];
  const server = new NinePServer(fs, { onError: (reason) => void errors.push(reason) });
  const client = new NinePClient((message) => server.request(message));
  await client.version();
  await client.attach(0);
  return { fs, server, client, errors };
}

const fails = (promise: Promise<unknown>, code: keyof typeof ERRNO) =>
  expect(promise).rejects.toThrow(new NinePFailure(ERRNO[code]));

describe('the session', () => {
  test('agrees on a length of messages and on 9P2000.L', async () => {
    const { client } = await session();
    expect(await client.version(1 << 20)).toEqual({ msize: 512 * 1024, version: '9P2000.L' });
    expect(await client.version(8192)).toEqual({ msize: 8192, version: '9P2000.L' });
    expect((await client.version(8192, '9P2000.u')).version).toBe('unknown');
    await fails(client.attach(0), 'EPROTO');
    await fails(client.version(100), 'EINVAL');
  });

  test('a new one ends the old: its fids are gone', async () => {
    const { client } = await session();
    await client.version();
    await fails(client.getattr(0), 'EBADF');
    await client.attach(0);
    expect((await client.getattr(0)).mode).toBe(0o040755);
  });

  test('a fid is used once, and must be there', async () => {
    const { client } = await session();
    await fails(client.attach(0), 'EBADF');
    await fails(client.walk(0, 0xffff_ffff), 'EBADF');
    await fails(client.walk(7, 8), 'EBADF');
    await client.walk(0, 1);
    await fails(client.walk(0, 1), 'EBADF');
    await client.clunk(1);
    await fails(client.clunk(1), 'EBADF');
  });

  test('fids are bounded', async () => {
    const { client } = await session();
    let count = 1;
    for (; count < 100_000; count++) {
      const refused = await client.walk(0, count).catch((error: unknown) => error);
      if (!(refused instanceof NinePFailure)) continue;
      expect(refused.errno).toBe(ERRNO.EMFILE);
      break;
    }
    expect(count).toBe(1 << 16);
  });

  test('messages that break the format are refused', async () => {
    const { server, client } = await session();
    const message = () => new WireWriter(T.GETATTR, 1).u32(0).u64(0);
    await expect(server.request(message().finish())).resolves.toHaveProperty('4', T.GETATTR + 1);
    for (const broken of [
      message().u8(0).finish(),
      message().finish().subarray(0, 12),
      new WireWriter(T.GETATTR, 1).u32(0).finish(),
      new Uint8Array(3),
      new Uint8Array(0),
    ]) {
      const answer = await server.request(broken.slice());
      expect([answer[4], answer[7]]).toEqual([7, ERRNO.EPROTO]);
    }
    await fails(
      client.call(99, () => {}),
      'EOPNOTSUPP',
    );
    await fails(
      client.call(T.AUTH, (w) => w.u32(1)),
      'EOPNOTSUPP',
    );
  });

  test('a flush is answered after what it flushes', async () => {
    const { client } = await session();
    const order: string[] = [];
    const one = client.call(T.GETATTR, (w) => w.u32(0).u64(0), 5).then(() => order.push('request'));
    const two = client.call(T.FLUSH, (w) => w.u16(5), 6).then(() => order.push('flush'));
    await Promise.all([one, two]);
    expect(order).toEqual(['request', 'flush']);
  });
});

describe('names', () => {
  test.each(['..', '.', '', 'a/b', '/etc/passwd', 'a\0b'])('%j leads nowhere', async (name) => {
    const { client } = await session();
    await client.mkdir(0, 'folder');
    await client.walk(0, 1, 'folder');
    await client.walk(0, 2);
    await fails(client.walk(1, 3, name), 'EINVAL');
    await fails(client.create(2, name), 'EINVAL');
    await fails(client.mkdir(1, name), 'EINVAL');
    await fails(client.symlink(1, name, 'x'), 'EINVAL');
    await fails(client.link(1, 1, name), 'EINVAL');
    await fails(client.unlink(1, name), 'EINVAL');
    await fails(client.renameat(0, 'folder', 0, name), 'EINVAL');
    await fails(client.renameat(0, name, 0, 'x'), 'EINVAL');
    await fails(client.rename(1, 0, name), 'EINVAL');
  });

  test('too long, or not UTF-8', async () => {
    const { client } = await session();
    await fails(client.mkdir(0, 'x'.repeat(256)), 'ENAMETOOLONG');
    await client.mkdir(0, 'x'.repeat(255));
    await fails(
      client.call(T.MKDIR, (w) => w.u32(0).string(Uint8Array.of(0xff, 0x41)).u32(0).u32(0)),
      'EILSEQ',
    );
  });

  test('a walk that ends early makes no fid', async () => {
    const { client } = await session();
    await client.mkdir(0, 'a');
    expect(await client.walk(0, 1, 'a', 'missing')).toHaveLength(1);
    await fails(client.getattr(1), 'EBADF');
    await fails(client.walk(0, 1, 'missing', 'a'), 'ENOENT');
  });

  test('a share has one root', async () => {
    const { client } = await session();
    await client.attach(1, '/');
    await fails(client.attach(2, '/etc'), 'ENOENT');
    await fails(client.attach(2, 'file:zz'), 'ESTALE');
  });
});

describe('files', () => {
  test('create, write, read, append, truncate', async () => {
    const { client } = await session();
    await client.walk(0, 1);
    await client.create(1, 'notes', OPEN.RDWR, 0o640);
    expect(await client.write(1, 0, 'hello')).toBe(5);
    expect(await client.write(1, 5, ' world')).toBe(6);
    expect(await client.readText(1)).toBe('hello world');
    expect(await client.readText(1, 6)).toBe('world');
    expect(await client.readText(1, 100)).toBe('');
    expect(await client.getattr(1)).toMatchObject({ mode: 0o100640, size: 11n, links: 1n });
    await client.setattr(1, 8, { size: 4 });
    expect(await client.readText(1)).toBe('hell');
    await client.setattr(1, 8, { size: 8 });
    expect(await client.readText(1)).toBe('hell\0\0\0\0');
    await client.walk(0, 2, 'notes');
    await client.open(2, OPEN.WRONLY | OPEN.TRUNC);
    expect((await client.getattr(1)).size).toBe(0n);
    await fails(client.read(2), 'EBADF');
    await fails(client.open(2), 'EBUSY');
  });

  test('O_EXCL refuses what is there, without it that is opened', async () => {
    const { client } = await session();
    await client.walk(0, 1);
    await client.create(1, 'a');
    await client.write(1, 0, 'x');
    await client.walk(0, 2);
    await fails(client.create(2, 'a', OPEN.RDWR | OPEN.EXCL), 'EEXIST');
    await client.create(2, 'a', OPEN.RDWR);
    expect(await client.readText(2)).toBe('x');
  });

  test('a file that was removed can be read as long as it is open', async () => {
    const { client, fs } = await session();
    const before = fs.used;
    await client.walk(0, 1);
    await client.create(1, 'a');
    await client.write(1, 0, 'still here');
    await client.unlink(0, 'a');
    await fails(client.walk(0, 2, 'a'), 'ENOENT');
    expect(await client.readText(1)).toBe('still here');
    expect((await client.getattr(1)).links).toBe(0n);
    await client.clunk(1);
    expect(fs.used).toBe(before);
  });

  test('a file that was opened for reading is not written', async () => {
    const { client } = await session();
    await client.walk(0, 1);
    await client.create(1, 'a', 0);
    await fails(client.write(1, 0, 'x'), 'EBADF');
    await fails(client.read(0), 'EBADF');
  });

  test('a symbolic link, a second name, no devices', async () => {
    const { client } = await session();
    await client.symlink(0, 'link', '../outside');
    await client.walk(0, 1, 'link');
    expect(await client.readlink(1)).toBe('../outside');
    expect((await client.getattr(1)).mode).toBe(0o120777);
    await fails(client.open(1), 'ELOOP');
    await fails(client.walk(1, 5, 'x'), 'ENOTDIR');
    await client.walk(0, 2);
    await client.create(2, 'file');
    await client.link(0, 2, 'other');
    expect((await client.getattr(2)).links).toBe(2n);
    await client.unlink(0, 'file');
    expect(await client.cat(0, 'other')).toBe('');
    await fails(
      client.call(T.MKNOD, (w) => w.u32(0).string(Uint8Array.of(97)).u32(0o20644).u64(0).u32(0)),
      'EPERM',
    );
  });

  test('extended attributes: none; locks: granted', async () => {
    const { client } = await session();
    const attribute = (name: number[]) =>
      client.call(T.XATTRWALK, (w) => w.u32(0).u32(9).string(Uint8Array.from(name)));
    await fails(attribute([]), 'EOPNOTSUPP');
    await fails(attribute([97]), 'ENODATA');
    const lock = await client.call(T.LOCK, (w) =>
      w.u32(0).u8(1).u32(0).u64(0).u64(0).u32(1).string(Uint8Array.of(97)),
    );
    expect(lock.u8()).toBe(0);
    const held = await client.call(T.GETLOCK, (w) =>
      w.u32(0).u8(1).u64(0).u64(0).u32(1).string(Uint8Array.of(97)),
    );
    expect(held.u8()).toBe(2);
  });

  test('what is left is told, and what does not fit is refused', async () => {
    const { client } = await session({ limit: 256 * 1024 });
    const reader = await client.call(T.STATFS, (w) => w.u32(0));
    expect([reader.u32(), reader.u32(), reader.u64()]).toEqual([0x01021997, 4096, 64n]);
    await client.walk(0, 1);
    await client.create(1, 'big');
    for (let at = 0; at < 3; at++) await client.write(1, at * 65536, new Uint8Array(60000));
    await fails(client.write(1, 3 * 65536, 'x'), 'ENOSPC');
    await fails(client.write(1, 2 ** 50, 'x'), 'EFBIG');
    await client.setattr(1, 8, { size: 0 });
    await client.write(1, 3 * 65536, 'x');
  });
});

describe('folders', () => {
  test('are read in pieces, each entry once, also while others change them', async () => {
    const { client } = await session();
    const names = Array.from({ length: 500 }, (_, i) => `file-${i}`);
    for (const name of names) await client.mkdir(0, name);
    await client.walk(0, 1);
    await client.open(1);
    const seen: string[] = [];
    for (let offset = 0n; ; ) {
      const part = await client.readdir(1, offset, 700);
      if (part.length === 0) break;
      if (offset === 0n) await client.unlink(0, 'file-3', 0x200);
      seen.push(...part.map(({ name }) => name));
      offset = part.at(-1)!.offset;
    }
    expect(seen).toEqual(['.', '..', ...names]);
    expect((await client.readdir(1)).map(({ name }) => name)).not.toContain('file-3');
  });

  test('full ones are not removed, and files are no folders', async () => {
    const { client } = await session();
    await client.mkdir(0, 'a');
    await client.walk(0, 1, 'a');
    await client.walk(1, 2);
    await client.create(2, 'f');
    await fails(client.unlink(0, 'a', 0x200), 'ENOTEMPTY');
    await fails(client.unlink(0, 'a'), 'EISDIR');
    await fails(client.unlink(1, 'f', 0x200), 'ENOTDIR');
    await client.unlink(1, 'f');
    await client.unlink(0, 'a', 0x200);
    await fails(client.mkdir(1, 'in-the-dead'), 'ENOENT');
    await fails(client.open(0, OPEN.WRONLY), 'EISDIR');
  });

  test('rename: moves, replaces, keeps open files, refuses circles', async () => {
    const { client } = await session();
    await client.mkdir(0, 'a');
    await client.walk(0, 1, 'a');
    await client.mkdir(1, 'b');
    await client.walk(1, 2, 'b');
    await client.walk(2, 3);
    await client.create(3, 'file');
    await client.write(3, 0, 'moved');
    await client.renameat(0, 'a', 0, 'c');
    expect(await client.cat(0, 'c', 'b', 'file')).toBe('moved');
    await fails(client.renameat(0, 'c', 2, 'inside'), 'EINVAL');
    await client.rename(3, 0, 'top');
    expect(await client.readText(3)).toBe('moved');
    await client.walk(0, 4);
    await client.create(4, 'victim');
    await client.write(4, 0, 'old');
    await client.renameat(0, 'top', 0, 'victim');
    expect(await client.cat(0, 'victim')).toBe('moved');
    expect(await client.readText(4)).toBe('old');
    await fails(client.renameat(0, 'victim', 0, 'c'), 'EISDIR');
    await fails(client.renameat(0, 'c', 0, 'victim'), 'ENOTDIR');
    await client.remove(3);
    await fails(client.walk(0, 5, 'victim'), 'ENOENT');
  });

  test('times, owners and modes are kept', async () => {
    let now = 1_000_000;
    const { client } = await session({ now: () => now });
    await client.mkdir(0, 'a', 0o1777);
    await client.walk(0, 1, 'a');
    expect(await client.getattr(1)).toMatchObject({ mode: 0o041777, mtime: 1000n });
    now = 5_000_000;
    await client.setattr(1, 1 | 2 | 4 | 32, { mode: 0o700, uid: 1000, gid: 100 });
    expect(await client.getattr(1)).toMatchObject({
      mode: 0o040700,
      uid: 1000,
      gid: 100,
      mtime: 5000n,
    });
    await client.setattr(1, 16 | 128 | 32 | 256, { atime: 7, mtime: 9 });
    expect(await client.getattr(1)).toMatchObject({ atime: 7n, mtime: 9n });
  });
});

test('a read-only share changes in nothing', async () => {
  const { client, fs: shared } = await session({ readOnly: true });
  const file = shared.create(shared.root, 'f', { mode: 0o644, uid: 0, gid: 0 });
  shared.write(file, 0, new TextEncoder().encode('text'));
  expect(await client.cat(0, 'f')).toBe('text');
  await client.walk(0, 1);
  await fails(client.create(1, 'x'), 'EROFS');
  await fails(client.mkdir(0, 'x'), 'EROFS');
  await fails(client.symlink(0, 'x', 'y'), 'EROFS');
  await fails(client.unlink(0, 'f'), 'EROFS');
  await fails(client.renameat(0, 'f', 0, 'g'), 'EROFS');
  await fails(client.setattr(0, 1, { mode: 0 }), 'EROFS');
  await client.walk(0, 2, 'f');
  await fails(client.rename(2, 0, 'g'), 'EROFS');
  await fails(client.link(0, 2, 'g'), 'EROFS');
  await fails(client.open(2, OPEN.RDWR), 'EROFS');
  await fails(client.open(2, OPEN.TRUNC), 'EROFS');
  await fails(client.remove(2), 'EROFS');
  expect(await client.cat(0, 'f')).toBe('text');
});
