/**
 * Snapshots between a VM's worker and the storage: PortSink and PortSource on one side, the broker on
 * the other, over memory that can be full, slow or fail. And a worker that was taken over, which says
 * what it likes.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PageRun } from '../../machine/snapshot/snapshot.ts';
import { StorageError } from '../../storage/files.ts';
import { newId } from '../../storage/id.ts';
import { MemoryFolder, type Operation } from '../../storage/testing/memory-folder.ts';
import { PortDisk } from '../../worker/port-disk.ts';
import { PortSink } from '../../worker/port-sink.ts';
import { PortSource } from '../../worker/port-source.ts';
import { CAPTURE_WINDOW, SOURCE_IN_FLIGHT } from '../../worker/snapshot-protocol.ts';
import { eventually } from '../../worker/testing/eventually.ts';
import type { CaptureRequest } from './api.ts';
import { Broker } from './broker.ts';
import { SourceService } from './source-service.ts';

const PAGE = 4096;
const MEMORY = 16 << 20;
let folder: MemoryFolder;
let broker: Broker;
let fault: (operation: Operation) => void;
const ports: MessagePort[] = [];

const openBroker = () => Broker.open(folder, async () => ({}));

beforeEach(async () => {
  fault = () => {};
  folder = new MemoryFolder({ fault: (operation) => fault(operation) });
  broker = await openBroker();
});
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

function channel() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  return { port1, port2 };
}

const ID = newId();

function begin(more: Partial<CaptureRequest> = {}) {
  const { port1, port2 } = channel();
  const violations: string[] = [];
  const id = more.id ?? newId();
  const done = broker.capture(
    {
      id,
      vm: ID,
      name: 'one',
      note: '',
      kind: 'manual',
      parent: undefined,
      thumbnail: '',
      guest: undefined,
      memory: MEMORY,
      disks: [],
      ...more,
    },
    port1,
    { progress: () => {}, violation: (what) => violations.push(what), share: async () => null },
  );
  done.catch(() => {});
  return { id, done, port: port2, sink: new PortSink(port2), violations };
}

/** Pages `from` to `to`, each filled with bytes of its own. */
function run(from: number, to: number, seed = 0): PageRun {
  const bytes = new Uint8Array((to - from) * PAGE);
  const words = new Uint32Array(bytes.buffer);
  for (let i = 0; i < words.length; i += 64) words[i] = seed * 1_000_003 + from * 1024 + i + 1;
  return { first: from, bytes };
}

async function take(
  runs: readonly PageRun[],
  more: Partial<CaptureRequest> & { base?: string; token?: string } = {},
) {
  const { base, token = newId(), ...request } = more;
  const { sink, done } = begin(request);
  await sink.begin({ memory: MEMORY, state: { pc: 1 }, token, ...(base && { base }) });
  for (const one of runs) await sink.pages(one);
  await sink.end();
  return done;
}

async function contents(id: string): Promise<Uint8Array> {
  const { port1, port2 } = channel();
  await broker.openSnapshot(id, newId(), port1, () => {});
  const source = await PortSource.open(port2);
  const ram = new Uint8Array(MEMORY);
  for await (const { first, bytes } of source.pages()) ram.set(bytes, first * PAGE);
  return ram;
}

