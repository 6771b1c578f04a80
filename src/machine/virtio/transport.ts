/**
 * The virtio MMIO transport, version 2 (virtio 1.2 §4.2): the registers between a driver and any
 * VirtioDevice. It guarantees to the device that features are negotiated and frozen, that queues
 * exist, are enabled and unchanging while the driver runs, and that nothing reaches it before
 * DRIVER_OK or after a failure. A driver that breaks the protocol gets DEVICE_NEEDS_RESET and a
 * configuration interrupt, the host a line through `onFault`; all else waits for the reset.
 */
import {
  type AccessSize,
  type FdtNode,
  type FdtPlace,
  fdtName,
  type IrqLine,
  type MmioDevice,
  NO_IRQ,
} from '../device.ts';
import { AbsentMemory, type GuestMemory, GuestMemoryFault } from '../memory.ts';
import { type State, stateOf, stateOfParts, u8, u32, u32Array } from '../state.ts';
import { type DescriptorChain, VirtioError } from './chain.ts';
import { FEATURE, INTERRUPT, MAGIC, REG, STATUS, VENDOR, VERSION } from './constants.ts';
import type { VirtioDevice, VirtioLink } from './device.ts';
import { isPowerOfTwo, SplitQueue } from './queue.ts';

const SIZE = 0x1000;
/** What a driver may write to the status register. */
const DRIVER_STATUS =
  STATUS.ACKNOWLEDGE | STATUS.DRIVER | STATUS.FEATURES_OK | STATUS.DRIVER_OK | STATUS.FAILED;
const STOPPED = STATUS.NEEDS_RESET | STATUS.FAILED;

export interface VirtioFault {
  readonly device: string;
  /** A sentence for the VM's event log. */
  readonly reason: string;
  /** Set when it was the device model that failed, not the driver. */
  readonly error?: unknown;
}

export interface VirtioMmioOptions {
  readonly memory: GuestMemory;
  readonly irq?: IrqLine;
  readonly onFault?: (fault: VirtioFault) => void;
}

