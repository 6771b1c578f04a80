/**
 * Machines that go on before their RAM has come: pages arrive late, in any order, when the guest
 * touches them. The program checks every page that it reads, so one that came wrong, twice or too
 * late ends it with an exit code.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore } from '../../src/cli/repository.ts';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { Machine, type MachineConfig, type Tier } from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import type { PageRun, SnapshotSource } from '../../src/machine/snapshot/snapshot.ts';
import { type MemorySnapshot, MemoryStore } from '../../src/machine/testing/memory-snapshots.ts';
import { Guest, stopGuests } from '../linux/guest.ts';
import { program } from '../machine/bare-metal.ts';
import { BY_SYSCON, end, increments, instructions } from './increments.ts';

afterEach((context) => stopGuests(context.task.result?.state === 'fail'));

const MEMORY = 8 * MIB;

async function machine(source: string, config: Partial<MachineConfig> = {}): Promise<Machine> {
  return Machine.create(
    {
      memory: MEMORY,
      boot: { kind: 'elf', elf: program(source) },
      core: await loadCore(),
      shared: false,
      ...config,
    },
    nodeHost(),
  );
}

async function snapshotOf(one: Machine, passes = 200_000): Promise<MemorySnapshot> {
  one.start();
  await instructions(one, passes);
  const sink = new MemoryStore().sink();
  await one.capture(sink);
  one.pause();
  return sink.snapshot();
}

interface LateOptions {
  /** Streams this share of the pages by itself; the others come when they are asked for. */
  readonly streamed?: number;
  readonly fails?: (page: number) => boolean;
}

/** A source that gives single pages, after some turns of the event loop; and what was asked of it. */
function late(snapshot: MemorySnapshot, { streamed = 0, fails = () => false }: LateOptions = {}) {
  const held = Uint32Array.from(snapshot.all.keys());
  const asked: number[] = [];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const source: SnapshotSource = {
    image: snapshot.image,
    held,
    async *pages() {
      // From the end, so that the guest and the stream meet.
      for (const first of [...held].reverse().slice(0, Math.floor(held.length * streamed))) {
        await turn();
        yield { first, bytes: snapshot.all.get(first)! };
      }
    },
    async fetch(pages) {
      asked.push(...pages);
      for (let i = 0; i < (pages[0]! % 3) + 1; i++) await turn();
      return pages.map((first): PageRun => {
        if (fails(first)) throw new Error('The network is away.');
        return { first, bytes: snapshot.all.get(first)! };
      });
    },
  };
  return { source, asked, held };
}

describe.each<Tier>(['interpreter', 'translator', 'both'])('by the %s', (tier) => {
  it('every page is right, whether it was streamed or asked for', async () => {
    const source = increments(1500, BY_SYSCON);
    const snapshot = await snapshotOf(await machine(source, { tier }));
    for (const streamed of [0, 0.5, 1]) {
      const copy = await machine(source, { tier });
      const given = late(snapshot, { streamed });
      await copy.restore(given.source);
      expect(copy.state.kind).toBe('paused');
      expect(await end(copy)).toBe('off');
      if (streamed === 0) expect(new Set(given.asked).size).toBe(given.asked.length);
      if (streamed < 1) expect(given.asked.length).toBeGreaterThan(0);
      copy.destroy();
    }
  });

  it('a snapshot in the middle holds what has not come yet', async () => {
    const source = increments(1500, BY_SYSCON);
    const snapshot = await snapshotOf(await machine(source, { tier }));
    const copy = await machine(source, { tier });
    await copy.restore(late(snapshot).source);
    copy.resume();
    await instructions(copy, 5000);
    expect(copy.arriving?.absent).toBeGreaterThan(0);
    const whole = new MemoryStore().sink();
    await copy.capture(whole);
    expect(copy.arriving).toBeUndefined();
    const again = await machine(source, { tier });
    await again.restore(whole.snapshot());
    expect(await end(again)).toBe('off');
    expect(await end(copy)).toBe('off');
  });
});

it('a snapshot that builds on the one that is coming in takes only what was written', async () => {
  const source = increments(1500, BY_SYSCON);
  const one = await machine(source);
  one.start();
  await instructions(one, 200_000);
  const store = new MemoryStore();
  const first = store.sink();
  await one.capture(first);
  one.destroy();
  const copy = await machine(source);
  await copy.restore(late(first.snapshot()).source);
  copy.resume();
  await instructions(copy, 5000);
  const second = store.sink();
  await copy.capture(second);
  expect(copy.arriving?.absent).toBeGreaterThan(0);
  expect(second.snapshot().image.base).toBe(first.snapshot().image.token);
  const again = await machine(source);
  await again.restore(second.snapshot());
  expect(await end(again)).toBe('off');
  expect(await end(copy)).toBe('off');
});

it('a page that cannot be had ends the machine with a sentence, and a reset is another life', async () => {
  const source = increments(1500, BY_SYSCON);
  const one = await machine(source);
  const snapshot = await snapshotOf(one);
  await one.restore(late(snapshot, { fails: (page) => page % 7 === 3 }).source);
  const crashed = new Promise((resolve) => one.onState((state) => resolve(state)));
  one.resume();
  await crashed;
  const over = new Promise((resolve) => {
    one.onState((state) => state.kind !== 'running' && resolve(state));
  });
  expect(await over).toEqual({
    kind: 'crashed',
    reason: 'A page of the snapshot could not be loaded: The network is away.',
  });
  one.reset();
  expect(await end(one)).toBe('off');
});

it('Linux goes on page by page: its devices read and write memory that has not come', async () => {
  const options = { megabytes: 112 };
  const contents = new Uint8Array(8 * MIB).map((_, i) => (i * 7) >> 3);
  const disk = () => new MemoryBackend(contents.length, { contents: contents.slice() });
  const guest = await Guest.boot({ ...options, disks: [disk()] });
  await guest.shell('dmesg -n 1');
  // A page cache of both kinds: pages that a disk filled, and dirty ones that go to it later.
  await guest.shell(
    'dd if=/dev/vda of=/tmp/read bs=64k count=32 2>/dev/null; md5sum </tmp/read >/tmp/sum',
  );
  const sink = new MemoryStore().sink();
  await guest.machine.capture(sink);
  guest.stop();
  const clone = await Guest.create({ ...options, disks: [disk()] });
  const given = late(sink.snapshot());
  await clone.machine.restore(given.source, { generation: 'new' });
  clone.machine.resume();
  await clone.shell('md5sum </tmp/read >/tmp/again; cmp /tmp/sum /tmp/again && echo sa""me');
  expect(await clone.shell('cat /tmp/again')).toBe(await clone.shell('cat /tmp/sum'));
  await clone.shell('dd if=/tmp/read of=/dev/vda bs=64k seek=64 2>/dev/null; sync');
  await clone.shell('echo 3 >/proc/sys/vm/drop_caches');
  const back = 'dd if=/dev/vda bs=64k skip=64 count=32 2>/dev/null | md5sum';
  expect(await clone.shell(back)).toBe(await clone.shell('cat /tmp/sum'));
  // Only what was touched has come.
  expect(given.asked.length).toBeLessThan(given.held.length);
  expect(clone.machine.arriving?.absent).toBeGreaterThan(0);
});
