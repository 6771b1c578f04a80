/**
 * One computer, wired: the core with its memory, the bus with the devices at their places, interrupt
 * lines, the clock. Relies on devices and core each doing their part; guarantees a defined state
 * after `powerOn`, and that what the guest asks of the machine as a whole (off, reboot, exit) becomes
 * one `request` that ends the core's run. It runs nothing by itself: that is the run loop's.
 */
import { type Core, createMemory, instantiateCore } from '../core/core.ts';
import { HartView } from '../core/hart.ts';
import { PAGE_FLAGS_OFFSET, PAGE_SHIFT, PAGE_SIZE, PageFlag, RAM_OFFSET } from '../core/layout.ts';
import type { EngineFeature } from '../translator/features.ts';
import { Translator, type TranslatorOptions } from '../translator/translator.ts';
import { BUS_FAULT, BUS_FAULT64, Bus } from './bus.ts';
import type { GuestClock } from './clock.ts';
import type { ConsoleOutput, PanicWatcher } from './console.ts';
import type { IrqLine, MmioDevice } from './device.ts';
import { deviceTree, type Placed } from './device-tree.ts';
import { Mswi, Mtimer, Sswi } from './devices/aclint.ts';
import { Plic } from './devices/plic.ts';
import { GoldfishRtc } from './devices/rtc.ts';
import { type Finish, Syscon } from './devices/syscon.ts';
import { Uart16550 } from './devices/uart.ts';
import { BalloonDevice } from './devices/virtio/balloon.ts';
import { BlockDevice } from './devices/virtio/block.ts';
import type { BlockBackend } from './devices/virtio/block-backend.ts';
import { ConsoleDevice } from './devices/virtio/console.ts';
import type { ConsolePort, ConsolePortOptions } from './devices/virtio/console-port.ts';
import { EntropyDevice } from './devices/virtio/entropy.ts';
import { NinePDevice } from './devices/virtio/nine-p.ts';
import type { ShareBackend } from './devices/virtio/share-backend.ts';
import { VmGenerationId } from './devices/vmgenid.ts';
import { messageOf } from './errors.ts';
import type { MachineEvent, MachineEventKind } from './events.ts';
import { buildFdt } from './fdt.ts';
import { Firmware } from './firmware.ts';
import type { MachineHost } from './host.ts';
import { HtifDevice } from './htif.ts';
import type { BootPlan } from './loader/boot.ts';
import { GuestMemory } from './memory.ts';
import {
  Irq,
  MemoryMap,
  RAM_BASE,
  TICKS_PER_MS,
  VIRTIO_STRIDE,
  VirtioSlot,
  virtioIrq,
} from './memory-map.ts';
import { Ram } from './ram.ts';
import { hartState } from './snapshot/hart-state.ts';
import { RamPages } from './snapshot/pages.ts';
import type { PageRun } from './snapshot/snapshot.ts';
import { startMachineMode, startSupervisorMode } from './start.ts';
import { type State, StateError, stateOfParts } from './state.ts';
import type { VirtioDevice } from './virtio/device.ts';
import { VirtioMmio } from './virtio/transport.ts';

/** Bits of mip that devices drive. */
const MSIP = 3;
const MTIP = 7;
const SEIP = 9;
const MEIP = 11;
const SSIP = 1n << 1n;
const CSR_MIP = 0x344;
const MIE_STIE = 1n << 5n;
/** A stimecmp that no guest lives to see. */
const NEVER = 1n << 63n;
const HART = 0;
/** Flags that say nothing about code or watching. */
const UNWRITTEN = PageFlag.Clean | PageFlag.Pending;
const SEED_BYTES = 64;
const ZEROS = new Uint8Array(PAGE_SIZE);

/** What the guest, or a failure, asks of the machine as a whole. */
export type MachineRequest =
  | { readonly kind: 'off'; readonly exitCode?: number; readonly reason?: string }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'crash'; readonly reason: string };

/**
 * What runs guest code. `interpreter`: nothing is translated; `both`: what is hot; `translator`: what
 * is reached a second time, so that the interpreter keeps only what the translator cannot do.
 */
export type Tier = 'interpreter' | 'translator' | 'both';

