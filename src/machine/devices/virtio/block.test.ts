import { describe, expect, test } from 'vitest';
import type { MockDriver, Offer } from '../../testing/mock-driver.ts';
import { virtioRig } from '../../testing/virtio-rig.ts';
import { FEATURE, REG } from '../../virtio/constants.ts';
import { BLOCK_FEATURE, BLOCK_STATUS, BLOCK_TYPE, BlockDevice } from './block.ts';
import type { BlockBackend } from './block-backend.ts';
import { MemoryBackend } from './memory-backend.ts';

const SECTORS = 2048;

function header(type: number, sector: number | bigint = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt.asUintN(64, BigInt(sector)), true);
  return bytes;
}

function span(sector: number | bigint, sectors: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return bytes;
}

function rig(
  backend: BlockBackend = new MemoryBackend(SECTORS * 512, { id: 'disk-0' }),
  features?: number[],
) {
  const errors: string[] = [];
  const all = virtioRig(new BlockDevice(backend, { onError: (reason) => errors.push(reason) }));
  all.driver.start(features);
  const queue = all.driver.queues[0]!;
  /** Makes one request and returns its status, the data that came back, and the used length. */
  const request = (out: Uint8Array[], room: number[] = []) => {
    const offer = queue.offer(out, [...room, 1]);
    queue.kick();
    const [used] = queue.reap();
    return { ...answer(all.driver, offer), written: used?.written };
  };
  return { ...all, queue, request, errors };
}

function answer(driver: MockDriver, offer: Offer) {
  const parts = offer.room.map((buffer) => driver.read(buffer));
  return { status: parts.at(-1)![0], data: parts.slice(0, -1) };
}

/** A backend whose operations wait until the test lets them end. */
class SlowBackend extends MemoryBackend {
  readonly waiting: { name: string; end: (error?: Error) => Promise<void> }[] = [];

  override read(offset: number, into: Uint8Array): Promise<void> {
    return this.#wait(`read ${offset}`, () => super.read(offset, into));
  }

  override write(offset: number, from: Uint8Array): Promise<void> {
    return this.#wait(`write ${offset}`, () => super.write(offset, from));
  }

  override flush(): Promise<void> {
    return this.#wait('flush', () => {});
  }

  #wait(name: string, act: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({
        name,
        end: async (error) => {
          if (error !== undefined) reject(error);
          else {
            act();
            resolve();
          }
          // The device's own continuation runs before ours.
          for (let i = 0; i < 4; i++) await Promise.resolve();
        },
      });
    });
  }
}

