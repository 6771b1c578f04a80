import { beforeEach, describe, expect, test } from 'vitest';
import type { PageRun } from '../../machine/snapshot/snapshot.ts';
import { DiskStore } from '../disk/disk-store.ts';
import { StorageError, type StorageFile } from '../files.ts';
import { MemoryFolder } from '../testing/memory-folder.ts';
import type { SnapshotMeta, StateCodec } from './record.ts';
import { type OpenSnapshot, SnapshotStore } from './snapshot-store.ts';

const PAGE = 4096;
const PAGES = 50;
const codec: StateCodec = {
  encode: (state) => new TextEncoder().encode(JSON.stringify(state)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
};
const meta: SnapshotMeta = { vm: 'vm', name: 'one', kind: 'manual' };
let count = 0;
const token = () => (++count).toString(16).padStart(32, '0');

let folder: MemoryFolder;
let disks: DiskStore;
let store: SnapshotStore;

async function open(): Promise<void> {
  disks = await DiskStore.open(folder, () => Promise.reject(new Error('no images')));
  store = await SnapshotStore.open(folder, disks, codec);
}

beforeEach(async () => {
  folder = new MemoryFolder();
  await open();
});

/** RAM whose page `i` is filled with `numbers[i]`. */
function ram(numbers: Record<number, number>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PAGES * PAGE);
  for (const [page, value] of Object.entries(numbers)) {
    bytes.fill(value, Number(page) * PAGE, (Number(page) + 1) * PAGE);
  }
  return bytes;
}

async function take(runs: PageRun[], more: Partial<SnapshotMeta> & { base?: string } = {}) {
  const { base, ...rest } = more;
  const sink = store.sink({ ...meta, ...rest });
  const mine = token();
  await sink.begin({
    memory: PAGES * PAGE,
    state: { pc: '80000000' },
    token: mine,
    ...(base === undefined ? {} : { base }),
  });
  for (const run of runs) await sink.pages(run);
  await sink.end();
  return (await store.list()).find((record) => record.token === mine)!;
}

async function restored(source: OpenSnapshot): Promise<Uint8Array> {
  const bytes = new Uint8Array(PAGES * PAGE);
  for await (const run of source.pages()) bytes.set(run.bytes, run.first * PAGE);
  await source.close();
  return bytes;
}

