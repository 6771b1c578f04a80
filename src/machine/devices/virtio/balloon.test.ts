import { describe, expect, test } from 'vitest';
import { RAM_BASE } from '../../memory.ts';
import type { MockDriver } from '../../testing/mock-driver.ts';
import { type VirtioRig, virtioRig } from '../../testing/virtio-rig.ts';
import { REG } from '../../virtio/constants.ts';
import { BALLOON_FEATURE, BalloonDevice, type BalloonOptions } from './balloon.ts';

const PAGE = 4096;
const RAM = 1 << 20;
const PAGES = RAM / PAGE;
const FIRST = RAM_BASE / PAGE;
const QUEUE = { inflate: 0, deflate: 1, stats: 2, reports: 3, lastReports: 4 };

function rig(options: Partial<BalloonOptions> = {}, ram = RAM) {
  const emptied: number[] = [];
  const one: VirtioRig<BalloonDevice> = virtioRig(
    new BalloonDevice({
      pages: ram / PAGE,
      discard(page) {
        emptied.push(page);
        const at = one.memory.locate(RAM_BASE + page * PAGE, 0, PAGE);
        const held = new Uint8Array(PAGE);
        one.memory.read(at, 0, held);
        one.memory.write(at, 0, new Uint8Array(PAGE));
        return held.some((byte) => byte !== 0);
      },
      ...options,
    }),
    ram,
  );
  one.driver.start();
  return { ...one, emptied, queue: (index: number) => one.driver.queues[index]! };
}

