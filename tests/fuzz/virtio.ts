/**
 * Fuzzer of the virtio devices: plays a driver that keeps the rules most of the time and breaks one
 * now and then, while host-side events (input, resizes, late disk answers, snapshots) happen at any
 * moment. It looks for: an exception of the device model, a byte changed outside RAM, an answer
 * longer than its room, an interrupt line that differs from its register, a host-side queue that
 * grows, a snapshot that does not come back the same, a device that does not work after a reset.
 */
import { BalloonDevice } from '../../src/machine/devices/virtio/balloon.ts';
import { BLOCK_TYPE, BlockDevice } from '../../src/machine/devices/virtio/block.ts';
import { ConsoleDevice } from '../../src/machine/devices/virtio/console.ts';
import { PORT_INPUT_LIMIT } from '../../src/machine/devices/virtio/console-port.ts';
import { EntropyDevice } from '../../src/machine/devices/virtio/entropy.ts';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { NinePDevice } from '../../src/machine/devices/virtio/nine-p.ts';
import {
  ascii,
  NO_TAG,
  T,
  VERSION_L,
  WireWriter,
} from '../../src/machine/devices/virtio/nine-p-wire.ts';
import { RAM_BASE } from '../../src/machine/memory.ts';
import { type Saved, StateError } from '../../src/machine/state.ts';
import type { DriverQueue, Offer } from '../../src/machine/testing/mock-driver.ts';
import { firstDifference } from '../../src/machine/testing/state.ts';
import { type VirtioRig, virtioRig } from '../../src/machine/testing/virtio-rig.ts';
import { DESC, FEATURE, REG, STATUS } from '../../src/machine/virtio/constants.ts';
import type { VirtioDevice } from '../../src/machine/virtio/device.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { NinePServer } from '../../src/storage/ninep/server.ts';
import { Finding, type Fuzzer, type Random } from './fuzzer.ts';
import { message } from './ninep.ts';

const RAM = 256 * 1024;
const STEPS = 60;
const PAGE = 4096;
const SECTORS = 64;
/** A rule is broken once in so many chances. */
const RARELY = 150;
const FEATURE_BITS = 64;

/** A device under test with the host's side of it. */
interface Subject {
  readonly device: VirtioDevice;
  /** The parts of one proper request for a queue: bytes sent, sizes of room. */
  request(random: Random, queue: number): { out: Uint8Array[]; room: number[] };
  /** Something that the host does at any moment. */
  host(random: Random): void | Promise<void>;
  /** Everything that the host has kept waiting ends. */
  settle(): Promise<void>;
  /** Complains when the host's side holds too much. */
  bounded(): string | undefined;
}

/** A disk whose operations end when the fuzzer says so, sometimes badly. */
class WaitingBackend extends MemoryBackend {
  readonly waiting: ((fails: boolean) => void)[] = [];
  immediate = false;

  override read(offset: number, into: Uint8Array): void | Promise<void> {
    return this.#later(() => super.read(offset, into));
  }

  override write(offset: number, from: Uint8Array): void | Promise<void> {
    return this.#later(() => super.write(offset, from));
  }

  override flush(): void | Promise<void> {
    return this.#later(() => {});
  }

  #later(act: () => void): void | Promise<void> {
    if (this.immediate) return act();
    return new Promise((resolve, reject) => {
      this.waiting.push((fails) => {
        if (fails) {
          reject(new Error('the disk is full'));
        } else {
          act();
          resolve();
        }
      });
    });
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}

function entropySubject(fill: (into: Uint8Array) => void = (into) => void into.fill(1)): Subject {
  return {
    device: new EntropyDevice(fill),
    request: (random) => ({ out: [], room: [random.between(1, 100)] }),
    host() {},
    async settle() {},
    bounded: () => undefined,
  };
}

