import { describe, expect, test } from 'vitest';
import { MemoryFs } from '../../../storage/ninep/memory-fs.ts';
import { NinePServer } from '../../../storage/ninep/server.ts';
import { NinePClient, NinePFailure } from '../../../storage/ninep/testing/client.ts';
import { RAM_BASE } from '../../memory.ts';
import { StateError } from '../../state.ts';
import { firstDifference } from '../../testing/state.ts';
import { type VirtioRig, virtioRig } from '../../testing/virtio-rig.ts';
import { NinePDevice } from './nine-p.ts';
import { ERRNO, errorOf, OPEN, T, WireWriter } from './nine-p-wire.ts';
import type { ShareBackend } from './share-backend.ts';

const RAM = 8 << 20;

/** A server whose answers wait while `held` is set. */
class TestBackend implements ShareBackend {
  readonly tag = 'shared';
  readonly types: number[] = [];
  readonly server: NinePServer<unknown>;
  /** Answers wait for this; what they answer has been done. */
  held: Promise<void> | undefined;
  broken = false;

  constructor(readonly fs: MemoryFs) {
    this.server = new NinePServer(fs) as NinePServer<unknown>;
  }

  async request(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    if (this.broken) throw new Error('the server is gone');
    this.types.push(message[4]!);
    const answer = await this.server.request(message);
    await this.held;
    return answer;
  }
}

/** Lets everything that is due happen. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A device over a server, and a client that speaks through the guest's queue. */
function share(fs: MemoryFs) {
  const backend = new TestBackend(fs);
  const errors: string[] = [];
  const rig = virtioRig(new NinePDevice(backend, { onError: (e) => errors.push(e) }), RAM);
  return { ...rig, backend, fs, errors, client: clientOf(rig) };
}

function clientOf({ driver }: VirtioRig<NinePDevice>) {
  const rooms = new Map<number, { address: number; length: number }>();
  const send = async (message: Uint8Array) => {
    const queue = driver.queues[0]!;
    const { head, room } = queue.offer([message], [16384]);
    rooms.set(head, room[0]!);
    queue.kick();
    for (let i = 0; i < 100; i++) {
      const used = queue.reap().find((one) => one.head === head);
      if (used) return driver.read({ ...rooms.get(head)!, length: used.written });
      await turn();
    }
    throw new Error('The device did not answer.');
  };
  return new NinePClient(send);
}

async function session(fs = new MemoryFs()) {
  const one = share(fs);
  one.driver.start();
  await one.client.version(16384);
  await one.client.attach(0);
  return one;
}

/** Saves, and goes on in another machine with another server over `fs`. */
async function move(from: Awaited<ReturnType<typeof session>>, fs: MemoryFs = from.fs) {
  const saved = from.transport.state.save();
  const ram = from.driver.read({ address: RAM_BASE, length: from.memory.size });
  const to = share(fs);
  to.driver.write(RAM_BASE, ram);
  to.transport.state.restore(saved);
  // The driver of before goes on: its memory is the same, its device another.
  Object.assign(from.driver, { memory: to.memory, device: to.transport });
  await turn();
  await turn();
  return { ...to, client: from.client, saved, driver: from.driver };
}

const fails = (promise: Promise<unknown>, code: keyof typeof ERRNO) =>
  expect(promise).rejects.toThrow(new NinePFailure(ERRNO[code]));

test('says the tag by which the guest mounts it', () => {
  const { device } = share(new MemoryFs());
  expect([...device.config]).toEqual([6, 0, ...Buffer.from('shared')]);
  expect(device.features).toEqual([0]);
  expect(() => new NinePDevice({ tag: 'a/b', request: () => Promise.reject(new Error()) })).toThrow(
    'cannot have the tag "a/b"',
  );
});

test('files through the queue', async () => {
  const { client, fs, faults } = await session();
  await client.walk(0, 1);
  await client.create(1, 'hello');
  await client.write(1, 0, 'from the guest');
  expect(fs.list(fs.root).map(({ name }) => name)).toEqual(['hello']);
  expect(await client.cat(0, 'hello')).toBe('from the guest');
  expect(faults).toEqual([]);
});