describe('a snapshot over ports', () => {
  test('arrives whole, incremental ones too, and single pages come at any time', async () => {
    const first = await take([run(0, 64), run(100, 164)]);
    expect(first).toMatchObject({ vm: ID, name: 'one', memory: MEMORY });
    const second = await take([run(3, 4, 9)], { parent: first.id, base: first.token });
    expect(second.bytes).toBeLessThan(3 * PAGE);
    const expected = new Uint8Array(MEMORY);
    for (const { first, bytes } of [run(0, 64), run(100, 164), run(3, 4, 9)]) {
      expected.set(bytes, first * PAGE);
    }
    expect(Buffer.compare(await contents(second.id), expected)).toBe(0);

    const { port1, port2 } = channel();
    await broker.openSnapshot(second.id, 'key', port1, () => {});
    const source = await PortSource.open(port2);
    expect(source.image).toMatchObject({ memory: MEMORY, state: { pc: 1 }, token: second.token });
    expect(source.held.length).toBe(128);
    const pages = source.pages()[Symbol.asyncIterator]();
    await pages.next();
    const [fetched] = await source.fetch([3]);
    expect(fetched?.first).toBe(3);
    expect(fetched?.bytes.slice(0, PAGE)).toEqual(run(3, 4, 9).bytes);
    // What is being read stays until it is closed.
    await broker.removeSnapshot(second.id);
    await broker.removeSnapshot(first.id);
    expect((await source.fetch([163])).length).toBe(1);
    await broker.closeSnapshot('key');
    await eventually(() => expect(folder.used()).toBe(0));
  });

  test('disks are the ones that were frozen under its token', async () => {
    const id = newId();
    const { port1, port2 } = channel();
    const { size } = await broker.openDisk(
      { id, kind: 'persistent', size: 1 << 20 },
      port1,
      () => {},
      () => {},
    );
    const disk = new PortDisk({ port: port2, id, size, readOnly: false });
    const token = newId();
    void disk.write(0, new Uint8Array(4096).fill(1));
    disk.freeze(token);
    const written = disk.write(0, new Uint8Array(4096).fill(2));
    const record = await take([run(0, 1)], { disks: [id], token });
    await written;
    await broker.closeDisk(id);

    const other = newId();
    await broker.placeDisks(record.id, [{ id: other, kind: 'persistent' }]);
    for (const [of, value] of [
      [id, 2],
      [other, 1],
    ] as const) {
      const piece = await broker.readDisk(of, 0, 4096);
      expect(new Uint8Array(piece!)[0]).toBe(value);
      await broker.finishDisk(of);
    }
    // Back to the snapshot.
    await broker.placeDisks(record.id, [{ id, kind: 'persistent' }]);
    expect(new Uint8Array((await broker.readDisk(id, 0, 4096))!)[0]).toBe(1);
    await broker.finishDisk(id);
    await expect(broker.placeDisks(record.id, [])).rejects.toThrow(/with 1 disks, not with 0/);
  });

  test('ten clones take little more than one', async () => {
    const id = newId();
    const { port1, port2 } = channel();
    await broker.openDisk(
      { id, kind: 'persistent', size: 8 << 20 },
      port1,
      () => {},
      () => {},
    );
    const disk = new PortDisk({ port: port2, id, size: 8 << 20, readOnly: false });
    for (let at = 0; at < 4 << 20; at += 1 << 20) {
      await disk.write(
        at,
        new Uint8Array(1 << 20).map((_, i) => i * 31 + at),
      );
    }
    const token = newId();
    disk.freeze(token);
    const record = await take([run(0, 64), run(64, 128), run(128, 192)], { disks: [id], token });
    const one = folder.used();
    expect(one).toBeGreaterThan((4 << 20) + 192 * PAGE);
    for (let i = 0; i < 10; i++) {
      const clone = newId();
      await broker.placeDisks(record.id, [{ id: clone, kind: 'persistent' }]);
      const own = channel();
      await broker.openDisk(
        { id: clone, kind: 'persistent' },
        own.port1,
        () => {},
        () => {},
      );
      const mine = new PortDisk({ port: own.port2, id: clone, size: 8 << 20, readOnly: false });
      const read = new Uint8Array(4096);
      await mine.read(1 << 20, read);
      expect(read[7]).toBe((7 * 31) & 255);
      await mine.write(i << 16, new Uint8Array(4096).fill(i + 1));
      await mine.flush();
      // Each goes on a little, and is snapshotted.
      const frozen = newId();
      mine.freeze(frozen);
      await take([run(i, i + 1, 7)], {
        parent: record.id,
        base: record.token,
        token: frozen,
        disks: [clone],
        vm: clone,
      });
    }
    expect(folder.used() - one).toBeLessThan(one / 4);
  });
});