function blockSubject(waits: boolean, readOnly: boolean): Subject {
  const backend = new WaitingBackend(SECTORS * 512, { readOnly });
  backend.immediate = !waits;
  const device = new BlockDevice(backend);
  const types = Object.values(BLOCK_TYPE);
  return {
    device,
    request(random) {
      const type = random.pick(types);
      const header = new Uint8Array(16);
      const view = new DataView(header.buffer);
      view.setUint32(0, random.once(RARELY) ? random.nasty() : type, true);
      view.setUint32(8, random.once(RARELY) ? random.nasty() : random.below(SECTORS), true);
      view.setUint32(12, random.once(RARELY) ? random.nasty() : 0, true);
      const size = () =>
        random.once(RARELY) ? random.between(1, 2000) : 512 * random.between(1, 4);
      if (type === BLOCK_TYPE.IN) return { out: [header], room: [size(), 1] };
      if (type === BLOCK_TYPE.OUT) return { out: [header, random.bytes(size())], room: [1] };
      if (type === BLOCK_TYPE.GET_ID) return { out: [header], room: [20, 1] };
      if (type === BLOCK_TYPE.FLUSH) return { out: [header], room: [1] };
      const span = new Uint8Array(16);
      const fields = new DataView(span.buffer);
      fields.setUint32(0, random.below(SECTORS), true);
      fields.setUint32(8, random.once(20) ? random.nasty() : random.between(1, 8), true);
      fields.setUint32(12, random.once(20) ? random.nasty() : 0, true);
      return { out: [header, span], room: [1] };
    },
    async host(random) {
      const at = random.below(backend.waiting.length);
      for (const end of backend.waiting.splice(at, 1)) end(random.once(8));
      await turns();
    },
    async settle() {
      backend.immediate = true;
      while (backend.waiting.length > 0) {
        for (const end of backend.waiting.splice(0)) end(false);
        await turns();
      }
      backend.immediate = !waits;
    },
    bounded: () => (device.inFlight > 128 * STEPS ? `${device.inFlight} requests wait` : undefined),
  };
}

function consoleSubject(multiport: boolean): Subject {
  let output = 0;
  const onOutput = (data: Uint8Array) => {
    output += data.length;
  };
  const ports = multiport
    ? [
        { console: true, name: 'tty', onOutput },
        { name: 'a', onOutput, open: true },
        { name: 'b', onOutput },
      ]
    : [{ console: true, onOutput }];
  const device = new ConsoleDevice({ ports, cols: 80, rows: 25 });
  return {
    device,
    request(random, queue) {
      if (multiport && queue === 3) {
        const message = new Uint8Array(8);
        const view = new DataView(message.buffer);
        view.setUint32(0, random.once(RARELY) ? random.nasty() : random.below(3), true);
        view.setUint16(4, random.once(RARELY) ? random.nasty() : random.pick([0, 3, 6]), true);
        view.setUint16(6, random.once(10) ? random.below(2) : 1, true);
        return { out: [message], room: [] };
      }
      return queue % 2 === 0
        ? { out: [], room: [random.between(64, 512)] }
        : { out: [random.bytes(random.between(1, 60))], room: [] };
    },
    host(random) {
      const port = random.pick(device.ports);
      const acts = [
        () => port.write(random.bytes(random.between(0, 300))),
        () => port.open(),
        () => port.close(),
        () => port.hold(random.once(2)),
        () => device.resize(random.below(300), random.below(100)),
      ];
      random.pick(acts)();
    },
    async settle() {
      for (const port of device.ports) port.hold(false);
    },
    bounded() {
      const full = device.ports.find((port) => port.pending > PORT_INPUT_LIMIT);
      if (full !== undefined) return `port ${full.name} holds ${full.pending} bytes`;
      return output > 64 << 20 ? `${output} bytes of output` : undefined;
    },
  };
}

/** A balloon whose work ends when the fuzzer says so. */
function balloonSubject(): Subject {
  const pages = RAM / PAGE;
  const waiting: (() => void)[] = [];
  let busy = false;
  const device = new BalloonDevice({
    pages,
    discard(page) {
      if (!(Number.isInteger(page) && page >= 0 && page < pages)) {
        throw new TypeError(`page ${page} was to be emptied`);
      }
      return true;
    },
    busy: () => busy,
    turn: () => new Promise((resolve) => waiting.push(resolve)),
  });
  const some = (random: Random) => {
    const numbers = Uint32Array.from({ length: random.between(1, 60) }, () =>
      random.once(RARELY * 20) ? random.nasty() : RAM_BASE / PAGE + random.below(pages),
    );
    return new Uint8Array(numbers.buffer);
  };
  return {
    device,
    request(random, queue) {
      if (queue < 2) return { out: [some(random)], room: [] };
      if (queue === 2) return { out: [random.bytes(10 * random.between(1, 16))], room: [] };
      return { out: [], room: [random.pick([1, 4095, PAGE, 3 * PAGE, random.between(1, 9000)])] };
    },
    async host(random) {
      const acts = [
        () => {
          device.wanted = random.once(20) ? random.nasty() : random.below(pages);
        },
        () => device.requestStats(),
        () => {
          busy = !busy;
        },
        () => {
          for (const end of waiting.splice(0)) end();
        },
      ];
      random.pick(acts)();
      await turns();
    },
    async settle() {
      busy = false;
      while (waiting.length > 0) {
        for (const end of waiting.splice(0)) end();
        await turns();
      }
    },
    bounded() {
      if (!(device.inflated >= 0 && device.inflated <= pages)) {
        return `${device.inflated} of ${pages} pages are in the balloon`;
      }
      return waiting.length > STEPS ? `${waiting.length} turns are waited for` : undefined;
    },
  };
}

