/**
 * A virtio driver for tests, fuzzers and benchmarks: drives any device through the registers and
 * rings that virtio 1.2 describes, and knows nothing of how the device is made. By default it keeps
 * every rule; each rule can be broken through the same small steps (`put`, `describe`, `publish`).
 */
import type { MmioDevice } from '../device.ts';
import { type GuestMemory, RAM_BASE } from '../memory.ts';
import { DESC, FEATURE, REG, STATUS } from '../virtio/constants.ts';

/** A buffer in guest memory. */
export interface Buffer {
  readonly address: number;
  readonly length: number;
}

/** A request that the driver has made. */
export interface Offer {
  readonly head: number;
  /** Where the device may write. */
  readonly room: readonly Buffer[];
}

export interface Used {
  readonly head: number;
  readonly written: number;
}

export interface Descriptor {
  readonly address: number | bigint;
  readonly length: number;
  readonly flags?: number;
  readonly next?: number;
}

export class MockDriver {
  readonly memory: GuestMemory;
  readonly device: MmioDevice;
  readonly queues: DriverQueue[] = [];
  features: readonly number[] = [];
  #free: number;

  constructor(device: MmioDevice, memory: GuestMemory) {
    this.device = device;
    this.memory = memory;
    this.#free = RAM_BASE;
  }

  get(register: number): number {
    return this.device.load(register, 4);
  }

  put(register: number, value: number): void {
    this.device.store(register, 4, value >>> 0);
  }

  get status(): number {
    return this.get(REG.STATUS);
  }

  get needsReset(): boolean {
    return (this.status & STATUS.NEEDS_RESET) !== 0;
  }

  reset(): void {
    this.put(REG.STATUS, 0);
    this.queues.length = 0;
    this.#free = RAM_BASE;
  }

  addStatus(bit: number): void {
    this.put(REG.STATUS, this.status | bit);
  }

  /** Numbers of the features that the device offers. */
  offered(): number[] {
    const bits: number[] = [];
    for (let word = 0; word < 4; word++) {
      this.put(REG.DEVICE_FEATURES_SEL, word);
      const value = this.get(REG.DEVICE_FEATURES);
      for (let bit = 0; bit < 32; bit++) if ((value >>> bit) & 1) bits.push(word * 32 + bit);
    }
    return bits;
  }

  /** Writes the driver's features without asking whether they are accepted. */
  chooseFeatures(features: readonly number[]): void {
    for (let word = 0; word < 2; word++) {
      const value = features
        .filter((bit) => bit >>> 5 === word)
        .reduce((sum, bit) => sum | (1 << (bit & 31)), 0);
      this.put(REG.DRIVER_FEATURES_SEL, word);
      this.put(REG.DRIVER_FEATURES, value);
    }
  }

  /** virtio 1.2 §3.1.1 up to FEATURES_OK; whether the device agreed. */
  negotiate(features: readonly number[] = this.offered()): boolean {
    this.reset();
    this.addStatus(STATUS.ACKNOWLEDGE);
    this.addStatus(STATUS.DRIVER);
    this.features = [...new Set([...features, FEATURE.VERSION_1])];
    this.chooseFeatures(this.features);
    this.addStatus(STATUS.FEATURES_OK);
    return (this.status & STATUS.FEATURES_OK) !== 0;
  }

  /** Sets one queue up; the device's maximum size unless told otherwise. */
  setupQueue(index: number, size?: number): DriverQueue {
    this.put(REG.QUEUE_SEL, index);
    const entries = size ?? this.get(REG.QUEUE_NUM_MAX);
    const queue = new DriverQueue(this, index, entries);
    this.put(REG.QUEUE_NUM, entries);
    this.place(REG.QUEUE_DESC_LOW, queue.descriptors);
    this.place(REG.QUEUE_DRIVER_LOW, queue.driverRing);
    this.place(REG.QUEUE_DEVICE_LOW, queue.deviceRing);
    this.put(REG.QUEUE_READY, 1);
    this.queues[index] = queue;
    return queue;
  }

  /** Writes an address to a pair of registers. */
  place(lowRegister: number, address: number): void {
    this.put(lowRegister, address);
    this.put(lowRegister + 4, Math.floor(address / 0x1_0000_0000));
  }

  /** Everything: negotiation, all queues, DRIVER_OK. */
  start(features?: readonly number[], size?: number): this {
    if (!this.negotiate(features)) throw new Error('The device did not accept the features.');
    for (let index = 0; ; index++) {
      this.put(REG.QUEUE_SEL, index);
      if (this.get(REG.QUEUE_NUM_MAX) === 0) break;
      this.setupQueue(index, size);
    }
    this.addStatus(STATUS.DRIVER_OK);
    return this;
  }