describe('a guest that breaks the rules', () => {
  test.each([
    ['no message', 0, 100],
    ['half a header', 6, 100],
    ['no room for an error', 20, 10],
    ['a message that is too long', 512 * 1024 + 1, 100],
  ])('%s: the device stops until it is reset', async (_name, length, room) => {
    const one = await session();
    one.driver.queues[0]!.offer(length === 0 ? [] : [new Uint8Array(length)], [room]);
    one.driver.queues[0]!.kick();
    expect(one.driver.needsReset).toBe(true);
    expect(one.faults[0]!.error).toBeUndefined();
    one.driver.start();
    await one.client.version();
  });

  test('too little room for the answer: an error, and never more than the room', async () => {
    const one = await session();
    const queue = one.driver.queues[0]!;
    const message = new WireWriter(T.GETATTR, 3).u32(0).u64(0).finish();
    const { room } = queue.offer([message], [30]);
    queue.kick();
    await turn();
    expect(queue.reap()).toMatchObject([{ written: 11 }]);
    expect(errorOf(one.driver.read({ ...room[0]!, length: 11 }))).toBe(ERRNO.EMSGSIZE);
  });

  test('what waits in the host is bounded', async () => {
    const one = await session();
    let release = () => {};
    one.backend.held = new Promise((resolve) => {
      release = resolve;
    });
    const queue = one.driver.queues[0]!;
    const address = one.driver.allocate(512 * 1024);
    const heads = Array.from({ length: 32 }, () => {
      const head = queue.chain([
        { address, length: 512 * 1024 },
        { address, length: 512 * 1024, flags: 2 },
      ]);
      queue.publish(head);
      return head;
    });
    queue.kick();
    expect(one.device.inFlight).toBeLessThanOrEqual(9);
    release();
    for (let i = 0; i < 20; i++) await turn();
    expect(queue.reap()).toHaveLength(heads.length);
  });
});

test('a server that is gone: an I/O error, and a line in the log', async () => {
  const one = await session();
  one.backend.broken = true;
  await fails(one.client.getattr(0), 'EIO');
  expect(one.errors).toEqual(['The shared folder shared failed: the server is gone']);
});