const VERSION = new WireWriter(T.VERSION, NO_TAG).u32(8192).string(ascii(VERSION_L)).finish();

/** A shared folder whose server answers when the fuzzer says so, and sometimes is gone. */
function ninepSubject(): Subject {
  const server = new NinePServer(new MemoryFs({ limit: 1 << 20 }));
  const waiting: ((fails: boolean) => void)[] = [];
  let immediate = false;
  const device = new NinePDevice({
    tag: 'shared',
    request: (message) =>
      new Promise((resolve, reject) => {
        const end = (fails: boolean) => {
          if (fails) reject(new Error('the server is gone'));
          else resolve(server.request(message));
        };
        if (immediate) end(false);
        else waiting.push(end);
      }),
  });
  return {
    device,
    request: (random) => ({
      out: [random.once(8) ? VERSION.slice() : message(random, random.below(8))],
      room: [random.once(RARELY) ? random.between(1, 20) : random.between(11, 400)],
    }),
    async host(random) {
      for (const end of waiting.splice(random.below(waiting.length), 1)) end(random.once(12));
      await turns();
    },
    async settle() {
      immediate = true;
      for (const end of waiting.splice(0)) end(false);
      // Other answers may follow these: a session that is played again, for one.
      while (device.inFlight > 0) await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      immediate = false;
    },
    bounded: () => (device.inFlight > 128 * STEPS ? `${device.inFlight} requests wait` : undefined),
  };
}

const SUBJECTS: readonly (() => Subject)[] = [
  () => entropySubject(),
  () => blockSubject(false, false),
  () => blockSubject(true, false),
  () => blockSubject(true, true),
  () => consoleSubject(false),
  () => consoleSubject(true),
  ninepSubject,
  balloonSubject,
];

/** One case: a driver's life with one device. */
class Case {
  readonly #random: Random;
  readonly #make: () => Subject;
  #subject: Subject;
  #rig: VirtioRig<VirtioDevice>;
  /** Room of each request that was made by the rules, by queue and head. */
  #room = new Map<string, number>();
  #orderly = true;

  constructor(random: Random, make: () => Subject) {
    this.#random = random;
    this.#make = make;
    this.#subject = make();
    this.#rig = virtioRig(this.#subject.device, RAM);
  }

  async play(): Promise<void> {
    this.#start();
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      this.#check();
    }
    await this.#recover();
    if (!this.#rig.guardsIntact()) throw new Finding('Bytes outside RAM were changed.');
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const { driver } = this.#rig;
    if (driver.needsReset && random.once(3)) this.#start();
    const roll = random.below(100);
    if (roll < 45) this.#offer();
    else if (roll < 60) this.#kick();
    else if (roll < 75) await this.#subject.host(random);
    else if (roll < 82) this.#reap();
    else if (roll < 88) this.#register();
    else if (roll < 91) this.#config();
    else if (roll < 93) this.#scribble();
    else if (roll < 95) this.#snapshot();
    else if (roll < 97) driver.put(REG.INTERRUPT_ACK, random.below(4));
    else if (roll < 98) this.#rig.transport.reset();
    else this.#start();
  }

