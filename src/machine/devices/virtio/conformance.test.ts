/**
 * One suite for every virtio device: what virtio 1.2 and the hardening list ask of all of them,
 * whatever they do. A device joins by an entry in `DEVICES` that says how to make it and how to make
 * one proper request of it.
 */
import { describe, expect, test } from 'vitest';
import { RAM_BASE } from '../../memory.ts';
import type { MockDriver, Offer } from '../../testing/mock-driver.ts';
import { checkState, firstDifference } from '../../testing/state.ts';
import { type VirtioRig, virtioRig } from '../../testing/virtio-rig.ts';
import { DESC, FEATURE, INTERRUPT, REG, STATUS } from '../../virtio/constants.ts';
import type { VirtioDevice } from '../../virtio/device.ts';
import { BalloonDevice } from './balloon.ts';
import { BLOCK_TYPE, BlockDevice } from './block.ts';
import { CONSOLE_EVENT, ConsoleDevice } from './console.ts';
import { EntropyDevice } from './entropy.ts';
import { MemoryBackend } from './memory-backend.ts';
import { NinePDevice } from './nine-p.ts';
import { ascii, errorAnswer, NO_TAG, T, VERSION_L, WireWriter } from './nine-p-wire.ts';

interface Kind {
  readonly name: string;
  readonly make: () => VirtioDevice;
  /** The queue of the proper request, and how the request is made there (not yet notified). */
  readonly queue: number;
  readonly offer: (driver: MockDriver, indirect?: boolean) => Offer;
  /** What the answer must be. */
  readonly check: (driver: MockDriver, offer: Offer, written: number) => void;
}

/** Ends each operation of a disk one turn of the event loop later. */
class LaterBackend extends MemoryBackend {
  override async read(offset: number, into: Uint8Array): Promise<void> {
    await Promise.resolve();
    super.read(offset, into);
  }
}

const consolePorts = () => [
  { name: 'tty', console: true, onOutput: () => {} },
  { name: 'one', open: true, onOutput: () => {} },
];

const readSector = (driver: MockDriver, indirect = false) => {
  const header = new Uint8Array(16);
  header[0] = BLOCK_TYPE.IN;
  return driver.queues[0]!.offer([header], [512, 1], { indirect });
};

const DEVICES: Kind[] = [
  {
    name: 'entropy',
    make: () => new EntropyDevice((into) => into.fill(0x5a)),
    queue: 0,
    offer: (driver, indirect = false) => driver.queues[0]!.offer([], [40], { indirect }),
    check(driver, offer, written) {
      expect(written).toBe(40);
      expect([...driver.read(offer.room[0]!)]).toEqual(new Array(40).fill(0x5a));
    },
  },
  {
    name: 'block',
    make: () =>
      new BlockDevice(new MemoryBackend(1 << 16, { contents: new Uint8Array(512).fill(7) })),
    queue: 0,
    offer: readSector,
    check(driver, offer, written) {
      expect(written).toBe(513);
      expect(driver.read(offer.room[0]!).every((byte) => byte === 7)).toBe(true);
    },
  },
  {
    name: 'block that answers later',
    make: () =>
      new BlockDevice(new LaterBackend(1 << 16, { contents: new Uint8Array(512).fill(7) })),
    queue: 0,
    offer: readSector,
    check: (driver, offer, written) => {
      expect(written).toBe(513);
      expect(driver.read(offer.room[0]!)[511]).toBe(7);
    },
  },
  {
    name: 'console',
    make: () => new ConsoleDevice({ ports: [consolePorts()[0]!], cols: 80, rows: 25 }),
    queue: 1,
    offer: (driver, indirect = false) =>
      driver.queues[1]!.offer([Uint8Array.of(65), Uint8Array.of(66, 67)], [], { indirect }),
    check: (_driver, _offer, written) => expect(written).toBe(0),
  },
  {
    name: 'console with ports',
    make: () => new ConsoleDevice({ ports: consolePorts(), cols: 80, rows: 25 }),
    queue: 3,
    offer: (driver, indirect = false) =>
      driver.queues[3]!.offer(
        [Uint8Array.of(0, 0, 0, 0, CONSOLE_EVENT.DEVICE_READY, 0, 1, 0)],
        [],
        {
          indirect,
        },
      ),
    check: (_driver, _offer, written) => expect(written).toBe(0),
  },
];