describe('snapshots', () => {
  test('give back what was captured, and store each page once', async () => {
    const first = ram({ 1: 7, 2: 7, 3: 9, 40: 5 });
    const one = await take([{ first: 0, bytes: first }]);
    expect(one.bytes).toBeLessThan(3 * (PAGE + 32) + 100);
    const source = await store.source(one.id);
    expect(source.image).toEqual({
      memory: PAGES * PAGE,
      state: { pc: '80000000' },
      token: one.token,
    });
    expect([...source.held]).toEqual([1, 2, 3, 40]);
    const fetched = await source.fetch([2, 0, 40]);
    expect(fetched.map(({ first, bytes }) => [first, bytes[5], bytes.at(-1)])).toEqual([
      [2, 7, 9],
      [40, 5, 5],
    ]);
    expect(Buffer.compare(await restored(source), first)).toBe(0);
    const again = await take([{ first: 0, bytes: first }], { name: 'two', parent: one.id });
    expect(again.bytes).toBeLessThan(100);
  });

  test('an incremental one holds the pages of its base, and those that became zero', async () => {
    const one = await take([{ first: 0, bytes: ram({ 1: 7, 2: 8, 3: 9 }) }]);
    const changed = { first: 2, bytes: ram({ 0: 0, 1: 6 }).slice(0, 2 * PAGE) };
    const two = await take([changed], { base: one.token, parent: one.id });
    await store.close();
    await open();
    expect(Buffer.compare(await restored(await store.source(two.id)), ram({ 1: 7, 3: 6 }))).toBe(0);
    await store.remove(one.id);
    expect((await store.record(two.id)).parent).toBeUndefined();
    expect(Buffer.compare(await restored(await store.source(two.id)), ram({ 1: 7, 3: 6 }))).toBe(0);
    await store.verify(two.id);
    await store.remove(two.id);
    await store.close();
    expect(folder.used()).toBe(0);
    await expect(store.source(two.id)).rejects.toThrow(/There is no snapshot/);
  });

  test('keep the layers of disks alive', async () => {
    const { id } = await disks.create({ kind: 'persistent', size: 1 << 20 });
    const disk = await disks.openDisk(id);
    await disk.write(0, new Uint8Array(8192).fill(3));
    const chains = async (token: string) => {
      disk.freeze(token);
      return [{ size: disk.size, ...(await disk.frozen(token)) }];
    };
    const one = await take([], { disks: chains });
    await disk.write(0, new Uint8Array(8192).fill(4));
    await disks.close(id);
    await disks.remove(id);
    await store.verify(one.id);
    const chain = await disks.openChain(one.disks[0]!);
    const read = new Uint8Array(512);
    await chain.read(0, read);
    expect(read[0]).toBe(3);
    await chain.close();
    await store.remove(one.id);
    await store.close();
    expect(folder.used()).toBe(0);
  });

  /** A snapshot of a disk whose journal got four batches of one size, which goes on being used. */
  async function withJournal() {
    const { id } = await disks.create({ kind: 'persistent', size: 1 << 20 });
    const disk = await disks.openDisk(id);
    for (let i = 0; i < 4; i++) {
      await disk.write(i * 4096, new Uint8Array(4096).fill(i + 1));
      await disk.flush();
    }
    disk.freeze('now');
    const chain = { size: disk.size, ...(await disk.frozen('now')) };
    const shot = await take([], { disks: async () => [chain] });
    await disk.write(0, new Uint8Array(4096).fill(9));
    await disks.close(id);
    const layer = await (await folder.folder('layers')).folder(chain.layers[0]!);
    /** Changes the journal's file; returns what it held. */
    const change = async (how: (file: StorageFile, whole: Uint8Array) => void) => {
      const file = await layer.open('journal-b', 'existing');
      const whole = new Uint8Array(file.size());
      file.read(0, whole);
      how(file, whole);
      file.close();
      return whole;
    };
    return { id, chain, shot, change };
  }

  test('notice a frozen layer whose journal is shorter than it was, or another', async () => {
    const { id, chain, shot, change } = await withJournal();
    const batch = (await change(() => {})).length / 4;
    const kind = 'damaged';
    const open = folder.openFiles();
    for (const damage of [
      (file: StorageFile) => file.truncate(4 * batch - 1),
      (file: StorageFile) => file.truncate(batch),
      (file: StorageFile) => file.truncate(0),
      (file: StorageFile) => file.write(batch + 40, new Uint8Array([77])),
      (file: StorageFile) => file.write(4, new Uint8Array([77])),
    ]) {
      const whole = await change(damage);
      await expect(store.verify(shot.id)).rejects.toMatchObject({ kind });
      await expect(disks.openChain(chain)).rejects.toMatchObject({ kind });
      await expect(disks.openDisk(id)).rejects.toMatchObject({ kind });
      expect(folder.openFiles()).toBe(open);
      await change((file) => {
        file.truncate(whole.length);
        file.write(0, whole);
      });
      await store.verify(shot.id);
    }
    // A running VM has the layer open: what rots meanwhile is noticed as well.
    await disks.openDisk(id);
    folder.medium.fault = ({ kind, path }) => {
      if (kind === 'read' && path.endsWith('journal-b')) throw new StorageError('damaged', 'rot');
    };
    await expect(store.verify(shot.id)).rejects.toMatchObject({ kind });
    folder.medium.fault = () => {};
    await disks.close(id);
  });

  test('know their layers after a merge, which no damaged one takes part in', async () => {
    const { id, shot, change } = await withJournal();
    const disk = await disks.openDisk(id);
    disk.freeze('then');
    const chain = { size: disk.size, ...(await disk.frozen('then')) };
    const later = await take([], { disks: async () => [chain] });
    await disks.close(id);
    await store.remove(shot.id);
    const whole = await change((file, { length }) => file.truncate(length / 2));
    await expect(disks.openDisk(id)).rejects.toMatchObject({ kind: 'damaged' });
    await change((file) => file.write(0, whole));
    await disks.openDisk(id);
    await disks.close(id);
    const [merged] = (await store.record(later.id)).disks;
    expect(merged?.layers).toEqual(chain.layers.slice(0, 1));
    expect(Object.keys(merged?.journals ?? {})).toEqual(merged?.layers);
    await store.verify(later.id);
    await change((file, { length }) => file.truncate(length - 1));
    await expect(store.verify(later.id)).rejects.toMatchObject({ kind: 'damaged' });
  });

  test('of earlier versions, which say nothing of journals, are read as they were', async () => {
    const { id, shot, change } = await withJournal();
    await store.remove(shot.id);
    const disk = await disks.openDisk(id);
    disk.freeze('old');
    const { layers } = await disk.frozen('old');
    const old = await take([], { disks: async () => [{ size: disk.size, layers }] });
    await disks.close(id);
    await store.verify(old.id);
    expect((await store.record(old.id)).disks[0]).not.toHaveProperty('journals');
    await change((file, { length }) => file.truncate(length - 1));
    await store.verify(old.id);
  });

  test('that are damaged are refused, at whatever byte', async () => {
    const { id } = await take([{ first: 0, bytes: ram({ 1: 7, 2: 8 }) }]);
    await store.close();
    for (const [name, file] of [
      ['pages', id],
      ['tables', id],
    ] as const) {
      const part = await folder.folder(name);
      for (let at = 0; at < 8000; at += 991) {
        const open = await part.open(file, 'existing');
        const offset = at % open.size();
        const byte = new Uint8Array(1);
        open.read(offset, byte);
        open.write(offset, new Uint8Array([byte[0]! ^ 4]));
        open.close();
        await expect(store.verify(id)).rejects.toMatchObject({ kind: 'damaged' });
        await store.close();
        const repair = await part.open(file, 'existing');
        repair.write(offset, byte);
        repair.close();
      }
    }
    await store.verify(id);
  });

  test('that fail in the middle leave nothing, whatever fails', async () => {
    const one = await take([{ first: 0, bytes: ram({ 1: 7 }) }]);
    await store.close();
    const before = folder.used();
    for (let moment = 1; ; moment++) {
      let left = moment;
      folder.medium.fault = ({ kind }) => {
        if (kind !== 'write' && kind !== 'flush') return;
        if (--left === 0) throw new StorageError('full', 'The storage is full.');
      };
      const sink = store.sink(meta);
      try {
        await sink.begin({ memory: PAGES * PAGE, state: 1, token: token() });
        await sink.pages({ first: 0, bytes: ram({ 1: 7, 2: moment & 0xff, 3: 77 }) });
        await sink.end();
        break;
      } catch (error) {
        expect(error).toMatchObject({ kind: 'full' });
        sink.abort('full');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      folder.medium.fault = () => {};
      await store.verify(one.id);
      await store.close();
      expect(folder.used()).toBe(before);
      expect(await store.list()).toHaveLength(1);
      expect(moment).toBeLessThan(50);
    }
    folder.medium.fault = () => {};
    expect(await store.list()).toHaveLength(2);
  });

  test('pages that the machine does not have are refused', async () => {
    const sink = store.sink(meta);
    await expect(sink.pages({ first: 0, bytes: new Uint8Array(PAGE) })).rejects.toThrow(
      /not begun/,
    );
    await sink.begin({ memory: PAGES * PAGE, state: 1, token: token() });
    for (const run of [
      { first: PAGES, bytes: new Uint8Array(PAGE) },
      { first: -1, bytes: new Uint8Array(PAGE) },
      { first: 0, bytes: new Uint8Array(100) },
      { first: Number.NaN, bytes: new Uint8Array(PAGE) },
    ]) {
      await expect(sink.pages(run)).rejects.toThrow(/does not have/);
    }
    sink.abort('enough');
  });
});