describe('after a restore', () => {
  test('open files, folders and names of before are there', async () => {
    const before = await session();
    const { client } = before;
    await client.mkdir(0, 'a');
    await client.walk(0, 1, 'a');
    await client.mkdir(1, 'b');
    await client.walk(1, 2, 'b');
    await client.walk(2, 3);
    await client.create(3, 'file', OPEN.RDWR | OPEN.EXCL | OPEN.TRUNC);
    await client.write(3, 0, 'kept');
    // Renamed above the open file, and a second time.
    await client.renameat(0, 'a', 0, 'c');
    await client.walk(0, 4, 'c');
    await client.renameat(4, 'b', 0, 'd');
    await client.walk(0, 5);
    await client.open(5);
    const after = await move(before);
    expect(await client.readText(3)).toBe('kept');
    await client.write(3, 4, ' and more');
    expect(await client.cat(0, 'd', 'file')).toBe('kept and more');
    expect((await client.readdir(5)).map(({ name }) => name)).toEqual(['.', '..', 'c', 'd']);
    expect((await client.readdir(4).catch((e: NinePFailure) => e.errno)) as number).toBe(
      ERRNO.EBADF,
    );
    expect(
      firstDifference(after.device.state.save(), before.device.state.save(), 's'),
    ).toBeUndefined();
    expect(after.errors).toEqual([]);
  });

  test('a file that was removed while open goes on', async () => {
    const before = await session();
    const { client } = before;
    await client.walk(0, 1);
    await client.create(1, 'a');
    await client.write(1, 0, 'nameless');
    await client.unlink(0, 'a');
    // Another one takes the name.
    await client.walk(0, 2);
    await client.create(2, 'a');
    await move(before);
    expect(await client.readText(1)).toBe('nameless');
    expect(await client.readText(2)).toBe('');
  });

  test('a file that is not there any more is an error, and no other file', async () => {
    const before = await session();
    const { client } = before;
    await client.mkdir(0, 'a');
    await client.walk(0, 1, 'a');
    await client.walk(1, 2);
    await client.create(2, 'f');
    const other = new MemoryFs();
    other.makeFolder(other.root, 'a', { mode: 0o755, uid: 0, gid: 0 });
    await move(before, other);
    await fails(client.getattr(2), 'EBADF');
    expect((await client.getattr(1)).mode).toBe(0o040755);
    await client.clunk(1);
  });

  const inFlight: [string, number, (w: WireWriter) => void, (fs: MemoryFs) => string[]][] = [
    [
      'creating a file',
      T.LCREATE,
      (w) =>
        w
          .u32(1)
          .string(Buffer.from('new'))
          .u32(OPEN.RDWR | OPEN.EXCL)
          .u32(0o644)
          .u32(0),
      names,
    ],
    [
      'making a folder',
      T.MKDIR,
      (w) => w.u32(0).string(Buffer.from('new')).u32(0o755).u32(0),
      names,
    ],
    [
      'making a link',
      T.SYMLINK,
      (w) => w.u32(0).string(Buffer.from('new')).string(Buffer.from('x')).u32(0),
      names,
    ],
    ['giving a name', T.LINK, (w) => w.u32(0).u32(2).string(Buffer.from('new')), names],
    ['removing a file', T.UNLINKAT, (w) => w.u32(0).string(Buffer.from('old')).u32(0), names],
    [
      'renaming',
      T.RENAMEAT,
      (w) => w.u32(0).string(Buffer.from('old')).u32(0).string(Buffer.from('new')),
      names,
    ],
    ['renaming by fid', T.RENAME, (w) => w.u32(2).u32(0).string(Buffer.from('new')), names],
    ['removing by fid', T.REMOVE, (w) => w.u32(2), names],
    ['walking', T.WALK, (w) => w.u32(0).u32(9).u16(1).string(Buffer.from('old')), names],
    ['writing', T.WRITE, (w) => w.u32(3).u64(0).u32(3).bytes(Buffer.from('abc')), names],
  ];

  test.each(inFlight)(
    '%s that was under way is done once, and answered well',
    async (_n, type, build, look) => {
      // What a machine that is not interrupted makes of it.
      const run = async (interrupted: boolean) => {
        const before = await session();
        const { client } = before;
        await client.walk(0, 3);
        await client.create(3, 'old');
        await client.walk(0, 2, 'old');
        await client.walk(0, 1);
        if (interrupted) before.backend.held = new Promise(() => {});
        const answered = client.call(type, build).then((reader) => reader.remaining);
        await turn();
        const after = interrupted ? await move(before) : before;
        const remaining = await answered;
        expect(after.device.inFlight).toBe(0);
        return { remaining, files: look(before.fs), state: after.transport.state.save() };
      };
      const [once, twice] = [await run(false), await run(true)];
      expect(twice.remaining).toBe(once.remaining);
      expect(twice.files).toEqual(once.files);
    },
  );

  function names(fs: MemoryFs): string[] {
    return fs.list(fs.root).map(({ name }) => {
      const node = fs.lookup(fs.root, name);
      return `${name} ${node.kind} ${fs.attributes(node).size}`;
    });
  }

  test('a saved session that contradicts itself is refused', async () => {
    const one = await session();
    const saved = one.device.state.save() as { version: number; fields: { fids: unknown[] } };
    const [fid] = saved.fields.fids as Record<string, unknown>[];
    const restore = (fids: unknown[]) => () =>
      one.device.state.restore({ ...saved, fields: { ...saved.fields, fids } });
    expect(restore([fid, fid])).toThrow(StateError);
    for (const path of ['a', '\0', 'a\0\0', 'ж\0', '/'.repeat(5000), 1]) {
      expect(restore([{ ...fid, path }])).toThrow(StateError);
    }
    expect(restore([{ ...fid, path: 'a\0b\0' }])).not.toThrow();
  });
});

test('a reset with requests at the server: their answers are dropped', async () => {
  const one = await session();
  let release = () => {};
  one.backend.held = new Promise((resolve) => {
    release = resolve;
  });
  one.client.getattr(0).catch(() => {});
  await turn();
  one.driver.start();
  release();
  one.backend.held = undefined;
  await turn();
  expect(one.driver.queues[0]!.usedIndex).toBe(0);
  await one.client.version();
  expect(one.device.inFlight).toBe(0);
});
