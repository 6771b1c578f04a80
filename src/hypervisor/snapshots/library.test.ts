/**
 * The page's library over a real broker: snapshots, restores and clones of VMs whose workers are small
 * fakes, the list of VMs across the end of a page, files out and in, backups.
 */
import * as Comlink from 'comlink';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StorageError } from '../../storage/files.ts';
import { MemoryFolder } from '../../storage/testing/memory-folder.ts';
import { eventually } from '../../worker/testing/eventually.ts';
import { templateSources } from '../expect-boot.ts';
import { Fleet } from '../fleet.ts';
import { Broker } from '../storage/broker.ts';
import { Storage } from '../storage/client.ts';
import { type FakeWorker, fakeWorkers } from '../testing/fake-worker.ts';
import { fetchMicro, KERNEL, MICRO } from '../testing/micro-images.ts';
import type { Vm } from '../vm.ts';

const MEMORY = 1 << 20;
const PAGE = 4096;

let folder: MemoryFolder;
const pages: { end(): void }[] = [];

/** A page: a fleet with a storage worker of its own. */
function page(opening: () => Promise<Broker> = () => Broker.open(folder, async () => ({}))) {
  const { port1, port2 } = new MessageChannel();
  const worker = Object.assign(port1, { terminate() {} });
  const end = () => {
    port1.close();
    port2.close();
  };
  Comlink.expose({ ready: async () => Comlink.proxy(await opening()) }, port2);
  port1.start();
  const { workers, made, timing } = fakeWorkers();
  const fleet = new Fleet({
    templates: templateSources(new URL('http://page/images/')),
    assets: { worker: '', core: '', coreShared: '' },
    storage: new Storage(() => worker as unknown as Worker),
    workers,
  });
  pages.push({ end });
  return { fleet, made, timing, end };
}

beforeEach(async () => {
  folder = new MemoryFolder();
  vi.stubGlobal('navigator', { storage: { persist: async () => true } });
  vi.stubGlobal('fetch', await fetchMicro(MEMORY));
});
afterEach(() => {
  vi.unstubAllGlobals();
  for (const { end } of pages.splice(0)) end();
});

async function started(
  { fleet, made }: ReturnType<typeof page>,
  disk?: number,
): Promise<{ vm: Vm; worker: FakeWorker }> {
  const [id] = fleet.create({
    template: MICRO,
    count: 1,
    ...(disk === undefined ? {} : { disks: [{ kind: 'persistent', size: disk }] }),
  });
  const vm = fleet.get(id!)!;
  await eventually(() => expect(vm.view.status).toBe('booting'));
  return { vm, worker: made.at(-1)! };
}

const records = (fleet: Fleet) => fleet.snapshots.getState().list;
const opened = (fleet: Fleet) => expect(fleet.snapshots.getState().storage.kind).toBe('ready');

