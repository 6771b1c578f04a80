/**
 * The queue's rules, with a device that echoes: what a request sends comes back. Each attack of the
 * hardening list that goes through a ring or a descriptor is here.
 */
import { describe, expect, test } from 'vitest';
import { RAM_BASE } from '../memory.ts';
import { NO_STATE } from '../state.ts';
import type { Descriptor, DriverQueue, MockDriver } from '../testing/mock-driver.ts';
import { virtioRig } from '../testing/virtio-rig.ts';
import type { DescriptorChain } from './chain.ts';
import { DESC, FEATURE, INTERRUPT, REG } from './constants.ts';
import type { VirtioDevice, VirtioLink } from './device.ts';

const LIMIT = 4096;

class Echo implements VirtioDevice {
  readonly name = 'echo';
  readonly deviceId = 42;
  readonly features = [];
  readonly queueSizes = [16, 8];
  readonly config = new Uint8Array(0);
  readonly state = NO_STATE;
  /** Requests are kept until `finish` is called. */
  keep = false;
  readonly kept: DescriptorChain[] = [];
  link!: VirtioLink;

  attach(link: VirtioLink): void {
    this.link = link;
  }

  onQueue(index: number): void {
    const queue = this.link.queues[index]!;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      if (this.keep) this.kept.push(chain);
      else this.answer(chain, index);
    }
  }

  answer(chain: DescriptorChain, index = 0): void {
    const { reader, writer } = chain;
    const bytes = new Uint8Array(Math.min(reader.remaining, writer.remaining, LIMIT));
    reader.read(bytes);
    writer.write(bytes);
    this.link.complete(index, chain);
  }

  finish(): void {
    this.link.run(() => {
      for (const chain of this.kept.splice(0)) this.answer(chain);
    });
  }

  reset(): void {}
}

const text = (value: string) => new TextEncoder().encode(value);

function rig(features?: readonly number[], size?: number) {
  const all = virtioRig(new Echo());
  all.driver.start(features, size);
  return { ...all, queue: all.driver.queues[0]! };
}

/** Publishes a chain of raw descriptors and expects the device to stop; returns the reason. */
function attack(
  prepare: (queue: DriverQueue, driver: MockDriver) => void,
  features?: number[],
): string {
  const { queue, driver, faults, irq, guardsIntact } = rig(features);
  prepare(queue, driver);
  queue.kick();
  expect(driver.needsReset).toBe(true);
  expect(irq.level).toBe(true);
  expect(driver.get(REG.INTERRUPT_STATUS)).toBe(INTERRUPT.CONFIG_CHANGE);
  expect(queue.usedIndex).toBe(0);
  expect(guardsIntact()).toBe(true);
  expect(faults).toHaveLength(1);
  expect(faults[0]!.error).toBeUndefined();
  // Nothing more happens, however often it is asked to, until the reset that makes it usable again.
  queue.kick();
  expect(faults).toHaveLength(1);
  driver.start(features);
  const fresh = driver.queues[0]!;
  fresh.offer([text('again')], [8]);
  fresh.kick();
  expect(fresh.reap()).toHaveLength(1);
  return faults[0]!.reason;
}

const raw = (queue: DriverQueue, parts: Descriptor[]) => queue.publish(queue.chain(parts));
const data = RAM_BASE + 0x8_0000;

