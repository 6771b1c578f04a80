/**
 * Snapshots of a program that increments numbers in each page of RAM for ever and checks them: with
 * stores of all kinds, across pages, atomically, by cache block. A page that a snapshot lost, or
 * took a moment too early or late, ends the program with an exit code.
 */
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore } from '../../src/cli/repository.ts';
import { Machine, type MachineConfig, type Tier } from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import { type MemorySnapshot, MemoryStore } from '../../src/machine/testing/memory-snapshots.ts';
import { program } from '../machine/bare-metal.ts';
import { end, increments, instructions } from './increments.ts';

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

describe.each<Tier>(['interpreter', 'translator', 'both'])('by the %s', (tier) => {
  it('live snapshots, branches and clones hold every page as of one instant', async () => {
    const source = increments();
    const one = await machine(source, { tier });
    const store = new MemoryStore();
    const snapshots: MemorySnapshot[] = [];
    one.start();
    for (let i = 0; i < 4; i++) {
      await instructions(one, 200_000);
      let runs = 0;
      const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
      const sink = store.sink({ onPages: () => (runs++ % 4 === 0 ? turn() : undefined) });
      const report = await one.capture(sink);
      expect(report.pages).toBeGreaterThan(0);
      snapshots.push(sink.snapshot());
    }
    expect(one.state.kind).toBe('running');
    // The second builds upon the first.
    expect(snapshots[1]!.image.base).toBe(snapshots[0]!.image.token);
    expect(snapshots[1]!.own).toBeLessThanOrEqual(snapshots[1]!.all.size);
    for (const snapshot of snapshots) {
      const copy = await machine(source, { tier: tier === 'interpreter' ? 'both' : tier });
      await copy.restore(snapshot);
      expect(copy.state.kind).toBe('paused');
      expect(await end(copy)).toBe(0);
      copy.destroy();
    }
    expect(await end(one)).toBe(0);
    // Back to where it was, on the machine itself; and a branch of the branch.
    await one.restore(snapshots[0]!);
    one.resume();
    await instructions(one, 300_000);
    const branch = store.sink();
    await one.capture(branch);
    expect(branch.snapshot().image.base).toBe(snapshots[0]!.image.token);
    const copy = await machine(source, { tier });
    await copy.restore(branch.snapshot());
    expect(await end(copy)).toBe(0);
    one.destroy();
  });
});

it('a slow sink holds the guest instead of filling memory, and loses nothing', async () => {
  // More pages than copies may wait.
  const source = increments(5000);
  const config = { memory: 24 * MIB };
  const one = await machine(source, config);
  const store = new MemoryStore();
  one.start();
  await instructions(one, 600_000);
  let runs = 0;
  const sink = store.sink({
    onPages: async () => {
      if (runs++ < 5) await new Promise((resolve) => setTimeout(resolve, 60));
    },
  });
  await one.capture(sink);
  const copy = await machine(source, config);
  await copy.restore(sink.snapshot());
  expect(await end(copy)).toBe(0);
  expect(runs).toBeGreaterThan(5);
  one.destroy();
});

it('a capture that fails leaves the machine running and the next one whole', async () => {
  const source = increments();
  const one = await machine(source);
  const store = new MemoryStore();
  one.start();
  await instructions(one, 100_000);
  const first = store.sink();
  await one.capture(first);
  let runs = 0;
  const broken = store.sink({
    onPages: () => {
      if (++runs === 3) throw new Error('The storage is full.');
    },
  });
  await instructions(one, 100_000);
  await expect(one.capture(broken)).rejects.toThrow('The storage is full.');
  const second = store.sink();
  await instructions(one, 1000);
  await one.capture(second);
  expect(second.snapshot().image.base).toBe(first.snapshot().image.token);
  const copy = await machine(source);
  await copy.restore(second.snapshot());
  expect(await end(copy)).toBe(0);
  expect(await end(one)).toBe(0);
});

it('a snapshot of a machine that is paused is the machine: state and pages are the same', async () => {
  const source = increments();
  const one = await machine(source);
  one.start();
  await instructions(one, 100_000);
  one.pause();
  const store = new MemoryStore();
  const first = store.sink();
  await one.capture(first);
  const copy = await machine(source);
  await copy.restore(first.snapshot());
  const second = new MemoryStore().sink();
  await copy.capture(second);
  expect(second.snapshot().image.state).toEqual(first.snapshot().image.state);
  expect([...second.snapshot().all.keys()]).toEqual([...first.snapshot().all.keys()]);
  for (const [page, bytes] of first.snapshot().all) {
    const same = Buffer.compare(bytes, second.snapshot().all.get(page)!) === 0;
    if (!same) expect.fail(`Page ${page} differs.`);
  }
  one.destroy();
  copy.destroy();
});

it('what does not fit is refused with a sentence, and the machine goes on', async () => {
  const one = await machine(increments());
  one.start();
  await instructions(one, 10_000);
  const sink = new MemoryStore().sink();
  await one.capture(sink);
  const snapshot = sink.snapshot();
  const other = await machine(increments(), { memory: 4 * MIB });
  await expect(other.restore(snapshot)).rejects.toThrow('8 MB of memory, this one has 4 MB');
  const { image } = snapshot;
  const state = structuredClone(image.state) as { state: { version: number } };
  state.state.version = 2;
  await expect(
    one.restore({ ...snapshot, image: { ...image, state: state as never } }),
  ).rejects.toThrow(/version/);
  expect(one.state.kind).toBe('running');
  const beyond = { first: MEMORY / 4096, bytes: new Uint8Array(4096) };
  const hostile = {
    image,
    async *pages() {
      yield beyond;
    },
  };
  await expect(one.restore(hostile)).rejects.toThrow('do not fit');
  expect(one.state.kind).toBe('crashed');
  // A crashed machine can be restored.
  await one.restore(snapshot);
  expect(one.state.kind).toBe('paused');
  one.destroy();
});