describe('snapshots of a VM', () => {
  test('are taken and restored in place, memory, disk and shared folder', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    worker.ram[5 * PAGE] = 1;
    await worker.disks[0]!.write(0, new Uint8Array(512).fill(1));
    await vm.shared.put('note', new Blob(['first']));
    await eventually(() => expect(vm.view.keptId).toMatch(/^[0-9a-f]{32}$/));

    const first = await vm.takeSnapshot({ name: 'first', note: 'a note' });
    expect(first).toMatchObject({ pause_ms: 1 });
    expect(vm.view).toMatchObject({ current: first.id, saving: false });
    worker.ram[5 * PAGE] = 2;
    worker.ram[6 * PAGE] = 2;
    await worker.disks[0]!.write(0, new Uint8Array(512).fill(2));
    await vm.shared.put('note', new Blob(['second']));
    const second = await vm.takeSnapshot({ name: 'second' });
    // Incremental: not more than two pages, a state and the folder.
    expect(second.bytes).toBeLessThan(3 * PAGE);
    expect(records(one.fleet)).toMatchObject([
      { id: first.id, name: 'first', note: 'a note', vm: vm.view.keptId },
      { id: second.id, name: 'second', parent: first.id },
    ]);

    await vm.restore(first.id);
    expect([worker.ram[5 * PAGE], worker.ram[6 * PAGE]]).toEqual([1, 0]);
    expect(worker.generation).toBe('same');
    const sector = new Uint8Array(512);
    await worker.disks[0]!.read(0, sector);
    expect(sector[0]).toBe(1);
    expect(await new Response(vm.shared.read('note')).text()).toBe('first');
    expect(vm.view.current).toBe(first.id);
    await eventually(() => expect(vm.view.status).toBe('running'));
    // It branches from there.
    worker.ram[7 * PAGE] = 3;
    const branch = await vm.takeSnapshot({ name: 'branch' });
    expect(records(one.fleet).at(-1)).toMatchObject({ id: branch.id, parent: first.id });
    // And goes to where it was before, with a snapshot of what would be lost.
    await vm.restore(second.id, { first: 'snapshot' });
    expect([worker.ram[5 * PAGE], worker.ram[7 * PAGE]]).toEqual([2, 0]);
    expect(records(one.fleet).at(-1)).toMatchObject({ name: 'Before “second”', parent: branch.id });
    for (const { id } of records(one.fleet)) await one.fleet.verifySnapshot(id);

    await one.fleet.renameSnapshot(branch.id, 'another', 'why');
    expect(records(one.fleet)[2]).toMatchObject({ name: 'another', note: 'why' });
    // Children of one that is removed become its parent's.
    await one.fleet.removeSnapshot(branch.id);
    expect(records(one.fleet).map(({ parent }) => parent)).toEqual([undefined, first.id, first.id]);
  });

  test('one at a time; a VM that is off has none to take; it can be given up', async () => {
    const one = page();
    const { vm, worker } = await started(one);
    worker.slowness = 50;
    const taking = vm.takeSnapshot({ name: 'one' });
    await expect(vm.takeSnapshot({ name: 'two' })).rejects.toThrow(/under way/);
    await taking;
    const abort = new AbortController();
    const given = vm.takeSnapshot({ name: 'three', signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(given).rejects.toThrow(/given up/);
    await vm.takeSnapshot({ name: 'four' });
    await vm.powerOff();
    await expect(vm.takeSnapshot({ name: 'five' })).rejects.toThrow(/not running/);
    expect(records(one.fleet).map(({ name }) => name)).toEqual(['one', 'four']);
  });

  test('a worker that dies meanwhile leaves the snapshots that were there, and the VM its last state', async () => {
    const one = page();
    const { vm, worker } = await started(one);
    worker.ram[0] = 7;
    const first = await vm.takeSnapshot({ name: 'first' });
    worker.slowness = 1000;
    const taking = vm.takeSnapshot({ name: 'second' });
    setTimeout(() => worker.crash('The worker ended.'), 30);
    await expect(taking).rejects.toThrow('The worker ended.');
    await eventually(() => expect(vm.view.recovery).toBe(first.id));
    expect(vm.view.status).toBe('crashed');
    await vm.restore(first.id);
    expect(one.made.at(-1)).not.toBe(worker);
    expect(one.made.at(-1)!.ram[0]).toBe(7);
    expect(vm.view.recovery).toBeUndefined();
    expect(records(one.fleet).map(({ name }) => name)).toEqual(['first']);
  });

  test('one that the machine does not take is taken by another that is made for it', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    worker.ram[0] = 7;
    const { id } = await vm.takeSnapshot({ name: 'first' });
    worker.refuses = true;
    await vm.restore(id);
    expect(worker.closed).toBe(true);
    expect(one.made.at(-1)!.ram[0]).toBe(7);
    await eventually(() => expect(vm.view.status).toBe('running'));
  });

  test('one that is taken by a machine which tells late that it runs is restored all the same', async () => {
    const one = page();
    const { vm, worker } = await started(one);
    worker.ram[0] = 7;
    const { id } = await vm.takeSnapshot({ name: 'first' });
    await vm.powerOff();
    one.timing.lateness = 100;
    await vm.restore(id);
    expect(vm.view.current).toBe(id);
    expect(one.made.at(-1)!.ram[0]).toBe(7);
    await eventually(() => expect(vm.view.status).toBe('running'));
  });

  test('a VM with another memory starts anew from it; one with other disks is refused', async () => {
    const one = page();
    const { vm } = await started(one);
    const { id } = await vm.takeSnapshot({ name: 'first' });
    const { vm: other } = await started(one, 1 << 20);
    await expect(other.restore(id)).rejects.toThrow(/with no disk, this one has one disk/);
    await expect(other.restore('00')).rejects.toThrow(/no such snapshot/);
  });
});

