/**
 * Disks against a plain array, with crashes at any operation: what was flushed is there, each cluster
 * holds one of the contents that were written since, and frozen layers stay as they were.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../files.ts';
import { imageOf } from '../testing/image-fixture.ts';
import { MemoryFolder, type Random } from '../testing/memory-folder.ts';
import { CLUSTER } from './cluster-map.ts';
import { type DiskChain, type DiskRecord, DiskStore } from './disk-store.ts';
import type { OverlayDisk } from './overlay-disk.ts';

const SECTORS = 40 * 8 + 3;
const SIZE = SECTORS * 512;

/** Numbers that are the same for the same seed. */
function randomOf(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

function pattern(length: number, seed: number): Uint8Array {
  const random = randomOf(seed);
  return new Uint8Array(length).map(() => random() * 256);
}

function clusterOf(disk: Uint8Array, cluster: number): Uint8Array {
  return disk.slice(cluster * CLUSTER, (cluster + 1) * CLUSTER);
}

async function contents(disk: OverlayDisk): Promise<Uint8Array> {
  const whole = new Uint8Array(disk.size);
  await disk.read(0, whole);
  return whole;
}

const baseDisk = pattern(SIZE, 99);
baseDisk.fill(0, 65_536, 2 * 65_536);
const base = await imageOf(baseDisk);
const image = { id: 'ab'.repeat(32), source: 'test' };

interface Change {
  kind: 'write' | 'discard' | 'zeroes';
  sector: number;
  sectors: number;
  seed: number;
}
type Step = Change | { kind: 'flush' | 'freeze' | 'reopen' | 'thaw' };

const span = { sector: fc.nat(SECTORS - 1), sectors: fc.integer({ min: 1, max: 40 }) };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('write' as const), ...span, seed: fc.nat() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('discard' as const, 'zeroes' as const),
      ...span,
      seed: fc.nat(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('flush', 'flush', 'freeze', 'reopen', 'thaw' as const),
    }),
  },
) as fc.Arbitrary<Step>;

/** A disk in a storage, beside what it must hold. */
class Subject {
  disk!: OverlayDisk;
  record!: DiskRecord;
  store!: DiskStore;
  model: Uint8Array;
  /** Contents that each cluster may have after a crash. */
  versions = new Map<number, Uint8Array[]>();
  frozen: { chain: DiskChain; contents: Uint8Array }[] = [];
  #tokens = 0;

  constructor(
    public folder: MemoryFolder,
    readonly based: boolean,
  ) {
    this.model = based ? baseDisk.slice() : new Uint8Array(SIZE);
  }

  async start(): Promise<void> {
    await this.openStore();
    this.record = await this.store.create({
      kind: 'persistent',
      size: SIZE,
      ...(this.based ? { image } : {}),
    });
    this.disk = await this.store.openDisk(this.record.id);
  }

  async openStore(): Promise<void> {
    this.store = await DiskStore.open(this.folder, async () => base.reader);
    this.store.addUser({
      chains: async () => this.frozen.map(({ chain }) => chain),
      merged: async (lower, upper, mark) => {
        for (const { chain } of this.frozen) {
          if (!chain.layers.includes(upper)) continue;
          expect(chain.layers).toContain(lower);
          chain.layers = chain.layers.filter((id) => id !== upper);
          chain.journals = { ...chain.journals, [lower]: mark };
          delete chain.journals[upper];
        }
      },
    });
  }