describe('storage that does not', () => {
  test('full: the capture fails with a sentence, the snapshots before are whole, and nothing stays', async () => {
    folder = MemoryFolder.withCapacity(2 << 20);
    broker = await openBroker();
    const first = await take([run(0, 64)]);
    const used = folder.used();
    const { sink, done } = begin({ parent: first.id });
    await sink.begin({ memory: MEMORY, state: 0, token: newId(), base: first.token });
    const pouring = (async () => {
      for (let page = 64; page < 4000; page += 64) await sink.pages(run(page, page + 64));
      await sink.end();
    })();
    await expect(pouring).rejects.toThrow(/full/);
    sink.abort('It failed.');
    await expect(done).rejects.toThrow(/full/);
    await eventually(() => expect(folder.used()).toBe(used));
    expect((await broker.snapshots()).map(({ id }) => id)).toEqual([first.id]);
    await broker.verifySnapshot(first.id, () => {});
    expect(
      Buffer.compare((await contents(first.id)).subarray(0, 64 * PAGE), run(0, 64).bytes),
    ).toBe(0);
  });

  test.each(['pages', 'tables', 'snapshots'])('failing in %s: likewise', async (where) => {
    const first = await take([run(0, 8)]);
    const used = folder.used();
    fault = ({ kind, path }) => {
      if (kind === 'write' && path.startsWith(`/${where}/`)) {
        throw new StorageError('failed', 'The medium is worn out.');
      }
    };
    await expect(
      take([run(8, 64), run(64, 128)], { parent: first.id, base: first.token }),
    ).rejects.toThrow('The medium is worn out.');
    fault = () => {};
    await eventually(() => expect(folder.used()).toBe(used));
    expect((await broker.snapshots()).map(({ id }) => id)).toEqual([first.id]);
    // The next one is taken.
    await take([run(8, 64), run(64, 128)], { parent: first.id, base: first.token });
  });

  test('slow: what is on its way stays within the window', async () => {
    const { port1, port2 } = channel();
    const sink = new PortSink(port2);
    let waiting = 0;
    let most = 0;
    port1.onmessage = ({ data }) => {
      waiting += data.data?.byteLength ?? 0;
      most = Math.max(most, waiting);
      setTimeout(() => {
        waiting -= data.data?.byteLength ?? 0;
        port1.postMessage({ id: data.id });
      }, 1);
    };
    await sink.begin({ memory: MEMORY * 4, state: 0, token: newId() });
    for (let page = 0; page < 12_000; page += 64) await sink.pages(run(page, page + 64));
    await sink.end();
    expect(most).toBeGreaterThan(CAPTURE_WINDOW / 2);
    expect(most).toBeLessThanOrEqual(CAPTURE_WINDOW + 64 * PAGE);
  });

  test('cancelled: the worker hears of it, and nothing stays', async () => {
    const { sink, done, id } = begin();
    await sink.begin({ memory: MEMORY, state: 0, token: newId() });
    await sink.pages(run(0, 64));
    await broker.cancelCapture(id, 'It was given up.');
    await expect(done).rejects.toThrow('It was given up.');
    await eventually(() => expect(() => sink.pages(run(64, 128))).toThrow('It was given up.'));
    await eventually(() => expect(folder.used()).toBe(0));
  });

  test('damaged: a page is a sentence where it is read', async () => {
    const record = await take([run(0, 64)]);
    const pages = await folder.folder('pages');
    await broker.closeSnapshot('');
    const [pack] = record.packs;
    // The file is open in the broker: damage it in another storage over the same bytes.
    folder = folder.crash(() => 0);
    const file = await (await folder.folder('pages')).open(pack!, 'existing');
    file.write(5 * PAGE, Uint8Array.of(255));
    file.flush();
    file.close();
    broker = await openBroker();
    expect(pages).toBeDefined();
    await expect(contents(record.id)).rejects.toThrow(
      /a page of its memory is not what was stored/,
    );
    await expect(broker.verifySnapshot(record.id, () => {})).rejects.toThrow(/is damaged/);
  });
});