describe('clones', () => {
  test('of a running VM share all with it, and are told that they are new', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    for (let i = 0; i < 100; i++) worker.ram[i * PAGE] = i + 1;
    await worker.disks[0]!.write(0, new Uint8Array(64 << 10).fill(3));
    const before = folder.used();
    const names = Array.from({ length: 10 }, (_, i) => `copy-${i}`);
    const ids = await one.fleet.clone({ from: vm.view.id, names });
    const size = folder.used() - before;
    await eventually(() => {
      for (const id of ids) expect(one.fleet.get(id)?.view.status).toBe('running');
    });
    const clones = one.made.slice(1);
    expect(clones.map(({ name }) => name)).toEqual(names);
    for (const clone of clones) {
      expect(clone.generation).toBe('new');
      expect(clone.ram[99 * PAGE]).toBe(100);
      const read = new Uint8Array(512);
      await clone.disks[0]!.read(0, read);
      expect(read[0]).toBe(3);
    }
    // Each has a layer of its own, which is empty.
    expect(folder.used() - before - size).toBeLessThan(size / 2);
    await clones[0]!.disks[0]!.write(0, new Uint8Array(512).fill(9));
    const read = new Uint8Array(512);
    await clones[1]!.disks[0]!.read(0, read);
    expect(read[0]).toBe(3);
  });

  test('that have not been started keep their snapshot from being removed', async () => {
    const one = page();
    const { vm } = await started(one);
    const { id } = await vm.takeSnapshot({ name: 'first' });
    const [clone] = await one.fleet.clone({ from: id, names: ['copy'], start: false });
    await expect(one.fleet.removeSnapshot(id)).rejects.toThrow(/has not been started/);
    one.fleet.delete(vm.view.id);
    await one.fleet.get(clone!)!.start();
    await eventually(() => expect(one.fleet.get(clone!)?.view.status).toBe('running'));
    await one.fleet.removeSnapshot(id);
    expect(records(one.fleet)).toEqual([]);
  });
});

describe('kept VMs', () => {
  test('are there again after the page was killed, and go on from their last state', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    worker.ram[PAGE] = 1;
    await vm.takeSnapshot({ name: 'first' });
    worker.ram[PAGE] = 2;
    const last = await vm.takeSnapshot({ name: 'last' });
    const [off] = await one.fleet.clone({ from: last.id, names: ['copy'], start: false });
    await one.fleet.setBackups(vm.view.id, { everyMinutes: 30, keep: 3 });
    expect(one.fleet.describe('')).toBe('');
    await started(one);
    expect(one.fleet.describe('')).toBe('?boot=micro&name=micro-2');
    await eventually(async () => {
      const broker = await one.fleet.storage.api();
      expect(JSON.stringify(await broker.readDocument('vms'))).toContain('"everyMinutes":30');
    });
    one.end();
    folder = folder.crash(() => 0);

    const two = page();
    await two.fleet.openStorage();
    opened(two.fleet);
    expect(two.fleet.all.map(({ view }) => view)).toMatchObject([
      {
        id: vm.view.keptId,
        name: 'micro-1',
        status: 'off',
        reason: 'It was cut off when its page ended.',
        recovery: last.id,
        current: last.id,
        backups: { everyMinutes: 30, keep: 3 },
      },
      { id: off, name: 'copy', status: 'off', reason: undefined, recovery: undefined },
    ]);
    const again = two.fleet.get(vm.view.keptId!)!;
    await again.restore(again.view.recovery!);
    expect(two.made.at(-1)!.ram[PAGE]).toBe(2);
    expect(two.made.at(-1)!.generation).toBe('same');
    // The other one goes on where it was made from, by an ordinary start.
    await two.fleet.get(off!)!.start();
    await eventually(() => expect(two.made.at(-1)!.generation).toBe('new'));
  });

  test('one that was powered off is off, and boots', async () => {
    const one = page();
    const { vm } = await started(one);
    await vm.takeSnapshot({ name: 'first' });
    await vm.powerOff();
    await eventually(async () => {
      const document = await (await one.fleet.storage.api()).readDocument('vms');
      expect(document).toMatchObject({ vms: [{ last: 'off' }] });
    });
    one.end();
    folder = folder.crash(() => 0);
    const two = page();
    await two.fleet.openStorage();
    const [again] = two.fleet.all;
    expect(again?.view).toMatchObject({ recovery: undefined, reason: undefined });
    await again?.start();
    expect(two.made.at(-1)?.generation).toBeUndefined();
  });

  test('a deleted one takes its disks and snapshots along', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    await worker.disks[0]!.write(0, new Uint8Array(512).fill(1));
    await vm.takeSnapshot({ name: 'first' });
    one.fleet.delete(vm.view.id);
    await eventually(async () => {
      const api = await one.fleet.storage.api();
      expect(await api.disks()).toEqual([]);
      expect(await api.snapshots()).toEqual([]);
      expect(await api.readDocument('vms')).toEqual({ format: 1, vms: [] });
    });
    expect(records(one.fleet)).toEqual([]);
  });

  test('a second page says that another has them, and goes on without', async () => {
    const sentence = 'Tabvisor is open in another tab.';
    const two = page(() => Promise.reject(new StorageError('busy', sentence)));
    await two.fleet.openStorage();
    expect(two.fleet.snapshots.getState().storage).toEqual({
      kind: 'unavailable',
      message: sentence,
    });
    const { vm } = await started(two);
    await expect(vm.takeSnapshot({ name: 'one' })).rejects.toThrow(sentence);
    expect(vm.view).toMatchObject({ status: 'booting', saving: false, keptId: undefined });
  });
});