  async apply(step: Step): Promise<void> {
    if ('sector' in step) {
      await this.change(step);
    } else if (step.kind === 'flush') {
      await this.disk.flush();
      this.versions.clear();
    } else if (step.kind === 'freeze') {
      const token = String(this.#tokens++);
      const contents = this.model.slice();
      this.disk.freeze(token);
      const frozen = await this.disk.frozen(token);
      this.frozen.push({
        chain: { size: SIZE, ...frozen, ...(this.based ? { image } : {}) },
        contents,
      });
    } else if (step.kind === 'reopen') {
      await this.store.close(this.record.id);
      this.versions.clear();
      this.disk = await this.store.openDisk(this.record.id);
    } else {
      this.frozen.shift();
      await this.store.collect();
    }
  }

  async change({ kind, sector, sectors, seed }: Change): Promise<void> {
    const offset = sector * 512;
    const length = Math.min(sectors, SECTORS - sector) * 512;
    const bytes = kind === 'write' ? pattern(length, seed) : new Uint8Array(length);
    const before = this.model.slice();
    const after = this.model.slice();
    if (kind === 'discard') {
      // Only whole clusters are dropped.
      const end =
        offset + length === SIZE ? SIZE : Math.floor((offset + length) / CLUSTER) * CLUSTER;
      const first = Math.ceil(offset / CLUSTER) * CLUSTER;
      if (end > first) after.fill(0, first, end);
    } else {
      after.set(bytes, offset);
    }
    for (let cluster = 0; cluster * CLUSTER < SIZE; cluster++) {
      const made = clusterOf(after, cluster);
      if (Buffer.compare(made, clusterOf(before, cluster)) === 0) continue;
      const versions = this.versions.get(cluster) ?? [clusterOf(before, cluster)];
      versions.push(made);
      this.versions.set(cluster, versions);
    }
    // Before it is done: a crash in the middle may leave a part of it.
    this.model = after;
    if (kind === 'write') await this.disk.write(offset, bytes);
    else if (kind === 'discard') await this.disk.discard(offset, length);
    else await this.disk.writeZeroes(offset, length);
  }

  async crash(random: Random): Promise<void> {
    this.folder = this.folder.crash(random);
    await this.openStore();
    this.disk = await this.store.openDisk(this.record.id);
    const found = await contents(this.disk);
    for (let cluster = 0; cluster * CLUSTER < SIZE; cluster++) {
      const is = clusterOf(found, cluster);
      const allowed = this.versions.get(cluster) ?? [clusterOf(this.model, cluster)];
      const known = allowed.some((one) => Buffer.compare(one, is) === 0);
      if (!known) throw new Error(`Cluster ${cluster} holds what nobody wrote.`);
    }
    this.model = found;
    this.versions.clear();
  }

  async check(): Promise<void> {
    expect(Buffer.compare(await contents(this.disk), this.model)).toBe(0);
    for (const { chain, contents: expected } of this.frozen) {
      const disk = await this.store.openChain(chain);
      expect(Buffer.compare(await contents(disk), expected)).toBe(0);
      await disk.close();
    }
  }
}

describe.each([false, true])('a disk over an image: %s', (based) => {
  test('reads what was written, whatever is done in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const subject = new Subject(new MemoryFolder(), based);
        await subject.start();
        for (const one of steps) await subject.apply(one);
        await subject.check();
      }),
      { numRuns: 60 },
    );
  });

  test('survives a crash at any operation with all that was flushed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 400 }),
        fc.nat(),
        async (steps, moment, seed) => {
          const random = randomOf(seed);
          const folder = new MemoryFolder();
          const subject = new Subject(folder, based);
          await subject.start();
          let left = moment;
          folder.medium.fault = () => {
            if (--left <= 0) throw new StorageError('failed', 'The power is off.');
          };
          try {
            for (const one of steps) await subject.apply(one);
          } catch (error) {
            if (left > 0) throw error;
          }
          await subject.crash(random);
          await subject.check();
          // And it goes on from there.
          for (const one of steps.slice(0, 8)) await subject.apply(one);
          await subject.check();
          await subject.crash(random);
          await subject.check();
        },
      ),
      { numRuns: 250 },
    );
  });

  test('a storage that is full for a while loses nothing', async () => {
    let failures = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
        const random = randomOf(seed);
        const folder = new MemoryFolder();
        const subject = new Subject(folder, based);
        await subject.start();
        let full = false;
        folder.medium.fault = ({ kind }) => {
          if (full && (kind === 'write' || kind === 'open')) {
            throw new StorageError('full', 'The storage is full.');
          }
        };
        for (const one of steps) {
          full = random() < 0.3 && (one.kind === 'write' || one.kind === 'flush');
          try {
            await subject.apply(one);
          } catch (error) {
            expect(error).toMatchObject({ kind: 'full' });
            failures++;
            // The guest was told that it failed: either contents are right.
            full = false;
            subject.model = await contents(subject.disk);
            for (const [cluster, versions] of subject.versions) {
              const is = clusterOf(subject.model, cluster);
              expect(versions.some((version) => Buffer.compare(version, is) === 0)).toBe(true);
            }
          }
        }
        full = false;
        await subject.disk.flush();
        subject.versions.clear();
        await subject.check();
        await subject.crash(random);
        await subject.check();
      }),
      { numRuns: 80 },
    );
    expect(failures).toBeGreaterThan(0);
  });
});

async function diskOf(folder: MemoryFolder, size = 1 << 20) {
  const store = await DiskStore.open(folder, async () => base.reader);
  const { id } = await store.create({ kind: 'persistent', size });
  return { store, id, disk: await store.openDisk(id) };
}