  /** Brings the device up, mostly as the rules say. */
  #start(): void {
    const random = this.#random;
    const { driver, device } = this.#rig;
    this.#room.clear();
    this.#orderly = true;
    const offered = driver.offered();
    const features = random.once(3) ? offered : offered.filter(() => random.once(2));
    if (random.once(RARELY)) features.push(random.below(FEATURE_BITS));
    if (!driver.negotiate(features)) return;
    device.queueSizes.forEach((most, index) => {
      if (random.once(RARELY)) return;
      const sizes = [2, 4, 8, 16, 32, 64, 128].filter((size) => size <= most);
      driver.setupQueue(index, random.once(RARELY) ? random.between(1, 9) : random.pick(sizes));
    });
    if (!random.once(RARELY)) driver.addStatus(STATUS.DRIVER_OK);
  }

  #queue(): DriverQueue | undefined {
    const { queues } = this.#rig.driver;
    return queues.length === 0 ? undefined : queues[this.#random.below(queues.length)];
  }

  #offer(): void {
    const random = this.#random;
    const queue = this.#queue();
    if (queue === undefined) return;
    const { out, room } = this.#subject.request(random, queue.index);
    const negotiated = this.#rig.driver.features.includes(FEATURE.INDIRECT_DESC);
    const indirect = random.once(negotiated ? 2 : RARELY);
    let offer: Offer;
    try {
      offer = queue.offer(out, room, { indirect, publish: false });
    } catch {
      this.#reap();
      if (random.once(4)) this.#start(); // the driver's memory or the queue is full
      return;
    }
    const key = `${queue.index}:${offer.head}`;
    this.#room.set(
      key,
      room.reduce((sum, length) => sum + length, 0),
    );
    if (random.once(12)) this.#corrupt(queue);
    queue.publish(random.once(RARELY) ? random.nasty() & 0xffff : offer.head);
    if (random.once(2)) queue.kick();
  }

  /** Damages one descriptor, one index or one ring entry. */
  #corrupt(queue: DriverQueue): void {
    const random = this.#random;
    this.#orderly = false;
    // Low numbers are in use soonest.
    const at = random.below(random.once(8) ? queue.size : Math.min(queue.size, 8));
    const end = RAM_BASE + RAM;
    const address = random.pick([RAM_BASE, end - 1, end, 0x1000_1000, random.nasty()]);
    const acts = [
      () =>
        queue.describe(at, {
          address: random.once(8) ? BigInt(random.nasty()) << 32n : address,
          length: random.pick([0, 1, 16, 512, random.nasty()]),
          flags: random.once(10)
            ? random.nasty() & 0xffff
            : random.pick([0, DESC.NEXT, DESC.WRITE, DESC.INDIRECT]),
          next: random.once(10) ? random.nasty() & 0xffff : random.below(queue.size),
        }),
      () =>
        queue.setAvailable(
          queue.availableIndex + random.pick([0, 1, queue.size, 0x8000, random.nasty()]),
        ),
      () => queue.setUsedEvent(random.nasty() & 0xffff),
      () => queue.publish(random.below(queue.size)),
    ];
    random.pick(acts)();
  }

  #kick(): void {
    const random = this.#random;
    if (random.once(20)) this.#rig.driver.put(REG.QUEUE_NOTIFY, random.nasty());
    else this.#queue()?.kick();
  }

  #reap(): void {
    for (const queue of this.#rig.driver.queues) {
      if (queue === undefined) continue;
      for (const { head, written } of this.#orderly ? queue.reap() : []) {
        const room = this.#room.get(`${queue.index}:${head}`);
        if (room !== undefined && written > room) {
          throw new Finding(`Queue ${queue.index} wrote ${written} bytes into room for ${room}.`);
        }
      }
    }
  }

  #register(): void {
    const random = this.#random;
    const { transport } = this.#rig;
    this.#orderly = false;
    const register = random.once(3) ? random.below(0x40) * 4 : random.pick(Object.values(REG));
    const size = random.once(10) ? random.pick([1, 2] as const) : 4;
    if (random.once(2)) transport.load(register, size);
    else transport.store(register, size, random.once(2) ? random.below(256) : random.nasty());
  }

  #config(): void {
    const random = this.#random;
    const { transport } = this.#rig;
    const size = random.pick([1, 2, 4] as const);
    const offset = REG.CONFIG + size * random.below((random.once(10) ? 0xf00 : 64) / size);
    if (random.once(2)) transport.load(offset, size);
    else transport.store(offset, size, random.nasty());
  }

  /** Another hart, or another device, writes anywhere. */
  #scribble(): void {
    const random = this.#random;
    this.#orderly = false;
    const length = random.between(1, 32);
    const where = random.once(3) ? random.below(RAM - length) : random.below(8192);
    this.#rig.driver.write(RAM_BASE + where, random.bytes(length));
  }

  /** Saves and restores, into this device or into a new one that then goes on. */
  #snapshot(): void {
    const { transport, driver, memory } = this.#rig;
    const saved = transport.state.save();
    if (this.#random.once(2)) {
      this.#restoreDamaged(saved);
      return;
    }
    const idle = !transport.live;
    const ram = driver.read({ address: RAM_BASE, length: memory.size });
    const subject = this.#make();
    const rig = virtioRig(subject.device, RAM);
    rig.driver.write(RAM_BASE, ram);
    rig.transport.state.restore(saved);
    if (idle) {
      const difference = firstDifference(saved, rig.transport.state.save(), 'state');
      if (difference !== undefined) throw new Finding(`A snapshot changed ${difference}.`);
    }
    this.#check();
    this.#subject = subject;
    this.#rig = rig;
    this.#orderly = false;
  }

  /** A hostile snapshot is refused with nothing changed, or taken and lived with. */
  #restoreDamaged(saved: Saved): void {
    const { transport } = this.#rig;
    const damaged = this.#random.once(4) ? saved : damage(saved, this.#random);
    this.#orderly = false;
    try {
      transport.state.restore(damaged);
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      const changed = firstDifference(saved, transport.state.save(), 'state');
      if (changed !== undefined) throw new Finding(`A refused snapshot changed ${changed}.`);
    }
  }

  #check(): void {
    const { faults, driver, irq, transport } = this.#rig;
    const failed = faults.find((fault) => fault.error !== undefined);
    if (failed !== undefined) throw failed.error;
    faults.length = 0;
    if (irq.level !== (driver.get(REG.INTERRUPT_STATUS) !== 0)) {
      throw new Finding('The interrupt line differs from the interrupt status.');
    }
    const { status } = driver;
    if (transport.live && (status & (STATUS.FEATURES_OK | STATUS.DRIVER)) === 0) {
      throw new Finding(`The device runs with status ${status}.`);
    }
    const complaint = this.#subject.bounded();
    if (complaint !== undefined) throw new Finding(`The host holds too much: ${complaint}.`);
  }

  /** Whatever happened: after a reset the device serves a proper request. */
  async #recover(): Promise<void> {
    await this.#subject.settle();
    const { driver, device } = this.#rig;
    driver.start();
    await this.#subject.settle();
    const index = device.queueSizes.length === 1 ? 0 : device.queueSizes.length > 2 ? 3 : 1;
    const queue = driver.queues[index]!;
    const { out, room } = proper(device);
    queue.offer(out, room);
    queue.kick();
    await this.#subject.settle();
    await turns();
    if (queue.reap().length !== 1)
      throw new Finding('After a reset the device answered no request.');
    this.#check();
  }
}

