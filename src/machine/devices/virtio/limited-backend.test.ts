import { describe, expect, it } from 'vitest';
import { DiskAllowance, LimitedBackend } from './limited-backend.ts';
import { MemoryBackend } from './memory-backend.ts';

/** A clock that goes on when everybody sleeps. */
class Rig {
  ms = 0;
  #sleepers: { at: number; resolve: () => void }[] = [];
  readonly host = {
    now: () => this.ms,
    sleep: (ms: number) => {
      let resolve = () => {};
      const done = new Promise<void>((settle) => {
        resolve = settle;
      });
      this.#sleepers.push({ at: this.ms + ms, resolve });
      return { done, wake: resolve };
    },
  };
  readonly all = new DiskAllowance(this.host);

  disk(own = new DiskAllowance(this.host)) {
    return {
      own,
      disk: new LimitedBackend(new MemoryBackend(1 << 20), [own, this.all], this.host),
    };
  }

  /** Lets time pass until a promise has settled; returns milliseconds. */
  async until(promise: unknown): Promise<number> {
    const from = this.ms;
    let settled = false;
    void Promise.resolve(promise).finally(() => {
      settled = true;
    });
    for (;;) {
      for (let i = 0; i < 50 && !settled; i++) await Promise.resolve();
      if (settled) return this.ms - from;
      const next = this.#sleepers.sort((a, b) => a.at - b.at).shift();
      if (!next) throw new Error('Nobody sleeps, and nothing happens.');
      this.ms = Math.max(this.ms, next.at);
      next.resolve();
    }
  }
}

const sector = new Uint8Array(512);

describe('a disk with limits', () => {
  it('without any is the disk itself', () => {
    const { disk } = new Rig().disk();
    expect(disk.write(0, sector)).toBeUndefined();
  });

  it('does so many operations a second, after its burst', async () => {
    const rig = new Rig();
    const { own, disk } = rig.disk();
    own.set({ iops: 100, burst: 0.1 });
    const writes = Array.from({ length: 110 }, (_, i) => disk.write(i * 512, sector));
    expect(writes.filter((write) => write === undefined)).toHaveLength(10);
    const ms = await rig.until(Promise.all(writes));
    expect(ms).toBeGreaterThanOrEqual(1000);
    expect(ms).toBeLessThan(1020);
  });

  it('moves so many bytes a second, however large requests are', async () => {
    const rig = new Rig();
    const { own, disk } = rig.disk();
    own.set({ bandwidth: 1 << 20, burst: 0.05 });
    const pieces = Array.from({ length: 4 }, (_, i) =>
      disk.write(i << 18, new Uint8Array(1 << 18)),
    );
    // The last one passes when the three before it are paid for.
    const ms = await rig.until(Promise.all(pieces));
    expect(ms).toBeGreaterThanOrEqual(700);
    expect(ms).toBeLessThan(760);
  });

  it('keeps the order of requests, a flush included', async () => {
    const rig = new Rig();
    const { own, disk } = rig.disk();
    own.set({ iops: 10, burst: 0.1 });
    const order: string[] = [];
    const done = (name: string) => () => void order.push(name);
    const all = [
      Promise.resolve(disk.write(0, sector)).then(done('write')),
      Promise.resolve(disk.flush()).then(done('flush')),
      Promise.resolve(disk.read(0, new Uint8Array(512))).then(done('read')),
    ];
    await rig.until(Promise.all(all));
    expect(order).toEqual(['write', 'flush', 'read']);
  });

  it('shares the limit of all disks of a VM', async () => {
    const rig = new Rig();
    rig.all.set({ iops: 100, burst: 0.05 });
    const disks = [rig.disk().disk, rig.disk().disk];
    const writes = disks.flatMap((disk) =>
      Array.from({ length: 30 }, (_, i) => disk.write(i * 512, sector)),
    );
    const ms = await rig.until(Promise.all(writes));
    expect(ms).toBeGreaterThanOrEqual(500);
    expect(ms).toBeLessThan(600);
  });

  it('a limit that is lifted lets at once go on who waits', async () => {
    const rig = new Rig();
    const { own, disk } = rig.disk();
    own.set({ iops: 1, burst: 1 });
    const writes = Array.from({ length: 100 }, (_, i) => disk.write(i * 512, sector));
    own.set({});
    expect(await rig.until(Promise.all(writes))).toBe(0);
  });

  it('an error of the backend is the request’s', async () => {
    const rig = new Rig();
    const { own, disk } = rig.disk();
    own.set({ iops: 10, burst: 0.1 });
    const failing = new LimitedBackend(
      {
        ...new MemoryBackend(512),
        size: 512,
        readOnly: false,
        id: 'x',
        read: () => {
          throw new Error('torn');
        },
        write() {},
        flush() {},
        discard() {},
        writeZeroes() {},
      },
      [own],
      rig.host,
    );
    disk.flush();
    const read = Promise.resolve(failing.read(0, sector));
    await expect(Promise.all([read, rig.until(read.catch(() => {}))])).rejects.toThrow('torn');
  });
});