describe('block device', () => {
  test('writes and reads sectors, in one piece or many', () => {
    const { request } = rig();
    const data = new Uint8Array(1536).map((_, i) => i * 7);
    expect(
      request([header(BLOCK_TYPE.OUT, 5), data.subarray(0, 100), data.subarray(100)]),
    ).toMatchObject({
      status: BLOCK_STATUS.OK,
      written: 1,
    });
    const read = request([header(BLOCK_TYPE.IN, 5)], [512, 1000, 24]);
    expect(read.status).toBe(BLOCK_STATUS.OK);
    expect(read.written).toBe(1537);
    expect(read.data.flatMap((part) => [...part])).toEqual([...data]);
  });

  test('its configuration and features say what it can do', () => {
    const { driver, transport } = rig();
    expect(transport.load(REG.CONFIG, 4)).toBe(SECTORS);
    expect(transport.load(REG.CONFIG + 12, 4)).toBe(126);
    expect(transport.load(REG.CONFIG + 20, 4)).toBe(512);
    expect(driver.offered()).toEqual([1, 2, 6, 9, 13, 14, 28, 29, 32]);
    const fixed = rig(new MemoryBackend(512, { readOnly: true }));
    expect(fixed.driver.offered()).toEqual([1, 2, 5, 6, 9, 28, 29, 32]);
  });

  test('the largest request that its limits allow is served', () => {
    const backend = new MemoryBackend(32 << 20);
    const all = virtioRig(new BlockDevice(backend), 16 << 20);
    all.driver.start();
    const queue = all.driver.queues[0]!;
    const offer = queue.offer([header(BLOCK_TYPE.IN, 0)], [...new Array(126).fill(65_536), 1]);
    queue.kick();
    expect(queue.reap()[0]!.written).toBe(126 * 65_536 + 1);
    expect(answer(all.driver, offer).status).toBe(BLOCK_STATUS.OK);
  });

  test('GET_ID gives twenty bytes, padded, or as many as there is room for', () => {
    const { request } = rig();
    const id = request([header(BLOCK_TYPE.GET_ID)], [20]);
    expect(new TextDecoder().decode(id.data[0])).toBe('disk-0'.padEnd(20, '\0'));
    expect(id.written).toBe(21);
    expect(request([header(BLOCK_TYPE.GET_ID)], [4]).written).toBe(5);
    const large = request([header(BLOCK_TYPE.GET_ID)], [512]);
    expect(large.written).toBe(20);
    expect(large.status).toBe(BLOCK_STATUS.OK);
  });

  test('ranges outside the disk, odd lengths and no length are I/O errors', () => {
    const { request, driver, errors } = rig();
    for (const [sector, length] of [
      [SECTORS, 512],
      [SECTORS - 1, 1024],
      [2n ** 55n, 512],
      [2n ** 64n - 1n, 512],
      [0xffff_ffff, 512],
      [0, 511],
      [0, 513],
    ] as const) {
      const read = request([header(BLOCK_TYPE.IN, sector)], [length]);
      expect(read).toMatchObject({ status: BLOCK_STATUS.IOERR, written: 0 });
      expect(read.data[0]!.every((byte) => byte === 0)).toBe(true);
      expect(request([header(BLOCK_TYPE.OUT, sector), new Uint8Array(length)]).status).toBe(
        BLOCK_STATUS.IOERR,
      );
    }
    expect(request([header(BLOCK_TYPE.IN, 0)]).status).toBe(BLOCK_STATUS.IOERR);
    expect(request([header(BLOCK_TYPE.OUT, 0)]).status).toBe(BLOCK_STATUS.IOERR);
    expect(driver.needsReset).toBe(false);
    expect(errors).toEqual([]); // the backend was not even asked
  });

  test('unknown types are unsupported; a request without header or status stops the device', () => {
    const { request } = rig();
    for (const type of [2, 3, 5, 14, 0xffff_ffff]) {
      expect(request([header(type)]).status).toBe(BLOCK_STATUS.UNSUPP);
    }
    for (const [out, room] of [
      [[new Uint8Array(15)], [1]],
      [[header(BLOCK_TYPE.IN)], []],
      [[], [513]],
    ] as const) {
      const { driver, queue, faults } = rig();
      queue.offer(out, room);
      queue.kick();
      expect(driver.needsReset).toBe(true);
      expect(faults[0]!.reason).toMatch(/no header or no room/);
    }
  });

  test('a read-only disk refuses every kind of writing', () => {
    const { request } = rig(new MemoryBackend(SECTORS * 512, { readOnly: true }));
    expect(request([header(BLOCK_TYPE.OUT), new Uint8Array(512)]).status).toBe(BLOCK_STATUS.IOERR);
    expect(request([header(BLOCK_TYPE.DISCARD), span(0, 1)]).status).toBe(BLOCK_STATUS.UNSUPP);
    expect(request([header(BLOCK_TYPE.WRITE_ZEROES), span(0, 1)]).status).toBe(BLOCK_STATUS.UNSUPP);
    expect(request([header(BLOCK_TYPE.IN)], [512]).status).toBe(BLOCK_STATUS.OK);
    expect(request([header(BLOCK_TYPE.FLUSH)]).status).toBe(BLOCK_STATUS.OK);
  });

  test('discard and write zeroes: every range, or none when one is wrong', () => {
    const backend = new MemoryBackend(SECTORS * 512);
    const { request } = rig(backend);
    const ones = () => backend.write(0, new Uint8Array(8 * 512).fill(1));
    const marks = () =>
      Array.from({ length: 8 }, (_, i) => {
        const sector = new Uint8Array(512);
        backend.read(i * 512, sector);
        return sector[511];
      });
    ones();
    expect(request([header(BLOCK_TYPE.WRITE_ZEROES), span(1, 2), span(5, 1, 1)]).status).toBe(0);
    expect(marks()).toEqual([1, 0, 0, 1, 1, 0, 1, 1]);
    expect(request([header(BLOCK_TYPE.DISCARD), span(6, 2)]).status).toBe(0);
    expect(marks()).toEqual([1, 0, 0, 1, 1, 0, 0, 0]);
    ones();
    const { IOERR, UNSUPP } = BLOCK_STATUS;
    for (const [type, ranges, status] of [
      [BLOCK_TYPE.WRITE_ZEROES, [span(0, 1), span(SECTORS, 1)], IOERR],
      [BLOCK_TYPE.WRITE_ZEROES, [span(0, 1), span(0, 0)], IOERR],
      [BLOCK_TYPE.WRITE_ZEROES, [span(0, 1), span(2n ** 63n, 1)], IOERR],
      [BLOCK_TYPE.WRITE_ZEROES, [span(0, 1), span(0, 0xffff_ffff)], IOERR],
      [BLOCK_TYPE.WRITE_ZEROES, [span(0, 1, 2)], UNSUPP],
      [BLOCK_TYPE.DISCARD, [span(0, 1, 1)], UNSUPP],
      [BLOCK_TYPE.DISCARD, [new Uint8Array(15)], IOERR],
      [BLOCK_TYPE.DISCARD, Array.from({ length: 17 }, () => span(0, 1)), IOERR],
    ] as const) {
      expect(request([header(type), ...ranges]).status).toBe(status);
    }
    expect(request([header(BLOCK_TYPE.DISCARD)]).status).toBe(IOERR);
    expect(marks()).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('what the driver did not negotiate is unsupported', () => {
    const { request } = rig(undefined, [BLOCK_FEATURE.FLUSH]);
    expect(request([header(BLOCK_TYPE.DISCARD), span(0, 1)]).status).toBe(BLOCK_STATUS.UNSUPP);
    expect(request([header(BLOCK_TYPE.WRITE_ZEROES), span(0, 1)]).status).toBe(BLOCK_STATUS.UNSUPP);
  });

  test('without FLUSH each write is made durable before it is answered', async () => {
    const backend = new SlowBackend(SECTORS * 512);
    const { queue } = rig(backend, [FEATURE.EVENT_IDX]);
    queue.offer([header(BLOCK_TYPE.OUT, 1), new Uint8Array(512)], [1]);
    queue.kick();
    await backend.waiting.shift()!.end();
    expect(queue.reap()).toEqual([]);
    expect(backend.waiting.map((one) => one.name)).toEqual(['flush']);
    await backend.waiting.shift()!.end();
    expect(queue.reap()).toHaveLength(1);
  });

  test('a backend that fails, at once or later, is an I/O error and a line in the log', async () => {
    const broken = new MemoryBackend(SECTORS * 512, { id: 'bad' });
    broken.read = () => {
      throw new Error('sector is gone');
    };
    const first = rig(broken);
    expect(first.request([header(BLOCK_TYPE.IN)], [512])).toMatchObject({
      status: BLOCK_STATUS.IOERR,
      written: 0,
    });
    expect(first.errors).toEqual(['The disk bad failed: sector is gone']);
    for (let i = 0; i < 599; i++) first.request([header(BLOCK_TYPE.IN)], [512]);
    expect(first.errors).toHaveLength(10);
    const slow = new SlowBackend(SECTORS * 512);
    const { queue, driver, errors } = rig(slow);
    const offer = queue.offer([header(BLOCK_TYPE.IN)], [512, 1]);
    queue.kick();
    await slow.waiting[0]!.end(new Error('quota'));
    expect(queue.reap()).toEqual([{ head: offer.head, written: 0 }]);
    expect(answer(driver, offer).status).toBe(BLOCK_STATUS.IOERR);
    expect(errors).toEqual(['The disk memory failed: quota']);
  });
});

describe('requests in flight', () => {
  test('several at once, answered in the order in which the backend ends', async () => {
    const slow = new SlowBackend(SECTORS * 512);
    const { queue, driver, irq } = rig(slow);
    slow.waiting.length = 0;
    const offers = [0, 1, 2].map((sector) =>
      queue.offer([header(BLOCK_TYPE.IN, sector)], [512, 1]),
    );
    queue.kick();
    expect(slow.waiting.map((one) => one.name)).toEqual(['read 0', 'read 512', 'read 1024']);
    expect(irq.level).toBe(false);
    await slow.waiting[2]!.end();
    expect(irq.level).toBe(true);
    driver.put(REG.INTERRUPT_ACK, 1);
    await slow.waiting[0]!.end();
    await slow.waiting[1]!.end();
    expect(queue.reap().map((used) => used.head)).toEqual([2, 0, 1].map((i) => offers[i]!.head));
  });

  test('bytes held for them are bounded; the rest waits in the ring', async () => {
    const slow = new SlowBackend(64 << 20);
    const all = virtioRig(new BlockDevice(slow), 48 << 20);
    all.driver.start();
    const queue = all.driver.queues[0]!;
    const each = 4 << 20;
    const offers = Array.from({ length: 8 }, () => queue.offer([header(BLOCK_TYPE.IN)], [each, 1]));
    queue.kick();
    expect(slow.waiting.length).toBe(4);
    await slow.waiting[0]!.end();
    await slow.waiting[1]!.end();
    expect(slow.waiting.length).toBe(6);
    for (let i = 2; i < 8; i++) await slow.waiting[i]!.end();
    expect(queue.reap()).toHaveLength(offers.length);
  });

  test('a reset drops late answers, and new requests wait for old ones to leave the backend', async () => {
    const slow = new SlowBackend(SECTORS * 512);
    const { driver, device } = rig(slow);
    const old = driver.queues[0]!;
    old.offer([header(BLOCK_TYPE.OUT, 3), new Uint8Array(512).fill(1)], [1]);
    old.offer([header(BLOCK_TYPE.IN, 9)], [512, 1]);
    old.kick();
    driver.start();
    const queue = driver.queues[0]!;
    const ram = () => driver.read({ address: queue.descriptors, length: 16_384 });
    const offer = queue.offer([header(BLOCK_TYPE.OUT, 3), new Uint8Array(512).fill(2)], [1]);
    queue.kick();
    expect(slow.waiting.map((one) => one.name)).toEqual(['write 1536', 'read 4608']);
    const before = ram();
    await slow.waiting[0]!.end();
    expect(ram()).toEqual(before);
    expect(slow.waiting).toHaveLength(2);
    await slow.waiting[1]!.end();
    expect(slow.waiting).toHaveLength(3);
    await slow.waiting[2]!.end();
    expect(queue.reap()).toEqual([{ head: offer.head, written: 1 }]);
    expect(device.inFlight).toBe(0);
    const sector = new Uint8Array(512);
    MemoryBackend.prototype.read.call(slow, 1536, sector);
    expect(sector[0]).toBe(2);
  });

  test('a request that is saved in flight is done after the restore, once', async () => {
    const slow = new SlowBackend(SECTORS * 512);
    const a = rig(slow);
    const offer = a.queue.offer([header(BLOCK_TYPE.OUT, 7), new Uint8Array(512).fill(9)], [1]);
    a.queue.kick();
    const saved = a.transport.state.save();
    const ram = a.driver.read({ address: 0x8000_0000, length: a.memory.size });

    const backend = new MemoryBackend(SECTORS * 512);
    const b = virtioRig(new BlockDevice(backend));
    b.driver.write(0x8000_0000, ram);
    b.transport.state.restore(saved);
    expect(b.irq.level).toBe(true);
    const sector = new Uint8Array(512);
    backend.read(7 * 512, sector);
    expect(sector[0]).toBe(9);
    const used = b.memory.locate(a.queue.deviceRing, 0, 16);
    expect(b.memory.readU16(used, 2)).toBe(1);
    expect(b.memory.readU32(used, 4)).toBe(offer.head);

    // Restored into the machine that still waits for the old answer: that answer is dropped.
    a.transport.state.restore(saved);
    expect(slow.waiting).toHaveLength(2);
    await slow.waiting[0]!.end();
    expect(a.queue.reap()).toEqual([]);
    await slow.waiting[1]!.end();
    expect(a.queue.reap()).toEqual([{ head: offer.head, written: 1 }]);
  });
});

test('counts what it does, with its bytes and how long it takes', async () => {
  let now = 0;
  const backend = new SlowBackend(SECTORS * 512);
  const { driver, device } = virtioRig(new BlockDevice(backend, { now: () => now }));
  driver.start();
  const queue = driver.queues[0]!;
  queue.offer([header(BLOCK_TYPE.IN)], [1024, 1]);
  queue.offer([header(BLOCK_TYPE.OUT), new Uint8Array(512)], [1]);
  queue.offer([header(BLOCK_TYPE.FLUSH)], [1]);
  queue.offer([header(BLOCK_TYPE.GET_ID)], [20, 1]);
  queue.kick();
  now = 3;
  await backend.waiting[0]!.end();
  now = 10;
  await backend.waiting[1]!.end(new Error('full'));
  now = 12;
  await backend.waiting[2]!.end();
  const totals = {
    reads: 1,
    writes: 1,
    flushes: 1,
    discards: 0,
    read_bytes: 1024,
    written_bytes: 0,
    errors: 1,
    latency_ms: 25,
  };
  expect(device.stats(true)).toEqual({ ...totals, worst_ms: 12 });
  expect(device.stats(true)).toEqual({ ...totals, worst_ms: 0 });
  expect(device.stats()).toEqual({ ...totals, worst_ms: 12 });
});