DEVICES.push({
  name: '9p',
  make: () =>
    new NinePDevice({
      tag: 'shared',
      request: async (message) =>
        message[4] === T.VERSION
          ? new WireWriter(T.VERSION + 1, NO_TAG).u32(8192).string(ascii(VERSION_L)).finish()
          : errorAnswer(0, 22),
    }),
  queue: 0,
  offer(driver, indirect = false) {
    const version = new WireWriter(T.VERSION, NO_TAG).u32(8192).string(ascii(VERSION_L)).finish();
    return driver.queues[0]!.offer([version.slice(0, 7), version.slice(7)], [7, 100], { indirect });
  },
  check(driver, offer, written) {
    expect(written).toBe(21);
    expect(driver.read(offer.room[0]!)[4]).toBe(T.VERSION + 1);
    expect(Buffer.from(driver.read(offer.room[1]!)).toString('latin1')).toContain(VERSION_L);
  },
});

DEVICES.push({
  name: 'balloon',
  make: () => new BalloonDevice({ pages: 256, discard: () => true }),
  queue: 0,
  offer: (driver, indirect = false) =>
    driver.queues[0]!.offer([pageNumbers(0x800f0), pageNumbers(0x800f1)], [], { indirect }),
  check: (_driver, _offer, written) => expect(written).toBe(0),
});

function pageNumbers(...numbers: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(numbers).buffer);
}

/** Lets promises that are due settle. */
async function settle(): Promise<void> {
  for (let i = 0; i < 16; i++) await Promise.resolve();
}