/** A copy of a saved state with one leaf replaced. */
function damage(saved: Saved, random: Random): unknown {
  if (saved instanceof Uint8Array) {
    const copy = random.once(3) ? random.bytes(random.below(saved.length + 2)) : saved.slice();
    if (copy.length > 0) copy[random.below(copy.length)] = random.below(256);
    return copy;
  }
  if (Array.isArray(saved)) return [...saved, random.once(2) ? random.below(256) : random.nasty()];
  if (typeof saved === 'object') {
    const entries = Object.entries(saved);
    const at = random.below(entries.length + 1);
    return Object.fromEntries(
      entries.map(([key, value], i) => [key, i === at ? damage(value, random) : value]),
    );
  }
  if (random.once(4)) return random.pick([null, undefined, '', {}, -1, 0.5, Number.NaN, 2 ** 53]);
  return typeof saved === 'boolean' ? !saved : random.once(2) ? random.below(256) : random.nasty();
}

/** A request that any device of this kind answers. */
function proper(device: VirtioDevice): { out: Uint8Array[]; room: number[] } {
  if (device instanceof NinePDevice) return { out: [VERSION.slice()], room: [64] };
  if (device instanceof BlockDevice) return { out: [new Uint8Array(16)], room: [512, 1] };
  if (device instanceof BalloonDevice) return { out: [], room: [8] };
  return device instanceof EntropyDevice
    ? { out: [], room: [8] }
    : { out: [Uint8Array.of(0, 0, 0, 0, 6, 0, 1, 0)], room: [] };
}

/** A fuzzer of the given devices: the real ones, or one with a planted fault. */
function virtioFuzzer(subjects: readonly (() => Subject)[]): Fuzzer {
  return {
    name: 'virtio',
    what: 'register streams, descriptor chains and host events at every virtio device',
    bounded: 2500,
    play: (random) => new Case(random, random.pick(subjects)).play(),
  };
}

export const virtio = virtioFuzzer(SUBJECTS);

/** For the fuzzer's own test: an entropy device whose source fails now and then. */
export const virtioWithPlantedFault = virtioFuzzer([
  () =>
    entropySubject((into) => {
      if (into.length === 17) throw new TypeError('planted');
    }),
]);