describe('files', () => {
  async function exported({ fleet }: ReturnType<typeof page>, from: string): Promise<File> {
    const { name, stream } = await fleet.exportVm(from);
    return new File([await new Response(stream).arrayBuffer()], name);
  }

  test('a VM goes out and comes back in another browser', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    worker.ram[9 * PAGE] = 9;
    await worker.disks[0]!.write(512, new Uint8Array(512).fill(5));
    await vm.shared.put('note', new Blob(['hello']));
    const file = await exported(one, vm.view.id);
    expect(file.name).toBe('micro-1.tabvm');

    folder = new MemoryFolder();
    const two = page();
    const steps: number[] = [];
    const id = await two.fleet.importVm(file, { progress: (done) => steps.push(done) });
    expect(steps.at(-1)).toBe(2 << 20);
    const imported = two.fleet.get(id)!;
    expect(imported.view).toMatchObject({ name: 'micro-1', status: 'off', memory: MEMORY });
    // The template here is the same one: its kernel is not kept twice.
    expect(imported.specification.program).toBeUndefined();
    await imported.start();
    const came = two.made.at(-1)!;
    expect(came.ram[9 * PAGE]).toBe(9);
    expect(came.generation).toBe('new');
    const read = new Uint8Array(512);
    await came.disks[0]!.read(512, read);
    expect(read[0]).toBe(5);
    expect(await new Response(imported.shared.read('note')).text()).toBe('hello');
  });

  test('a damaged or cut file is a sentence, and leaves nothing', async () => {
    const one = page();
    const { vm, worker } = await started(one, 1 << 20);
    for (let i = 0; i < 100; i++) worker.ram[i * PAGE] = i + 1;
    await worker.disks[0]!.write(0, new Uint8Array(512).fill(5));
    const file = await exported(one, vm.view.id);
    const bytes = new Uint8Array(await file.arrayBuffer());
    folder = new MemoryFolder();
    const two = page();
    await two.fleet.openStorage();
    const flipped = bytes.slice();
    flipped[bytes.length - 300]! ^= 4;
    for (const [damaged, reason] of [
      [bytes.slice(0, -10), /The .tabvm file is damaged/],
      [flipped, /The .tabvm file is damaged/],
      [new Uint8Array(1000), /does not begin like one/],
    ] as const) {
      await expect(two.fleet.importVm(new File([damaged], 'x.tabvm'))).rejects.toThrow(reason);
    }
    expect(two.fleet.all).toEqual([]);
    const api = await two.fleet.storage.api();
    await eventually(async () => {
      expect(await api.snapshots()).toEqual([]);
      expect(await api.disks()).toEqual([]);
    });
    await eventually(async () => {
      expect(await (await folder.folder('programs')).list()).toEqual([]);
      expect(await (await folder.folder('pages')).list()).toEqual([]);
    });
  });

  test('one whose template is not here brings what it boots', async () => {
    const one = page();
    const { vm } = await started(one);
    const file = await exported(one, vm.view.id);
    folder = new MemoryFolder();
    vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
    const two = page();
    const id = await two.fleet.importVm(file);
    const imported = two.fleet.get(id)!;
    expect(imported.specification.program?.append).toMatch(/^console=hvc0/);
    await imported.start();
    await eventually(() => expect(imported.view.status).toBe('running'));
    await imported.powerOff();
    await imported.start();
    await eventually(() => expect(imported.view.status).toBe('booting'));
    // And goes out again.
    expect((await exported(two, id)).size).toBeGreaterThan(KERNEL.length);
  });

  test('raw disks, streamed', async () => {
    const one = page();
    await one.fleet.openStorage();
    const image = new Uint8Array(3 << 20);
    image.fill(7, 2 << 20);
    const id = await one.fleet.importDisk(new File([image], 'disk.img'));
    const { size, stream } = await one.fleet.exportDisk(id);
    expect(size).toBe(3 << 20);
    const out = new Uint8Array(await new Response(stream).arrayBuffer());
    expect(Buffer.compare(out, image)).toBe(0);
    const abort = new AbortController();
    abort.abort();
    await expect(
      one.fleet.importDisk(new File([image], 'disk.img'), { signal: abort.signal }),
    ).rejects.toThrow();
    expect(await (await one.fleet.storage.api()).disks()).toHaveLength(1);
  });
});