/** Limits of the tier that translates all: a kernel's boot has some 90,000 regions. */
const ALL_TRANSLATED = {
  threshold: 1,
  batch: 256,
  maxFunctions: 1 << 17,
  maxBytes: 512 << 20,
  maxModules: 1 << 13,
} as const;

export interface BoardOptions {
  readonly memory: number;
  readonly core: WebAssembly.Module;
  readonly shared: boolean;
  readonly tier: Tier;
  /** Features of the engine that translated code does without. */
  readonly without?: readonly EngineFeature[];
  readonly translator?: TranslatorOptions | undefined;
  /** Undefined: it comes before the first power-on. */
  readonly plan?: BootPlan | undefined;
  readonly host: MachineHost;
  readonly clock: GuestClock;
  readonly console: ConsoleOutput;
  readonly panic: PanicWatcher;
  /** An interrupt line rose, or a request was made: whoever sleeps should look. */
  readonly wake: () => void;
  readonly disks: readonly BlockBackend[];
  /** Shared folders. */
  readonly shares: readonly ShareBackend[];
  /** Further ports of the virtio console. */
  readonly ports: readonly ConsolePortOptions[];
  readonly columns: number;
  readonly rows: number;
  /** There is room for typed input, or the virtio console has found or lost its driver. */
  readonly onInputSpace: () => void;
  /** The guest asked the firmware for typed input, or does nothing but look for some. */
  readonly onInputWanted: () => void;
  readonly onEvent: (event: MachineEvent) => void;
}

export class Board {
  readonly hart: HartView;
  readonly core: Core;
  readonly memory: GuestMemory;
  readonly mtimer: Mtimer;
  readonly rtc: GoldfishRtc;
  readonly generation: VmGenerationId;
  readonly uart: Uart16550;
  readonly console: ConsoleDevice;
  readonly balloon: BalloonDevice;
  readonly disks: readonly BlockDevice[];
  readonly firmware: Firmware;
  readonly htif: HtifDevice | undefined;
  readonly translator: Translator | undefined;
  /** Set once; the run loop takes it. */
  request: MachineRequest | undefined;
  /** What a power-on puts into memory. */
  plan: BootPlan | undefined;
  /** All that the computer holds but RAM. After a restore: `restored`. */
  readonly state: State;
  /** What of RAM a snapshot needs. */
  readonly pages: RamPages;
  readonly #ram: Ram;
  readonly #devices: Placed[] = [];
  readonly #bus: Bus;
  readonly #options: BoardOptions;
  /** Memory is as it was made: all zeros. */
  #fresh = true;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.plan = options.plan;
    const { memory: size, console, panic, host, clock, wake } = options;
    const memory = createMemory(size, options.shared);
    this.pages = new RamPages(memory.buffer, PAGE_FLAGS_OFFSET, RAM_OFFSET, size);
    this.#ram = new Ram(memory.buffer, RAM_OFFSET, size);
    this.memory = new GuestMemory({ buffer: memory.buffer, offset: RAM_OFFSET, size });
    this.hart = new HartView(memory, HART);