function numbers(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** Pages in the last quarter of RAM, by their number from there: rings are elsewhere. */
const page = (index: number) => (PAGES * 3) / 4 + index;

function give(one: ReturnType<typeof rig>, queue: number, ...pages: number[]): number {
  one.queue(queue).offer([numbers(...pages.map((number) => FIRST + number))], []);
  one.queue(queue).kick();
  return one.queue(queue).reap().length;
}

/** Reports ranges of RAM as free: chains of descriptors that the device may write to. */
function report(one: ReturnType<typeof rig>, queue: number, ...ranges: [number, number][]): void {
  const head = one
    .queue(queue)
    .chain(ranges.map(([at, length]) => ({ address: RAM_BASE + at, length, flags: 2 })));
  one.queue(queue).publish(head);
  one.queue(queue).kick();
}

function configuration(driver: MockDriver, offset: number): number {
  return driver.get(REG.CONFIG + offset);
}

describe('inflating and deflating', () => {
  test('a page that is given is emptied, counted once, and no more when it is taken back', () => {
    const one = rig();
    one.driver.write(RAM_BASE + page(3) * PAGE, Uint8Array.of(1, 2, 3));
    expect(give(one, QUEUE.inflate, page(3), page(5))).toBe(1);
    expect(one.device.inflated).toBe(2);
    expect(one.emptied).toEqual([page(3), page(5)]);
    const held = one.driver.read({ address: RAM_BASE + page(3) * PAGE, length: 3 });
    expect([...held]).toEqual([0, 0, 0]);
    give(one, QUEUE.inflate, page(3), page(3));
    expect(one.device.inflated).toBe(2);
    give(one, QUEUE.deflate, page(3), page(3), page(200 - PAGES));
    expect(one.device.inflated).toBe(1);
  });

  test('the driver reads what is wanted, is told of a change, and confirms what it has', () => {
    const one = rig();
    one.device.wanted = 20;
    expect(configuration(one.driver, 0)).toBe(20);
    expect(one.irq.level).toBe(true);
    one.driver.put(REG.CONFIG + 4, 12);
    expect(one.device.actual).toBe(12);
    one.driver.put(REG.CONFIG + 4, 0xffff_ffff);
    expect(one.device.actual).toBe(PAGES);
    one.driver.put(REG.CONFIG, 1);
    expect(configuration(one.driver, 0)).toBe(20);
    one.device.wanted = 1e9;
    expect(one.device.wanted).toBe(PAGES);
    one.device.wanted = -1;
    expect(one.device.wanted).toBe(0);
  });

  test('what is wanted outlives a reset of the driver; what it gave does not', () => {
    const one = rig();
    one.device.wanted = 7;
    give(one, QUEUE.inflate, page(0));
    one.driver.put(REG.CONFIG + 4, 1);
    one.driver.start();
    expect([one.device.wanted, one.device.inflated, one.device.actual]).toEqual([7, 0, 0]);
    expect(configuration(one.driver, 0)).toBe(7);
  });

  test('taking back what the host asked for is pressure, told once until it asks again', () => {
    let pressure = 0;
    const one = rig({ onPressure: () => pressure++ });
    one.device.wanted = 4;
    give(one, QUEUE.inflate, page(0), page(1), page(2), page(3));
    give(one, QUEUE.deflate, page(0));
    give(one, QUEUE.deflate, page(1));
    expect(pressure).toBe(1);
    one.device.wanted = 1;
    give(one, QUEUE.deflate, page(2));
    expect(pressure).toBe(1);
    give(one, QUEUE.deflate, page(3));
    expect(pressure).toBe(2);
  });

  test.each([
    ['below RAM', 5],
    ['just before RAM', FIRST - 1],
    ['just after RAM', FIRST + PAGES],
    ['that no address has', 0xffff_ffff],
  ])('a page %s stops the device, and nothing is emptied', (_, number) => {
    const one = rig();
    one.queue(QUEUE.inflate).offer([numbers(FIRST + page(0), number)], []);
    one.queue(QUEUE.inflate).kick();
    expect(one.driver.needsReset).toBe(true);
    expect(one.emptied).toEqual([]);
    expect(one.faults[0]!.error).toBeUndefined();
    expect(one.guardsIntact()).toBe(true);
  });

  test('a request that names very many pages stops the device', () => {
    const one = rig();
    one.queue(QUEUE.inflate).offer([new Uint8Array(4 * 16385)], []);
    one.queue(QUEUE.inflate).kick();
    expect(one.driver.needsReset).toBe(true);
  });

  test('odd bytes after the last page number are no page', () => {
    const one = rig();
    one.queue(QUEUE.inflate).offer([numbers(FIRST + page(1)), Uint8Array.of(1, 2)], []);
    one.queue(QUEUE.inflate).kick();
    expect(one.device.inflated).toBe(1);
  });
});

describe('reports of free pages', () => {
  test.each([QUEUE.reports, QUEUE.lastReports])('in queue %i: whole pages are emptied', (queue) => {
    const one = rig();
    const [from, to] = [page(0) * PAGE, page(8) * PAGE];
    one.driver.write(RAM_BASE + from, new Uint8Array(to - from).fill(9));
    report(one, queue, [from + 100, 2 * PAGE], [page(4) * PAGE, PAGE]);
    expect(one.emptied).toEqual([page(1), page(4)]);
    expect(one.device.reported).toBe(2);
    expect(one.device.inflated).toBe(0);
    const before = one.driver.read({ address: RAM_BASE + from, length: PAGE });
    expect(before.every((byte) => byte === 9)).toBe(true);
    expect(one.queue(queue).reap()).toMatchObject([{ written: 0 }]);
  });

  test('memory that keeps a pattern while it is free is left as it is', () => {
    const one = rig();
    one.driver.put(REG.CONFIG + 12, 0xaaaa_aaaa);
    report(one, QUEUE.reports, [page(0) * PAGE, PAGE]);
    expect(one.emptied).toEqual([]);
    expect(one.queue(QUEUE.reports).reap()).toHaveLength(1);
    one.driver.put(REG.CONFIG + 12, 0);
    report(one, QUEUE.reports, [page(0) * PAGE, PAGE]);
    expect(one.emptied).toEqual([page(0)]);
  });

  test('the pattern of a driver that did not choose the feature means nothing', () => {
    const one = rig();
    one.driver.start([BALLOON_FEATURE.REPORTING]);
    one.driver.put(REG.CONFIG + 12, 0xaaaa_aaaa);
    report(one, QUEUE.reports, [page(0) * PAGE, PAGE]);
    expect(one.emptied).toEqual([page(0)]);
  });

  test('more at once than there is memory stops the device', () => {
    const one = rig();
    report(one, QUEUE.reports, [0, RAM], [0, PAGE]);
    expect(one.driver.needsReset).toBe(true);
    expect(one.emptied).toEqual([]);
  });
});

describe('many pages', () => {
  const large = 64 << 20;

  test('are emptied over several turns of the event loop, and answered in order', async () => {
    const turns: (() => void)[] = [];
    const turn = () => new Promise<void>((resolve) => turns.push(resolve));
    let emptied = 0;
    const one = rig({ turn, discard: () => ++emptied > 0 }, large);
    report(one, QUEUE.reports, [0, large]);
    give(one, QUEUE.inflate, 1, 2);
    expect(emptied).toBe(8192);
    expect(one.queue(QUEUE.reports).usedIndex).toBe(0);
    turns.shift()!();
    await Promise.resolve();
    expect(emptied).toBe(large / PAGE);
    turns.shift()!();
    await Promise.resolve();
    expect(one.device.inflated).toBe(2);
    expect(one.queue(QUEUE.reports).usedIndex).toBe(1);
    expect(one.queue(QUEUE.inflate).usedIndex).toBe(1);
    expect(turns).toEqual([]);
  });

  test('a reset in between ends it', async () => {
    const turns: (() => void)[] = [];
    const turn = () => new Promise<void>((resolve) => turns.push(resolve));
    let emptied = 0;
    const one = rig({ turn, discard: () => ++emptied > 0 }, large);
    report(one, QUEUE.reports, [0, large]);
    one.driver.start();
    turns.shift()!();
    await Promise.resolve();
    expect(emptied).toBe(8192);
    expect(give(one, QUEUE.inflate, 4000)).toBe(1);
  });

  test('a snapshot in between: the restored device empties them from the beginning', async () => {
    const never = () => new Promise<void>(() => {});
    const one = rig({ turn: never, discard: () => true }, large);
    report(one, QUEUE.reports, [0, large]);
    const pages = new Set<number>();
    const other = rig({ discard: (number) => pages.add(number).size > 0 }, large);
    other.driver.write(RAM_BASE, one.driver.read({ address: RAM_BASE, length: large }));
    other.transport.state.restore(one.transport.state.save());
    for (let i = 0; i < 16; i++) await Promise.resolve();
    expect(pages.size).toBe(large / PAGE);
    const used = one.queue(QUEUE.reports).deviceRing;
    expect(other.memory.readU16(other.memory.locate(used, 0, 4), 2)).toBe(1);
  });

  test('wait while a snapshot is behind with its copies', async () => {
    let busy = true;
    const turns: (() => void)[] = [];
    const turn = () => new Promise<void>((resolve) => turns.push(resolve));
    const one = rig({ turn, busy: () => busy });
    expect(give(one, QUEUE.inflate, page(0))).toBe(0);
    turns.shift()!();
    await Promise.resolve();
    expect(one.emptied).toEqual([]);
    busy = false;
    turns.shift()!();
    await Promise.resolve();
    expect(one.emptied).toEqual([page(0)]);
    expect(one.queue(QUEUE.inflate).reap()).toHaveLength(1);
  });
});

describe('statistics', () => {
  const tell = (one: ReturnType<typeof rig>, pairs: [tag: number, value: bigint][]) => {
    const bytes = new Uint8Array(10 * pairs.length);
    const view = new DataView(bytes.buffer);
    for (const [i, [tag, value]] of pairs.entries()) {
      view.setUint16(10 * i, tag, true);
      view.setBigUint64(10 * i + 2, value, true);
    }
    one.queue(QUEUE.stats).offer([bytes], []);
    one.queue(QUEUE.stats).kick();
  };

  test('are read by tag, and the buffer comes back only when new ones are asked for', () => {
    const one = rig();
    tell(one, [
      [5, 1000n],
      [4, 600n],
      [6, 700n],
      [7, 50n],
      [99, 1n],
      [2, 2n ** 64n - 1n],
    ]);
    expect(one.device.stats).toMatchObject({ total: 1000, free: 600, available: 700, cached: 50 });
    expect(one.device.stats!.majorFaults).toBe(2 ** 64);
    expect(one.queue(QUEUE.stats).usedIndex).toBe(0);
    one.device.requestStats();
    one.device.requestStats();
    expect(one.queue(QUEUE.stats).reap()).toHaveLength(1);
    tell(one, [[4, 5n]]);
    expect(one.device.stats!.free).toBe(5);
  });

  test('a huge or an empty-handed answer costs no more than a proper one', () => {
    const one = rig();
    tell(one, new Array<[number, bigint]>(5000).fill([4, 1n]));
    expect(one.device.stats!.free).toBe(1);
    one.driver.start();
    expect(one.device.stats).toBeUndefined();
    one.queue(QUEUE.stats).offer([], [8]);
    one.queue(QUEUE.stats).kick();
    expect(one.device.stats!.total).toBe(0);
  });

  test('of several buffers one is kept, and the driver is to notify of the next', () => {
    const one = rig();
    for (let i = 1; i <= 300; i++) {
      tell(one, [[4, BigInt(i)]]);
      expect(one.device.stats!.free).toBe(i);
      expect(one.queue(QUEUE.stats).reap()).toHaveLength(i === 1 ? 0 : 1);
    }
    one.device.requestStats();
    expect(one.queue(QUEUE.stats).reap()).toHaveLength(1);
    one.queue(QUEUE.stats).offer([new Uint8Array(10)], []);
    expect(one.queue(QUEUE.stats).wantsKick).toBe(true);
  });

  test('after a restore the buffer is held again', () => {
    const one = rig();
    tell(one, [[4, 77n]]);
    const other = rig();
    other.driver.write(RAM_BASE, one.driver.read({ address: RAM_BASE, length: RAM }));
    other.transport.state.restore(one.transport.state.save());
    expect(other.device.stats!.free).toBe(77);
    other.device.requestStats();
    const ring = one.queue(QUEUE.stats).deviceRing;
    expect(other.memory.readU16(other.memory.locate(ring, 0, 4), 2)).toBe(1);
  });
});