describe('split queue', () => {
  for (const indirect of [false, true]) {
    test(`requests come back with what was written, indirect: ${indirect}`, () => {
      const { queue, driver } = rig();
      const first = queue.offer([text('he'), text('llo')], [2, 10], { indirect });
      const second = queue.offer([text('bye')], [3], { indirect });
      queue.kick();
      expect(queue.reap()).toEqual([
        { head: first.head, written: 5 },
        { head: second.head, written: 3 },
      ]);
      const [a, b] = first.room.map((buffer) => new TextDecoder().decode(driver.read(buffer)));
      expect([a, b?.slice(0, 3)]).toEqual(['he', 'llo']);
    });
  }

  test('indices wrap around: 200,000 requests through 16 entries', () => {
    const { queue, driver } = rig();
    const { head } = queue.offer([text('x')], [1], { publish: false });
    let done = 0;
    for (let i = 0; i < 200_000; i++) {
      queue.publish(head);
      queue.kick();
      done += queue.usedIndex === (i + 1) % 65_536 ? 1 : 0;
    }
    expect(done).toBe(200_000);
    expect(driver.needsReset).toBe(false);
  });

  test('a smaller size chosen by the driver is respected', () => {
    const { queue } = rig(undefined, 4);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 4; i++) queue.offer([], [4]);
      queue.kick();
      expect(queue.reap()).toHaveLength(4);
    }
  });

  test('requests may complete in any order', () => {
    const { queue, device } = rig();
    device.keep = true;
    const offers = [1, 2, 3].map(() => queue.offer([text('a')], [1]));
    queue.kick();
    device.kept.reverse();
    device.finish();
    expect(queue.reap().map((used) => used.head)).toEqual(offers.map((o) => o.head).reverse());
  });

  test('reading and writing across segments, and the last byte apart', () => {
    const { queue, device, driver } = rig();
    device.keep = true;
    const numbers = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0x80, 9, 0, 0, 12, 13, 14, 15);
    const cuts = [0, 1, 3, 6, 10, 15];
    const pieces = cuts.slice(1).map((end, i) => numbers.subarray(cuts[i], end));
    const offer = queue.offer(pieces, [3, 2, 2]);
    queue.kick();
    const { reader, writer } = device.kept[0]!;
    expect(reader.readU8()).toBe(1);
    expect(reader.readU16()).toBe(0x0302);
    expect(reader.readU64()).toBe(0x0980_0706_0504);
    expect(reader.readU32()).toBe(0x0f0e_0d0c);
    expect(() => reader.readU8()).toThrow(/ends early/);
    writer.write(Uint8Array.of(1, 2, 3, 4));
    writer.writeLast(9);
    expect(writer.written).toBe(4);
    expect(() => writer.write(new Uint8Array(4))).toThrow(/too little room/);
    writer.writeU8(5);
    writer.writeU8(6);
    writer.writeLast(7);
    expect(writer.written).toBe(7);
    expect(offer.room.map((buffer) => [...driver.read(buffer)])).toEqual([
      [1, 2, 3],
      [4, 5],
      [6, 7],
    ]);
  });

  test('64-bit numbers above 2^53 never look smaller than they are', () => {
    const { queue, device } = rig();
    device.keep = true;
    queue.offer([new Uint8Array(8).fill(0xff)], [1]);
    queue.kick();
    expect(device.kept[0]!.reader.readU64()).toBeGreaterThanOrEqual(2 ** 53);
  });
});

describe('notifications', () => {
  const without = [FEATURE.INDIRECT_DESC];

  test('without event index: the interrupt comes unless the driver suppresses it', () => {
    const { queue, irq, driver } = rig(without);
    queue.offer([], [1]);
    queue.kick();
    expect(irq.level).toBe(true);
    expect(driver.get(REG.INTERRUPT_STATUS)).toBe(INTERRUPT.USED_BUFFER);
    driver.put(REG.INTERRUPT_ACK, INTERRUPT.USED_BUFFER);
    expect(irq.level).toBe(false);
    queue.suppressInterrupts(true);
    queue.offer([], [1]);
    queue.kick();
    expect(irq.level).toBe(false);
    expect(queue.reap()).toHaveLength(2);
    expect(queue.wantsKick).toBe(true);
  });

  test('with event index: the interrupt comes when used passes used_event', () => {
    const { queue, irq, driver } = rig();
    const one = () => {
      driver.put(REG.INTERRUPT_ACK, 3);
      queue.offer([], [1]);
      queue.kick();
      queue.reap();
      return irq.level;
    };
    queue.setUsedEvent(0);
    expect(one()).toBe(true);
    expect(one()).toBe(false);
    queue.setUsedEvent(3);
    expect([one(), one(), one()]).toEqual([false, true, false]);
    queue.suppressInterrupts(true); // the flag means nothing with event index
    queue.setUsedEvent(5);
    expect(one()).toBe(true);
  });

  test('several completions at once make one interrupt', () => {
    const { queue, irq, device } = rig();
    device.keep = true;
    for (let i = 0; i < 5; i++) queue.offer([], [1]);
    queue.kick();
    expect(irq.rises).toBe(0);
    device.finish();
    expect(irq.rises).toBe(1);
  });

  test('an empty queue asks to be notified of its very next entry', () => {
    const { queue } = rig();
    for (let i = 0; i < 20; i++) {
      const { head } = queue.offer([], [1]);
      expect(head).toBeGreaterThanOrEqual(0);
      expect(queue.wantsKick).toBe(true);
      queue.kick();
      queue.reap();
    }
  });
});