export class VirtioMmio implements MmioDevice, VirtioLink {
  readonly name: string;
  readonly size = SIZE;
  readonly state: State;
  readonly queues: readonly SplitQueue[];
  readonly #device: VirtioDevice;
  readonly #irq: IrqLine;
  readonly #onFault: (fault: VirtioFault) => void;
  /** Offered features, two words. */
  readonly #offered = new Uint32Array(2);
  readonly #fields = {
    status: 0,
    deviceFeaturesSel: 0,
    driverFeaturesSel: 0,
    driverFeatures: new Uint32Array(2),
    queueSel: 0,
    interruptStatus: 0,
    configGeneration: 0,
  };
  /** Queues that `onQueue` is still to be called for. */
  readonly #kicked: Uint8Array;
  /** Queues whose requests in flight are still to be taken up, after a restore. */
  #resuming: number[] = [];
  readonly #memory: GuestMemory;
  /** How often the driver was at fault, and how often the device model. */
  #driverFaults = 0;
  #modelFaults = 0;
  /** Work is under way: what it kicks and completes is dealt with when it ends. */
  #working = false;

  constructor(
    device: VirtioDevice,
    { memory, irq = NO_IRQ, onFault = () => {} }: VirtioMmioOptions,
  ) {
    this.name = device.name;
    this.#device = device;
    this.#irq = irq;
    this.#onFault = onFault;
    this.#memory = memory;
    for (const bit of [...device.features, ...Object.values(FEATURE)]) {
      this.#offered[bit >>> 5] = this.#offered[bit >>> 5]! | (1 << (bit & 31));
    }
    this.queues = device.queueSizes.map(
      (size, i) => new SplitQueue(`${device.name} queue ${i}`, size, memory),
    );
    for (const [index, queue] of this.queues.entries()) {
      queue.onAbsent = (ranges) => void memory.presence?.want(ranges).then(() => this.poke(index));
    }
    this.#kicked = new Uint8Array(this.queues.length);
    this.state = stateOfParts(
      1,
      {
        transport: stateOf(1, this.#fields, {
          status: u8,
          deviceFeaturesSel: u32,
          driverFeaturesSel: u32,
          driverFeatures: u32Array(2),
          queueSel: u32,
          interruptStatus: u8,
          configGeneration: u32,
        }),
        ...Object.fromEntries(this.queues.map((queue, i) => [`queue${i}`, queue.state])),
        device: device.state,
      },
      { restored: () => this.#restored() },
    );
    device.attach(this);
  }

  get live(): boolean {
    return (this.#fields.status & (STATUS.DRIVER_OK | STOPPED)) === STATUS.DRIVER_OK;
  }

  has(feature: number): boolean {
    const { status, driverFeatures } = this.#fields;
    if ((status & STATUS.FEATURES_OK) === 0) return false;
    return (driverFeatures[feature >>> 5]! & (1 << (feature & 31))) !== 0;
  }

  complete(index: number, chain: DescriptorChain): void {
    this.queues[index]!.complete(chain);
  }

  poke(index: number): void {
    if (!this.live) return;
    this.#kicked[index] = 1;
    this.#work();
  }

  run(work: () => void): void {
    this.#work(work);
  }

  configChanged(): void {
    this.#fields.configGeneration = (this.#fields.configGeneration + 1) >>> 0;
    if (this.live) this.#raise(INTERRUPT.CONFIG_CHANGE);
  }

  load(offset: number, size: AccessSize): number {
    if (offset >= REG.CONFIG) return this.#loadConfig(offset - REG.CONFIG, size);
    if (size !== 4) return 0;
    const fields = this.#fields;
    switch (offset) {
      case REG.MAGIC:
        return MAGIC;
      case REG.VERSION:
        return VERSION;
      case REG.DEVICE_ID:
        return this.#device.deviceId;
      case REG.VENDOR_ID:
        return VENDOR;
      case REG.DEVICE_FEATURES:
        return this.#offered[fields.deviceFeaturesSel] ?? 0;
      case REG.QUEUE_NUM_MAX:
        return this.queues[fields.queueSel]?.maxSize ?? 0;
      case REG.QUEUE_READY:
        return this.queues[fields.queueSel]?.ready ? 1 : 0;
      case REG.INTERRUPT_STATUS:
        return fields.interruptStatus;
      case REG.STATUS:
        return fields.status;
      case REG.SHM_LEN_LOW:
      case REG.SHM_LEN_HIGH:
      case REG.SHM_BASE_LOW:
      case REG.SHM_BASE_HIGH:
        return 0xffff_ffff; // no shared memory region exists, virtio 1.2 §4.2.2
      case REG.CONFIG_GENERATION:
        return fields.configGeneration;
      default:
        return 0;
    }
  }

  store(offset: number, size: AccessSize, value: number): void {
    if (offset >= REG.CONFIG) {
      this.#storeConfig(offset - REG.CONFIG, size, value);
      return;
    }
    if (size !== 4) return;
    const fields = this.#fields;
    switch (offset) {
      case REG.QUEUE_NOTIFY:
        if (value < this.queues.length && this.queues[value]!.ready) this.poke(value);
        break;
      case REG.INTERRUPT_ACK:
        fields.interruptStatus &= ~value;
        this.#drive();
        break;
      case REG.STATUS:
        if (value === 0) this.reset();
        else this.#setStatus(value);
        break;
      case REG.DEVICE_FEATURES_SEL:
        fields.deviceFeaturesSel = value;
        break;
      case REG.DRIVER_FEATURES_SEL:
        fields.driverFeaturesSel = value;
        break;
      case REG.DRIVER_FEATURES:
        if (this.#negotiating() && fields.driverFeaturesSel < 2) {
          fields.driverFeatures[fields.driverFeaturesSel] = value;
        }
        break;
      case REG.QUEUE_SEL:
        fields.queueSel = value;
        break;
      default:
        this.#storeQueue(offset, value);
    }
  }

  /** The driver's reset: virtio 1.2 §2.4. Also the machine's. */
  reset(): void {
    const fields = this.#fields;
    fields.status = 0;
    fields.deviceFeaturesSel = 0;
    fields.driverFeaturesSel = 0;
    fields.driverFeatures.fill(0);
    fields.queueSel = 0;
    fields.interruptStatus = 0;
    this.#kicked.fill(0);
    this.#resuming = [];
    for (const queue of this.queues) queue.reset();
    this.#drive();
    this.#device.reset();
  }

  fdt({ base, irq, plic }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('virtio_mmio', base),
        properties: {
          compatible: 'virtio,mmio',
          reg: [BigInt(base), BigInt(SIZE)],
          ...(irq !== undefined && { 'interrupt-parent': plic, interrupts: irq }),
        },
      },
    ];
  }

  #loadConfig(offset: number, size: AccessSize): number {
    const { config } = this.#device;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (config[offset + i] ?? 0);
    return value;
  }

  #storeConfig(offset: number, size: AccessSize, value: number): void {
    if (offset + size > this.#device.config.length) return;
    this.#work(() => this.#device.writeConfig?.(offset, size, value));
  }

  /** Between DRIVER and FEATURES_OK the driver chooses features. */
  #negotiating(): boolean {
    const { status } = this.#fields;
    return (status & (STATUS.DRIVER | STATUS.FEATURES_OK | STOPPED)) === STATUS.DRIVER;
  }

  /** Between FEATURES_OK and DRIVER_OK the driver sets up queues. */
  #settingUp(): boolean {
    const { status } = this.#fields;
    return (status & (STATUS.FEATURES_OK | STATUS.DRIVER_OK | STOPPED)) === STATUS.FEATURES_OK;
  }

  /** virtio 1.2 §3.1.1: bits are only added, in this order; FEATURES_OK sticks only if we agree. */
  #setStatus(value: number): void {
    const fields = this.#fields;
    if ((fields.status & DRIVER_STATUS & ~value) !== 0) return;
    const added = value & DRIVER_STATUS & ~fields.status;
    if ((added & STATUS.FAILED) !== 0) {
      fields.status |= STATUS.FAILED;
      return;
    }
    if ((fields.status & STOPPED) !== 0) return;
    if ((added & STATUS.ACKNOWLEDGE) !== 0) fields.status |= STATUS.ACKNOWLEDGE;
    if ((added & STATUS.DRIVER) !== 0 && (fields.status & STATUS.ACKNOWLEDGE) !== 0) {
      fields.status |= STATUS.DRIVER;
    }
    if ((added & STATUS.FEATURES_OK) !== 0 && this.#negotiating() && this.#featuresAgree()) {
      fields.status |= STATUS.FEATURES_OK;
      this.#applyFeatures();
    }
    if ((added & STATUS.DRIVER_OK) !== 0 && this.#settingUp()) {
      fields.status |= STATUS.DRIVER_OK;
      this.#kicked.fill(1);
      this.#work(() => this.#device.activate?.());
    }
  }

  #featuresAgree(): boolean {
    const { driverFeatures } = this.#fields;
    const version1 = 1 << (FEATURE.VERSION_1 & 31);
    return (
      (driverFeatures[0]! & ~this.#offered[0]!) === 0 &&
      (driverFeatures[1]! & ~this.#offered[1]!) === 0 &&
      (driverFeatures[1]! & version1) !== 0
    );
  }

  #applyFeatures(): void {
    for (const queue of this.queues) {
      queue.indirect = this.has(FEATURE.INDIRECT_DESC);
      queue.eventIndex = this.has(FEATURE.EVENT_IDX);
    }
  }

  #storeQueue(offset: number, value: number): void {
    const queue = this.queues[this.#fields.queueSel];
    if (queue === undefined) return;
    if (offset === REG.QUEUE_READY && (value & 1) === 0) {
      // A driver may stop using a queue at any time (virtio 1.2 §4.2.2.2), but not start again.
      if (queue.ready) queue.disable();
      return;
    }
    if (!this.#settingUp() || queue.ready) return;
    const { fields } = queue;
    switch (offset) {
      case REG.QUEUE_NUM:
        if (isPowerOfTwo(value) && value <= queue.maxSize) fields.size = value;
        break;
      case REG.QUEUE_READY:
        this.#work(() => queue.enable());
        break;
      case REG.QUEUE_DESC_LOW:
        fields.descLow = value;
        break;
      case REG.QUEUE_DESC_HIGH:
        fields.descHigh = value;
        break;
      case REG.QUEUE_DRIVER_LOW:
        fields.driverLow = value;
        break;
      case REG.QUEUE_DRIVER_HIGH:
        fields.driverHigh = value;
        break;
      case REG.QUEUE_DEVICE_LOW:
        fields.deviceLow = value;
        break;
      case REG.QUEUE_DEVICE_HIGH:
        fields.deviceHigh = value;
        break;
    }
  }

  /** Does `first` and all that is kicked meanwhile, turns what is thrown into a failed device. */
  #work(first?: () => void): void {
    if (this.#working) {
      first?.();
      return;
    }
    this.#working = true;
    try {
      first?.();
      if (!this.#resume()) return;
      for (let index = this.#nextKicked(); index >= 0; index = this.#nextKicked()) {
        this.#kicked[index] = 0;
        this.#device.onQueue(index);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#working = false;
    }
    if (!this.live) return;
    for (const queue of this.queues) {
      if (queue.wantsInterrupt()) this.#raise(INTERRUPT.USED_BUFFER);
    }
  }

  #nextKicked(): number {
    return this.live ? this.#kicked.indexOf(1) : -1;
  }

  /** virtio 1.2 §2.1.2: the device is in a state that only a reset ends. */
  #fail(error: unknown): void {
    const { name } = this;
    const driversFault = error instanceof VirtioError || error instanceof GuestMemoryFault;
    const what = error instanceof Error ? error.message : String(error);
    this.#fields.status |= STATUS.NEEDS_RESET;
    this.#kicked.fill(0);
    this.#resuming = [];
    for (const queue of this.queues) queue.abandon();
    if ((this.#fields.status & STATUS.DRIVER_OK) !== 0) this.#raise(INTERRUPT.CONFIG_CHANGE);
    // A driver that fails and resets in a loop must not fill the log: the 1st, 2nd, 4th, 8th, …
    const times = driversFault ? ++this.#driverFaults : ++this.#modelFaults;
    if (!isPowerOfTwo(times)) return;
    const often = times === 1 ? '' : ` (${times} times so far)`;
    this.#onFault(
      driversFault
        ? { device: name, reason: `${name} stopped until its driver resets it: ${what}${often}` }
        : { device: name, reason: `${name} failed and was stopped: ${what}${often}`, error },
    );
  }

  #raise(interrupt: number): void {
    this.#fields.interruptStatus |= interrupt;
    this.#drive();
  }

  #drive(): void {
    this.#irq.set(this.#fields.interruptStatus !== 0);
  }

  /** Everything has been restored, RAM before us: goes on with what was in flight. */
  #restored(): void {
    this.#kicked.fill(0);
    this.#applyFeatures();
    this.#drive();
    for (const queue of this.queues) queue.restored();
    this.#device.restored?.();
    this.#resuming = this.live ? [...this.queues.keys()] : [];
    if (!this.live) return;
    this.#kicked.fill(1);
    this.#work();
  }

  /** Takes up what was in flight; false when parts of it have not come yet: nothing goes before. */
  #resume(): boolean {
    for (let [index] = this.#resuming; index !== undefined; [index] = this.#resuming) {
      const queue = this.queues[index]!;
      try {
        for (const chain of queue.resume()) {
          if (this.#device.resume !== undefined) this.#device.resume(index, chain);
          else queue.complete(chain);
        }
      } catch (error) {
        if (!(error instanceof AbsentMemory)) throw error;
        void this.#memory.presence?.want(error.ranges).then(() => this.#work());
        return false;
      }
      this.#resuming.shift();
    }
    return true;
  }
}