  /** Reserves guest memory; never given back before a reset. */
  allocate(length: number, align = 16): number {
    const address = Math.ceil(this.#free / align) * align;
    this.#free = address + length;
    if (this.#free > RAM_BASE + this.memory.size) throw new Error('The test needs more RAM.');
    return address;
  }

  write(address: number, bytes: Uint8Array): void {
    this.memory.write(this.memory.locate(address, 0, bytes.length), 0, bytes);
  }

  read({ address, length }: Buffer): Uint8Array {
    const bytes = new Uint8Array(length);
    this.memory.read(this.memory.locate(address, 0, length), 0, bytes);
    return bytes;
  }
}

export class DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly descriptors: number;
  readonly driverRing: number;
  readonly deviceRing: number;
  /** What the driver writes to its ring's index, before it is cut to 16 bits. */
  availableIndex = 0;
  #seen = 0;
  readonly #driver: MockDriver;
  readonly #free: number[];
  readonly #chains = new Map<number, number[]>();

  constructor(driver: MockDriver, index: number, size: number) {
    this.#driver = driver;
    this.index = index;
    this.size = size;
    this.descriptors = driver.allocate(16 * size, 16);
    this.driverRing = driver.allocate(6 + 2 * size, 2);
    this.deviceRing = driver.allocate(6 + 8 * size, 4);
    for (const [address, length] of [
      [this.descriptors, 16 * size],
      [this.driverRing, 6 + 2 * size],
      [this.deviceRing, 6 + 8 * size],
    ] as const) {
      driver.write(address, new Uint8Array(length));
    }
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  /** Makes a request: `out` is sent, then each number of `room` is a buffer for the device. */
  offer(
    out: readonly Uint8Array[],
    room: readonly number[],
    { indirect = false, publish = true }: { indirect?: boolean; publish?: boolean } = {},
  ): Offer {
    const sent = out.map((bytes) => {
      const address = this.#driver.allocate(bytes.length);
      this.#driver.write(address, bytes);
      return { address, length: bytes.length };
    });
    const buffers = room.map((length) => ({ address: this.#driver.allocate(length), length }));
    const flagged = [
      ...sent.map((buffer) => ({ ...buffer, flags: 0 })),
      ...buffers.map((buffer) => ({ ...buffer, flags: DESC.WRITE })),
    ];
    const head = indirect ? this.#table(flagged) : this.chain(flagged);
    if (publish) this.publish(head);
    return { head, room: buffers };
  }

  /** Links descriptors in the queue's own table; returns the head. */
  chain(parts: readonly Descriptor[]): number {
    if (parts.length > this.#free.length) throw new Error('The queue is full.');
    const taken = parts.map(() => this.#free.pop()!);
    parts.forEach((part, i) => {
      const next = taken[i + 1];
      const flags = (part.flags ?? 0) | (next === undefined ? 0 : DESC.NEXT);
      this.describe(taken[i]!, { ...part, flags, next: next ?? 0 });
    });
    this.#chains.set(taken[0]!, taken);
    return taken[0]!;
  }

  /** Writes one descriptor, of the queue's table or of another at `table`. */
  describe(index: number, descriptor: Descriptor, table = this.descriptors): void {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, BigInt(descriptor.address)), true);
    view.setUint32(8, descriptor.length, true);
    view.setUint16(12, descriptor.flags ?? 0, true);
    view.setUint16(14, descriptor.next ?? 0, true);
    this.#driver.write(table + 16 * index, bytes);
  }

  /** Puts a head into the available ring. */
  publish(head: number): void {
    const slot = this.availableIndex % this.size;
    this.#write16(this.driverRing + 4 + 2 * slot, head);
    this.setAvailable(this.availableIndex + 1);
  }

  setAvailable(index: number): void {
    this.availableIndex = index & 0xffff;
    this.#write16(this.driverRing + 2, index);
  }

  kick(): void {
    this.#driver.put(REG.QUEUE_NOTIFY, this.index);
  }

  /** Whether the device asked to be notified of the entry published last (event index or flag). */
  get wantsKick(): boolean {
    if (!this.#driver.features.includes(FEATURE.EVENT_IDX)) {
      return (this.#read16(this.deviceRing) & 1) === 0;
    }
    const event = this.#read16(this.deviceRing + 4 + 8 * this.size);
    return event === ((this.availableIndex - 1) & 0xffff);
  }

  /** Asks for an interrupt when the device completes request number `index` (event index). */
  setUsedEvent(index: number): void {
    this.#write16(this.driverRing + 4 + 2 * this.size, index);
  }

  /** Asks for no interrupts at all (without event index). */
  suppressInterrupts(on: boolean): void {
    this.#write16(this.driverRing, on ? 1 : 0);
  }

  get usedIndex(): number {
    return this.#read16(this.deviceRing + 2);
  }

  /** Requests that were completed since the last call; their descriptors are free again. */
  reap(): Used[] {
    const used: Used[] = [];
    for (; this.#seen !== this.usedIndex; this.#seen = (this.#seen + 1) & 0xffff) {
      const entry = this.deviceRing + 4 + 8 * (this.#seen % this.size);
      const view = new DataView(this.#driver.read({ address: entry, length: 8 }).buffer);
      const head = view.getUint32(0, true);
      used.push({ head, written: view.getUint32(4, true) });
      this.#free.push(...(this.#chains.get(head) ?? []));
      this.#chains.delete(head);
    }
    return used;
  }

  #table(parts: readonly Descriptor[]): number {
    const table = this.#driver.allocate(16 * parts.length);
    parts.forEach((part, i) => {
      const last = i === parts.length - 1;
      const flags = (part.flags ?? 0) | (last ? 0 : DESC.NEXT);
      this.describe(i, { ...part, flags, next: last ? 0 : i + 1 }, table);
    });
    return this.chain([{ address: table, length: 16 * parts.length, flags: DESC.INDIRECT }]);
  }

  #read16(address: number): number {
    return this.#driver.memory.readU16(this.#driver.memory.locate(address, 0, 2));
  }

  #write16(address: number, value: number): void {
    this.#driver.memory.writeU16(this.#driver.memory.locate(address, 0, 2), 0, value & 0xffff);
  }
}