describe('overlay disk', () => {
  test('zeroes and discarded clusters take no place, and closing gives the space back', async () => {
    const folder = new MemoryFolder();
    const { store, id, disk } = await diskOf(folder, 8 << 20);
    await disk.writeZeroes(0, 8 << 20);
    expect(disk.usage).toEqual({ used: 0, file: 0 });
    await disk.write(0, pattern(4 << 20, 1));
    await disk.flush();
    await disk.discard(0, 3 << 20);
    await disk.flush();
    expect(disk.usage.used).toBe(1 << 20);
    await store.close(id);
    expect(folder.used()).toBeLessThan(1.1 * (1 << 20));
    const again = await store.openDisk(id);
    const expected = new Uint8Array(8 << 20);
    expected.set(pattern(4 << 20, 1).subarray(3 << 20), 3 << 20);
    expect(Buffer.compare(await contents(again), expected)).toBe(0);
  });

  test('rewriting the same clusters for ever needs bounded space', async () => {
    const folder = new MemoryFolder();
    const { disk } = await diskOf(folder);
    for (let round = 0; round < 300; round++) {
      await disk.write(0, pattern(64 << 10, round));
      await disk.flush();
    }
    expect(disk.usage).toEqual({ used: 64 << 10, file: 2 * (64 << 10) });
    expect(folder.used()).toBeLessThan(512 << 10);
  });

  test('rot is an I/O error, not garbage', async () => {
    const folder = new MemoryFolder();
    const { store, id, disk } = await diskOf(folder);
    await disk.write(0, pattern(8192, 5));
    const [layer = ''] = disk.chain;
    await store.close(id);
    const file = await (await (await folder.folder('layers')).folder(layer)).open(
      'data',
      'existing',
    );
    file.write(5000, new Uint8Array([1, 2, 3]));
    file.close();
    const again = await store.openDisk(id);
    expect(() => again.read(4096, new Uint8Array(512))).toThrow(/is damaged/);
    await again.read(0, new Uint8Array(4096));
  });

  test('after a flush that failed nothing more is promised', async () => {
    const folder = new MemoryFolder();
    const { disk } = await diskOf(folder);
    await disk.write(0, pattern(4096, 1));
    folder.medium.fault = ({ kind }) => {
      if (kind === 'flush') throw new StorageError('failed', 'The device is gone.');
    };
    expect(() => disk.flush()).toThrow('The device is gone.');
    folder.medium.fault = () => {};
    expect(() => disk.flush()).toThrow(/its storage failed: The device is gone/);
    expect(() => disk.write(0, pattern(512, 1))).toThrow(/is read-only since/);
    await disk.read(0, new Uint8Array(512));
    await expect(disk.close()).rejects.toThrow();
    expect(folder.openFiles()).toBe(0);
  });

  test('clones share layers, also while both run, and layers go with the last that names them', async () => {
    const folder = new MemoryFolder();
    const { store, id, disk } = await diskOf(folder);
    await disk.write(0, pattern(256 << 10, 1));
    disk.freeze('t');
    const { layers } = await disk.frozen('t');
    const clone = await store.create({ kind: 'persistent', size: disk.size, layers });
    const other = await store.openDisk(clone.id);
    await disk.write(0, pattern(4096, 2));
    await other.write(4096, pattern(4096, 3));
    const expected = pattern(256 << 10, 1);
    const mine = expected.slice();
    mine.set(pattern(4096, 2));
    const its = expected.slice();
    its.set(pattern(4096, 3), 4096);
    expect(Buffer.compare((await contents(disk)).subarray(0, 256 << 10), mine)).toBe(0);
    expect(Buffer.compare((await contents(other)).subarray(0, 256 << 10), its)).toBe(0);
    expect(folder.used()).toBeLessThan(300 << 10);
    await expect(store.openDisk(id)).rejects.toThrow(/in use/);
    await store.close(id);
    await store.remove(id);
    expect(Buffer.compare((await contents(other)).subarray(0, 256 << 10), its)).toBe(0);
    await store.close(clone.id);
    // Nobody else names the shared layer now: the two become one.
    const alone = await store.openDisk(clone.id);
    expect(alone.chain).toHaveLength(1);
    expect(Buffer.compare((await contents(alone)).subarray(0, 256 << 10), its)).toBe(0);
    await store.close(clone.id);
    await store.remove(clone.id);
    expect(folder.used()).toBe(0);
    expect(folder.openFiles()).toBe(0);
  });

  test('a base chunk that cannot be had is an error for those who read it only', async () => {
    const broken = await imageOf(baseDisk);
    broken.frames.delete(broken.image.chunks[0]!.sha256);
    const store = await DiskStore.open(new MemoryFolder(), async () => broken.reader);
    const { id } = await store.create({ kind: 'persistent', size: SIZE, image });
    const disk = await store.openDisk(id);
    await expect(disk.read(0, new Uint8Array(512))).rejects.toThrow('no such chunk');
    await expect(disk.write(512, new Uint8Array(512))).rejects.toThrow('no such chunk');
    await disk.write(0, pattern(4096, 1));
    const read = new Uint8Array(4096);
    await disk.read(0, read);
    expect(read).toEqual(pattern(4096, 1));
    await disk.read(2 * 65_536, read);
    expect(read).toEqual(baseDisk.slice(2 * 65_536, 2 * 65_536 + 4096));
  });
});