    const line = (bit: number): IrqLine => ({
      set: (level) => {
        this.hart.setLine(bit, level);
        if (level) wake();
      },
    });
    this.mtimer = new Mtimer(() => clock.ticks(), [line(MTIP)]);
    const plic = new Plic([line(MEIP), line(SEIP)]);
    this.uart = new Uart16550({
      irq: plic.line(Irq.uart),
      onOutput: (byte) => {
        console.byte('serial', byte);
        panic.byte(byte);
      },
      onSpace: options.onInputSpace,
      onPolled: options.onInputWanted,
    });
    this.rtc = new GoldfishRtc(() => host.wallClock(), plic.line(Irq.rtc));
    this.generation = new VmGenerationId((into) => host.entropy(into), plic.line(Irq.vmgenid));
    this.#bus = new Bus({
      onError: (device, error) => this.#deviceFailed(device, error),
      reserved: [{ name: 'RAM', base: RAM_BASE, size }],
    });
    this.#place(MemoryMap.syscon, new Syscon((finish) => this.#finish(finish)));
    this.#place(MemoryMap.rtc, this.rtc, Irq.rtc);
    this.#place(MemoryMap.vmgenid, this.generation, Irq.vmgenid);
    this.#place(MemoryMap.mswi, new Mswi([line(MSIP)]));
    this.#place(MemoryMap.mtimer, this.mtimer);
    this.#place(
      MemoryMap.sswi,
      new Sswi(1, () => this.hart.setU64('mip', this.hart.u64('mip') | SSIP)),
    );
    this.#place(MemoryMap.uart, this.uart, Irq.uart);
    const onError = (text: string) => this.#report('disk-error', text);
    this.disks = options.disks.map(
      (disk) => new BlockDevice(disk, { onError, now: () => host.now() }),
    );
    for (const [i, disk] of this.disks.entries()) {
      this.#placeVirtio(VirtioSlot.disks + i, plic, disk);
    }
    this.#placeVirtio(VirtioSlot.entropy, plic, new EntropyDevice((into) => host.entropy(into)));
    this.console = new ConsoleDevice({
      cols: options.columns,
      rows: options.rows,
      ports: [
        {
          console: true,
          onOutput: (data) => console.bytes('hvc', data),
          onGuestOpen: options.onInputSpace,
          onSpace: options.onInputSpace,
        },
        ...options.ports,
      ],
    });
    this.#placeVirtio(VirtioSlot.console, plic, this.console);
    for (const [i, share] of options.shares.entries()) {
      this.#placeVirtio(VirtioSlot.shares + i, plic, new NinePDevice(share, { onError }));
    }
    this.balloon = new BalloonDevice({
      pages: size >>> PAGE_SHIFT,
      discard: (page) => this.#discard(page),
      busy: () => this.pages.full,
      turn: () => host.turn(),
      onPressure: () =>
        this.#report('memory', 'The guest took memory back from the balloon: it had none left.'),
    });
    this.#placeVirtio(VirtioSlot.balloon, plic, this.balloon);
    // Last: at a reset it takes over the levels of lines that the others have lowered.
    this.#place(MemoryMap.plic, plic);

    this.core = instantiateCore(options.core, memory, this.#coreHost());
    if (options.tier !== 'interpreter') {
      this.translator = new Translator(this.core, options.shared, () => host.now(), {
        without: options.without,
        ...(options.tier === 'translator' && ALL_TRANSLATED),
        ...options.translator,
      });
    }
    const { exports } = this.core;
    this.memory.beforeWrite = (offset, length) => this.pages.beforeWrite(offset, length);
    const { flags } = this.pages;
    // Only where code was decoded does a write of the host matter to the core.
    this.memory.onWrite = (offset, length) => {
      const last = (offset + length - 1) >>> PAGE_SHIFT;
      for (let page = offset >>> PAGE_SHIFT; page <= last; page++) {
        if ((flags[page]! & ~UNWRITTEN) === 0) continue;
        const start = Math.max(offset, page << PAGE_SHIFT);
        const end = Math.min(offset + length, (page + 1) * (1 << PAGE_SHIFT));
        exports.invalidate(HART, start, end - start);
      }
    };
    this.firmware = new Firmware([this.hart], exports, this.memory, {
      consoleWrite: (data) => {
        console.bytes('serial', data);
        for (const byte of data) panic.byte(byte);
      },
      consoleRead: (most) => {
        options.onInputWanted();
        return this.#readSerial(most);
      },
      reset: (type) => this.ask(type === 'reboot' ? { kind: 'reboot' } : { kind: 'off' }),
    });
    this.htif =
      options.plan?.htif &&
      new HtifDevice(this.memory, options.plan.htif, {
        consoleWrite: (data) => console.bytes('serial', data),
        consoleRead: (most) => this.#readSerial(most),
        exit: (exitCode) => this.ask({ kind: 'off', exitCode }),
      });
    // Interrupt controllers before the devices whose lines they take over.
    const placed = [...this.#devices].reverse();
    const nameOf = ({ base, device }: Placed) => `${device.name}@${base.toString(16)}`;
    const parts = {
      hart: hartState(this.hart),
      firmware: this.firmware.state,
      ...(this.htif && { htif: this.htif.state }),
      ...Object.fromEntries(placed.map((one) => [nameOf(one), one.device.state])),
    };
    // The first snapshots are of machines without a balloon; a guest that found none looks for none.
    const balloon = placed.find(({ device }) => device.name === this.balloon.name);
    this.state = stateOfParts(1, parts, { optional: balloon ? [nameOf(balloon)] : [] });
  }

  /** Everything as after power-on, the program in memory, the hart before its first instruction. */
  powerOn(): void {
    const { host, memory: size } = this.#options;
    const { plan } = this;
    const { exports } = this.core;
    if (!plan) throw new Error('The machine has no program to boot yet.');
    this.clear();

    const seed = new Uint8Array(SEED_BYTES);
    host.entropy(seed);
    const fdt = buildFdt(
      deviceTree({
        memory: size,
        harts: 1,
        devices: this.#devices,
        append: plan.append,
        initrd: plan.initrd && {
          start: RAM_BASE + plan.initrd.offset,
          end: RAM_BASE + plan.initrd.offset + plan.initrd.size,
        },
        seed,
      }),
    );
    if (fdt.length > plan.fdt.size) {
      throw new Error(`The device tree has ${fdt.length} bytes; ${plan.fdt.size} are set aside.`);
    }
    for (const { offset, data } of plan.writes) this.#load(offset, data);
    this.#load(plan.fdt.offset, fdt);
    const fdtAddress = RAM_BASE + plan.fdt.offset;
    if (plan.mode === 'supervisor') {
      startSupervisorMode(exports, HART, this.hart, BigInt(plan.entry), [HART, fdtAddress]);
      return;
    }
    const args = [HART, fdtAddress];
    if (plan.dynamicInfo) {
      this.#load(plan.dynamicInfo.offset, plan.dynamicInfo.data);
      args.push(RAM_BASE + plan.dynamicInfo.offset);
    }
    startMachineMode(this.hart, plan.entry, args);
    this.#watch();
  }

  /** Everything as after power-on, RAM all zeros, no program. */
  clear(): void {
    this.request = undefined;
    this.hart.setU32('ram_size', this.#options.memory);
    this.core.exports.reset(HART);
    this.pages.reset();
    if (!this.#fresh) this.#ram.clear();
    this.#fresh = false;
    for (const { device } of this.#devices) device.reset();
    this.firmware.reset();
    this.htif?.reset();
  }

  /** After `clear`: puts pages of a snapshot into RAM. */
  loadPages({ first, bytes }: PageRun): void {
    const { length } = bytes;
    const end = first * PAGE_SIZE + length;
    if (!(first >= 0 && length % PAGE_SIZE === 0 && end <= this.#options.memory)) {
      throw new StateError(`The snapshot has ${length} bytes for page ${first}, which do not fit.`);
    }
    this.#load(first * PAGE_SIZE, bytes);
  }

  /** After `clear`, RAM and `state` are those of a snapshot: what follows from them. */
  restored(): void {
    this.core.exports.refresh(HART);
    this.#watch();
    this.updateTimers();
  }

  /** All of RAM counts as unwritten from now on, but for what `mark` decides. */
  protect(mark: () => void): void {
    mark();
    this.core.exports.flush_tlb(HART);
  }

  #watch(): void {
    const htif = this.plan?.htif;
    if (!htif) return;
    const { flags } = this.pages;
    const page = (htif.tohost - RAM_BASE) >>> PAGE_SHIFT;
    flags[page] = flags[page]! | PageFlag.Watch;
  }

  /** Asks something of the whole machine; the first request of a run counts. */
  ask(request: MachineRequest): void {
    this.request ??= request;
    this.hart.setU32('attention', 1);
    this.#options.wake();
  }

  /** Brings interrupt lines that depend on time up to date. */
  updateTimers(): void {
    this.mtimer.update();
    this.rtc.update();
  }

  /** Whether an interrupt is pending that would end a WFI. */
  interruptPending(): boolean {
    const pending = BigInt.asUintN(64, this.core.exports.csr_read(HART, CSR_MIP));
    return (pending & this.hart.u64('mie')) !== 0n;
  }

  /** Milliseconds until a timer interrupt that the guest may take, less than 0 when late; Infinity: none. */
  msToTimer(): number {
    const now = this.mtimer.time();
    let ticks = this.mtimer.nextDeadline() - now;
    const stimecmp = this.hart.u64('stimecmp');
    if ((this.hart.u64('mie') & MIE_STIE) !== 0n && stimecmp < NEVER) {
      ticks = Math.min(ticks, Number(stimecmp) - now);
    }
    return ticks / TICKS_PER_MS;
  }

  /** The port of the virtio console that is the guest's terminal. */
  get terminal(): ConsolePort {
    return this.console.ports[0]!;
  }

  /** Bytes of RAM that hold something. */
  ramUsed(whole: boolean): number {
    return this.#ram.used(whole);
  }

  #place(base: number, device: MmioDevice, irq?: number): void {
    this.#bus.attach(base, device);
    this.#devices.push({ base, device, irq });
  }

  #placeVirtio(slot: number, plic: Plic, device: VirtioDevice): void {
    const irq = virtioIrq(slot);
    const transport = new VirtioMmio(device, {
      memory: this.memory,
      irq: plic.line(irq),
      onFault: ({ device: name, reason, error }) => {
        if (error === undefined) {
          this.#report('refused-input', `The driver of ${name} failed: ${reason}`);
          return;
        }
        this.ask({ kind: 'crash', reason: `The device ${name} failed: ${reason}` });
      },
    });
    this.#place(MemoryMap.virtio + slot * VIRTIO_STRIDE, transport, irq);
  }

  #report(kind: MachineEventKind, text: string): void {
    this.#options.onEvent({ kind, level: 'warning', text });
  }

  /** Gives up what a page holds; false: it held nothing, and has not been touched. */
  #discard(page: number): boolean {
    if (this.memory.presence?.discard(page) === true) return true;
    if (this.#ram.isZero(page)) return false;
    this.#load(page * PAGE_SIZE, ZEROS);
    return true;
  }

  #load(offset: number, data: Uint8Array): void {
    this.memory.write(this.memory.locate(RAM_BASE + offset, 0, data.length), 0, data);
  }

  /** Takes typed bytes as a guest does that polls the serial port. */
  #readSerial(most: number): Uint8Array {
    const data: number[] = [];
    while (data.length < most && (this.uart.load(UART_LSR, 1) & UART_DATA_READY) !== 0) {
      data.push(this.uart.load(UART_RBR, 1));
    }
    return Uint8Array.from(data);
  }

  #finish(finish: Finish): void {
    if (finish.kind === 'reboot') this.ask({ kind: 'reboot' });
    else if (finish.kind === 'poweroff') this.ask({ kind: 'off' });
    else {
      const reason = `The guest reported failure ${finish.code}.`;
      this.ask({ kind: 'off', exitCode: finish.code, reason });
    }
  }

  #deviceFailed(device: MmioDevice, error: unknown): void {
    this.ask({ kind: 'crash', reason: `The device ${device.name} failed: ${messageOf(error)}` });
  }

  #coreHost() {
    const bus = this.#bus;
    const { hart, mtimer } = this;
    const fault = () => hart.setU32('bus_error', 1);
    return {
      mmio_load(address: number, size: number): number {
        const value = bus.load(address >>> 0, size as 1 | 2 | 4);
        if (value === BUS_FAULT) fault();
        return value;
      },
      mmio_load64(address: number): bigint {
        const value = bus.load64(address >>> 0);
        if (value === BUS_FAULT64) fault();
        return value;
      },
      mmio_store(address: number, size: number, value: number): void {
        if (!bus.store(address >>> 0, size as 1 | 2 | 4, value)) fault();
      },
      mmio_store64(address: number, value: bigint): void {
        if (!bus.store64(address >>> 0, value)) fault();
      },
      time: () => mtimer.time(),
      hot: (ramOffset: number, offset: number) => this.translator?.hot(ramOffset >>> 0, offset),
      first_store: (ramOffset: number) => {
        if (!this.pages.firstStore(ramOffset >>> PAGE_SHIFT)) return 0;
        hart.setU32('attention', 1);
        return 1;
      },
      code_dropped: (ramOffset: number) => this.translator?.dropped(ramOffset >>> 0),
    };
  }
}

const UART_RBR = 0;
const UART_LSR = 5;
const UART_DATA_READY = 1;