describe.each(DEVICES)('$name', (kind) => {
  const rig = () => virtioRig(kind.make());

  /** One proper request, from kick to answer. */
  async function works(
    { driver, faults }: VirtioRig<VirtioDevice>,
    indirect = false,
  ): Promise<void> {
    const queue = driver.queues[kind.queue]!;
    const offer = kind.offer(driver, indirect);
    queue.kick();
    await settle();
    const used = queue.reap();
    expect(used.map((one) => one.head)).toEqual([offer.head]);
    kind.check(driver, offer, used[0]!.written);
    expect(faults).toEqual([]);
  }

  test('says what it is', () => {
    const { driver, device } = rig();
    expect(driver.get(REG.DEVICE_ID)).toBe(device.deviceId);
    expect(device.deviceId).toBeGreaterThan(0);
    for (const bit of device.features) expect(bit < 24 || (bit >= 50 && bit < 64)).toBe(true);
    expect(driver.offered()).toContain(FEATURE.VERSION_1);
  });

  test('works with all features, with none, with each alone, and with small queues', async () => {
    const all = rig();
    await works({ ...all, driver: all.driver.start() });
    for (const features of [[], ...all.driver.offered().map((bit) => [bit])]) {
      const one = rig();
      one.driver.start(features);
      await works(one);
    }
    for (const size of [4, 8]) {
      const small = rig();
      small.driver.start(undefined, size);
      for (let i = 0; i < 3 * size; i++) await works(small);
    }
  });

  test('works through indirect tables', async () => {
    const one = rig();
    one.driver.start();
    await works(one, true);
  });

  test('interrupts for its answer, and acknowledging lowers the line', async () => {
    const one = rig();
    one.driver.start([]);
    await works(one);
    expect(one.irq.level).toBe(true);
    one.driver.put(REG.INTERRUPT_ACK, INTERRUPT.USED_BUFFER | INTERRUPT.CONFIG_CHANGE);
    expect(one.irq.level).toBe(false);
  });

  test('does nothing before DRIVER_OK, and catches up then', async () => {
    const one = rig();
    one.driver.negotiate();
    for (let index = 0; index < one.device.queueSizes.length; index++) one.driver.setupQueue(index);
    const offer = kind.offer(one.driver);
    const queue = one.driver.queues[kind.queue]!;
    queue.kick();
    await settle();
    expect(queue.usedIndex).toBe(0);
    expect(one.irq.rises).toBe(0);
    one.driver.addStatus(STATUS.DRIVER_OK);
    await settle();
    expect(queue.reap().map((used) => used.head)).toEqual([offer.head]);
  });

  test('a reset at any step of the way leaves it as new', async () => {
    const one = rig();
    const fresh = rig().transport.state.save();
    const { driver, device } = one;
    const steps = [
      () => driver.addStatus(STATUS.ACKNOWLEDGE),
      () => driver.addStatus(STATUS.DRIVER),
      () => driver.chooseFeatures(driver.offered()),
      () => driver.addStatus(STATUS.FEATURES_OK),
      ...device.queueSizes.map((_, index) => () => void driver.setupQueue(index)),
      () => driver.addStatus(STATUS.DRIVER_OK),
      () => void kind.offer(driver),
      () => driver.queues[kind.queue]!.kick(),
      () => settle(),
    ];
    for (let count = 1; count <= steps.length; count++) {
      driver.reset();
      for (const step of steps.slice(0, count)) await step();
      driver.reset();
      expect(driver.status).toBe(0);
      expect(one.irq.level).toBe(false);
      const saved = one.transport.state.save();
      const [a, b] = [saved, fresh].map((state) => withoutGeneration(state));
      expect(firstDifference(a!, b!, 'state')).toBeUndefined();
      await settle();
      driver.start();
      await works(one);
    }
  });

  test('a reset with a request in flight: no answer to the old one, an answer to the new', async () => {
    const one = rig();
    one.driver.start();
    kind.offer(one.driver);
    one.driver.queues[kind.queue]!.kick();
    one.driver.start();
    await settle();
    expect(one.driver.queues[kind.queue]!.usedIndex).toBe(0);
    await works(one);
  });

  test('a snapshot with a request in flight: the answer comes after the restore', async () => {
    const a = rig();
    a.driver.start();
    const offer = kind.offer(a.driver);
    const queue = a.driver.queues[kind.queue]!;
    queue.kick();
    const saved = a.transport.state.save();
    const ram = a.driver.read({ address: RAM_BASE, length: a.memory.size });
    const b = rig();
    b.driver.write(RAM_BASE, ram);
    b.transport.state.restore(saved);
    await settle();
    const ring = b.memory.locate(queue.deviceRing, 0, 16);
    expect(b.memory.readU16(ring, 2)).toBe(1);
    expect(b.memory.readU32(ring, 4)).toBe(offer.head);
    kind.check(b.driver, offer, b.memory.readU32(ring, 8));
    expect(b.faults).toEqual([]);
  });

  test('its state', () => {
    checkState(() => rig().transport.state);
  });

  describe.each(rig().device.queueSizes.map((size, index) => ({ size, index })))(
    'queue $index',
    ({ size, index }) => {
      const attacks: [name: string, attack: (driver: MockDriver) => void][] = [
        ['an index too far ahead', (driver) => driver.queues[index]!.setAvailable(size + 1)],
        ['a head that is not there', (driver) => driver.queues[index]!.publish(size)],
        ['an empty descriptor', (driver) => raw(driver, { address: RAM_BASE, length: 0 })],
        ['a descriptor outside RAM', (driver) => raw(driver, { address: 0x1000_1000, length: 16 })],
        [
          'room outside RAM',
          (driver) => raw(driver, { address: 0, length: 16, flags: DESC.WRITE }),
        ],
        [
          'a descriptor of 4 GiB',
          (driver) => raw(driver, { address: RAM_BASE, length: 0xffff_ffff, flags: DESC.WRITE }),
        ],
        [
          'a circle',
          (driver) => raw(driver, { address: RAM_BASE, length: 16, flags: DESC.NEXT, next: 0 }),
        ],
        [
          'an odd indirect table',
          (driver) => raw(driver, { address: RAM_BASE, length: 24, flags: DESC.INDIRECT }),
        ],
      ];
      const raw = (
        driver: MockDriver,
        descriptor: Parameters<MockDriver['queues'][0]['describe']>[1],
      ) => {
        driver.queues[index]!.describe(0, descriptor);
        driver.queues[index]!.publish(0);
      };

      test.each(attacks)(
        '%s: answered by DEVICE_NEEDS_RESET or not touched',
        async (_name, attack) => {
          const one = rig();
          one.driver.start();
          attack(one.driver);
          one.driver.queues[index]!.kick();
          await settle();
          // A device that has nothing to put into a queue does not look at it.
          if (one.driver.needsReset) {
            expect(one.faults).toHaveLength(1);
            expect(one.faults[0]!.error).toBeUndefined();
            expect(one.driver.get(REG.INTERRUPT_STATUS) & INTERRUPT.CONFIG_CHANGE).not.toBe(0);
          } else {
            expect(one.driver.queues[index]!.usedIndex).toBe(0);
            expect(index).not.toBe(kind.queue);
          }
          expect(one.guardsIntact()).toBe(true);
          one.faults.length = 0;
          one.driver.start();
          await works(one);
        },
      );

      test('stopped by the driver: silent from then on', async () => {
        const one = rig();
        one.driver.start();
        one.driver.put(REG.QUEUE_SEL, index);
        one.driver.put(REG.QUEUE_READY, 0);
        one.driver.queues[index]!.offer([], [64]);
        one.driver.queues[index]!.kick();
        await settle();
        expect(one.driver.queues[index]!.usedIndex).toBe(0);
        expect(one.driver.needsReset).toBe(false);
      });
    },
  );
});

/** A saved transport without the counter that survives a reset. */
function withoutGeneration(
  saved: ReturnType<VirtioRig<VirtioDevice>['transport']['state']['save']>,
) {
  const copy = structuredClone(saved) as unknown as {
    parts: { transport: { fields: { configGeneration: number } } };
  };
  copy.parts.transport.fields.configGeneration = 0;
  return copy as unknown as typeof saved;
}