describe('a worker that was taken over', () => {
  const token = 'ab'.repeat(16);
  const start = { kind: 'begin', id: 1, memory: MEMORY, state: new ArrayBuffer(1), token };
  const pages = (id: number, first: number, bytes = PAGE) => ({
    kind: 'pages',
    id,
    first,
    data: new ArrayBuffer(bytes),
  });
  const many = Array.from({ length: CAPTURE_WINDOW / (64 * PAGE) + 4 }, (_, i) => ({
    ...pages(i + 2, 0),
    data: run(i, i + 64).bytes.buffer,
  }));

  test.each<[what: string, messages: unknown[], reason: RegExp]>([
    ['says what is no message', [{ kind: 'format' }], /Invalid type|Expected/],
    ['begins with another memory', [{ ...start, memory: MEMORY * 2 }], /another size of memory/],
    ['builds upon what is not its own', [{ ...start, base: token }], /not its own/],
    ['begins twice', [start, start], /began a snapshot twice/],
    ['sends pages before it begins', [pages(1, 0)], /nobody asked for/],
    ['sends a page beyond its memory', [start, pages(2, MEMORY / PAGE)], /does not have/],
    ['sends a piece of a page', [start, pages(2, 0, 100)], /odd length/],
    ['sends more than a run', [start, pages(2, 0, 65 * PAGE)], /odd length/],
    ['does not wait', [start, ...many], /too many pages/],
    ['ends what it has not begun', [{ kind: 'end', id: 1 }], /had not begun/],
    ['asks for tokens', Array.from({ length: 5 }, () => ({ kind: 'has', id: 1, token })), /asked/],
  ])('%s', async (_, messages, reason) => {
    const { port, done, violations } = begin();
    for (const message of messages) port.postMessage(message);
    await expect(done).rejects.toThrow(/broke the rules/);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatch(reason);
    await eventually(() => expect(folder.used()).toBe(0));
  });

  test('never sends more pages than its machine has', async () => {
    const { port, done, violations } = begin({ memory: 64 * PAGE });
    port.postMessage({ ...start, memory: 64 * PAGE });
    port.postMessage(pages(2, 0, 64 * PAGE));
    port.postMessage(pages(3, 0, PAGE));
    await expect(done).rejects.toThrow(/broke the rules/);
    expect(violations).toEqual(['it sent more pages than its machine has']);
  });

  test('a state that is none is refused, and is no violation', async () => {
    const { port, done, violations } = begin();
    port.postMessage({ ...start, state: Uint8Array.of(255, 1).buffer });
    await expect(done).rejects.toThrow(/damaged/);
    expect(violations).toEqual([]);
  });

  test.each<[what: string, message: unknown, times: number]>([
    ['asks for what there is not', { kind: 'delete', id: 1 }, 1],
    ['opens twice', { kind: 'open', id: 1 }, 2],
    ['fetches too much', { kind: 'fetch', id: 1, pages: new Array(257).fill(0) }, 1],
  ])('of a restore: %s', async (_, message, times) => {
    const { id } = await take([run(0, 4)]);
    const { port1, port2 } = channel();
    const violations: string[] = [];
    await broker.openSnapshot(id, 'key', port1, (what) => violations.push(what));
    for (let i = 0; i < times; i++) port2.postMessage(message);
    await eventually(() => expect(violations).toHaveLength(1));
    // Nothing is held any more.
    await broker.removeSnapshot(id);
    await eventually(() => expect(folder.used()).toBe(0));
  });

  test('of a restore: asks for too much at once', async () => {
    const { port1, port2 } = channel();
    const violations: string[] = [];
    let closed = 0;
    new SourceService(
      {
        image: { memory: MEMORY, state: 0, token },
        held: new Uint32Array(),
        async *pages() {},
        fetch: () => new Promise(() => {}),
        close: async () => {},
      },
      port1,
      { violation: (what) => violations.push(what), closed: () => closed++ },
    );
    for (let i = 0; i <= SOURCE_IN_FLIGHT; i++) {
      port2.postMessage({ kind: 'fetch', id: i, pages: [0] });
    }
    await eventually(() => expect(violations).toEqual(['it asked for too much at once']));
    expect(closed).toBe(1);
  });
});