describe('a hostile driver', () => {
  test('zero-length descriptor', () => {
    expect(attack((q) => raw(q, [{ address: data, length: 0 }]))).toMatch(/is empty/);
  });

  test('huge descriptor, beyond RAM', () => {
    expect(
      attack((q) => raw(q, [{ address: data, length: 0xffff_ffff, flags: DESC.WRITE }])),
    ).toMatch(/are not RAM/);
  });

  test('descriptors that overlap into more than 4 GiB', () => {
    // 16 descriptors cannot do it from 1 MiB of RAM: the sum stays what RAM times entries allows.
    const { queue, driver } = rig();
    raw(
      queue,
      Array.from({ length: 16 }, () => ({ address: RAM_BASE, length: 1 << 20 })),
    );
    queue.kick();
    expect(driver.needsReset).toBe(false);
    expect(queue.reap()).toEqual([{ head: 0, written: 0 }]);
  });

  test('a circle of descriptors', () => {
    expect(
      attack((q) => {
        q.describe(0, { address: data, length: 4, flags: DESC.NEXT, next: 1 });
        q.describe(1, { address: data, length: 4, flags: DESC.NEXT, next: 0 });
        q.publish(0);
      }),
    ).toMatch(/circle/);
  });

  test('a successor outside the table', () => {
    expect(
      attack((q) => {
        q.describe(0, { address: data, length: 4, flags: DESC.NEXT, next: 16 });
        q.publish(0);
      }),
    ).toMatch(/no descriptor 16/);
  });

  test('a head outside the table', () => {
    expect(attack((q) => q.publish(16))).toMatch(/no descriptor 16/);
    expect(attack((q) => q.publish(0xffff))).toMatch(/no descriptor 65535/);
  });

  test('an available index further ahead than the queue is long', () => {
    expect(attack((q) => q.setAvailable(17))).toMatch(/17 ahead/);
    expect(attack((q) => q.setAvailable(0xffff))).toMatch(/65535 ahead/);
  });

  test('an available index that goes back', () => {
    const { queue, driver } = rig();
    queue.offer([], [1]);
    queue.kick();
    queue.setAvailable(0);
    queue.kick();
    expect(driver.needsReset).toBe(true);
  });

  test('a writable descriptor before a readable one', () => {
    expect(
      attack((q) =>
        raw(q, [
          { address: data, length: 4, flags: DESC.WRITE },
          { address: data, length: 4 },
        ]),
      ),
    ).toMatch(/readable descriptor follows/);
  });

  test('indirect: not negotiated, nested, with a successor, odd, empty, too long, outside RAM', () => {
    const table = (length: number, flags = 0) => [
      { address: data, length, flags: DESC.INDIRECT | flags },
    ];
    expect(attack((q) => raw(q, table(16)), [])).toMatch(/not negotiated/);
    expect(
      attack((q) => {
        q.describe(0, { address: data, length: 16, flags: DESC.INDIRECT }, data);
        raw(q, table(16));
      }),
    ).toMatch(/inside an indirect table/);
    expect(attack((q) => raw(q, [...table(16), { address: data, length: 4 }]))).toMatch(
      /successor/,
    );
    for (const length of [0, 8, 17, 16 * 17, 0xffff_fff0]) {
      expect(attack((q) => raw(q, table(length)))).toMatch(/names a table/);
    }
    expect(attack((q) => raw(q, [{ address: 0x1000, length: 16, flags: DESC.INDIRECT }]))).toMatch(
      /not RAM/,
    );
  });

  test('indirect tables that point to themselves or outside', () => {
    expect(
      attack((q) => {
        q.describe(0, { address: data, length: 4, flags: DESC.NEXT, next: 0 }, data);
        raw(q, [{ address: data, length: 16, flags: DESC.INDIRECT }]);
      }),
    ).toMatch(/circle/);
    expect(
      attack((q) => {
        q.describe(0, { address: data, length: 4, flags: DESC.NEXT, next: 1 }, data);
        raw(q, [{ address: data, length: 16, flags: DESC.INDIRECT }]);
      }),
    ).toMatch(/no descriptor 1/);
  });

  test('direct descriptors followed by an indirect one are allowed', () => {
    const { queue, driver } = rig();
    const address = driver.allocate(64);
    driver.write(address, text('abcd'));
    queue.describe(0, { address: address + 32, length: 8, flags: DESC.WRITE }, data);
    raw(queue, [
      { address, length: 4 },
      { address: data, length: 16, flags: DESC.INDIRECT },
    ]);
    queue.kick();
    expect(queue.reap()).toEqual([{ head: 0, written: 4 }]);
  });

  test('DMA aimed at devices, at addresses that wrap, at the edge of RAM', () => {
    const end = RAM_BASE + (1 << 20);
    for (const [address, length] of [
      [0x1000_1000, 4],
      [0, 4],
      [end - 2, 4],
      [end, 1],
      [RAM_BASE - 1, 2],
      [0xffff_ffff_ffff_fff0n, 0x20],
      [0x1_8000_0000_0000n, 4],
      [0x8000_0000_8000_0000n, 4],
    ] as const) {
      for (const flags of [0, DESC.WRITE]) {
        expect(attack((q) => raw(q, [{ address, length, flags }]))).toMatch(/not RAM/);
      }
    }
  });

  test('the same head again while the request is in flight', () => {
    const { queue, driver, device, faults } = rig();
    device.keep = true;
    const { head } = queue.offer([text('x')], [1]);
    queue.kick();
    queue.publish(head);
    queue.kick();
    expect(driver.needsReset).toBe(true);
    expect(faults[0]!.reason).toMatch(/made available while in use/);
    // The first request's answer comes after the device stopped: it is dropped.
    device.finish();
    expect(queue.usedIndex).toBe(0);
  });

  test('reset with a request in flight: the late completion is dropped, the new ones are not', () => {
    const { driver, device, faults } = rig();
    device.keep = true;
    const old = driver.queues[0]!.offer([text('old')], [3]);
    driver.queues[0]!.kick();
    const late = device.kept.splice(0);
    driver.start();
    const queue = driver.queues[0]!;
    const offer = queue.offer([text('new')], [3]);
    expect(offer.head).toBe(old.head);
    queue.kick();
    // Before the new answer and after it, whatever the device does with the old request.
    const [fresh] = device.kept.splice(0);
    device.kept.push(...late);
    device.finish();
    expect(queue.usedIndex).toBe(0);
    expect(driver.read(offer.room[0]!)).toEqual(new Uint8Array(3));
    device.kept.push(fresh!);
    device.finish();
    device.kept.push(...late);
    device.finish();
    expect(queue.reap()).toEqual([{ head: offer.head, written: 3 }]);
    expect(new TextDecoder().decode(driver.read(offer.room[0]!))).toBe('new');
    expect(faults).toEqual([]);
  });

  test('used length counts only what was written, not the room there was', () => {
    const { queue } = rig();
    queue.offer([text('abc')], [4096]);
    queue.kick();
    expect(queue.reap()[0]!.written).toBe(3);
  });

  test('descriptors changed after they were taken change nothing (double fetch)', () => {
    const { queue, driver, device } = rig();
    device.keep = true;
    const offer = queue.offer([text('safe')], [4]);
    queue.kick();
    for (let i = 0; i < 16; i++) {
      queue.describe(i, {
        address: 0x1000,
        length: 0xffff_ffff,
        flags: DESC.NEXT | DESC.WRITE,
        next: i,
      });
    }
    device.finish();
    expect(queue.reap()).toEqual([{ head: offer.head, written: 4 }]);
    expect(new TextDecoder().decode(driver.read(offer.room[0]!))).toBe('safe');
  });

  test('rings outside RAM or misaligned', () => {
    for (const [register, low, high] of [
      [REG.QUEUE_DESC_LOW, 0x1000_0000, 0],
      [REG.QUEUE_DESC_LOW, RAM_BASE + 8, 0],
      [REG.QUEUE_DRIVER_LOW, RAM_BASE + 1, 0],
      [REG.QUEUE_DEVICE_LOW, RAM_BASE + 2, 0],
      [REG.QUEUE_DEVICE_LOW, RAM_BASE, 1],
      [REG.QUEUE_DRIVER_LOW, RAM_BASE + (1 << 20) - 4, 0],
      [REG.QUEUE_DEVICE_LOW, 0xffff_fffc, 0xffff_ffff],
    ] as const) {
      const { driver, faults } = virtioRig(new Echo());
      driver.negotiate();
      driver.put(REG.QUEUE_SEL, 0);
      driver.place(REG.QUEUE_DESC_LOW, RAM_BASE);
      driver.place(REG.QUEUE_DRIVER_LOW, RAM_BASE + 0x1000);
      driver.place(REG.QUEUE_DEVICE_LOW, RAM_BASE + 0x2000);
      driver.put(register, low);
      driver.put(register + 4, high);
      driver.put(REG.QUEUE_READY, 1);
      expect(driver.get(REG.QUEUE_READY)).toBe(0);
      expect(driver.needsReset).toBe(true);
      expect(faults).toHaveLength(1);
    }
  });

  test('rings laid over each other and over the request end in an error or in peace', () => {
    const { driver, guardsIntact } = virtioRig(new Echo());
    driver.negotiate();
    driver.put(REG.QUEUE_SEL, 0);
    for (const register of [REG.QUEUE_DESC_LOW, REG.QUEUE_DRIVER_LOW, REG.QUEUE_DEVICE_LOW]) {
      driver.place(register, RAM_BASE);
    }
    driver.put(REG.QUEUE_READY, 1);
    driver.addStatus(4);
    for (let i = 0; i < 64; i++) {
      driver.write(RAM_BASE, new Uint8Array(64).fill(i));
      driver.put(REG.QUEUE_NOTIFY, 0);
    }
    expect(guardsIntact()).toBe(true);
  });
});
