/**
 * A computer to switch on: what the page, the worker and the command line hold. Relies on a host for
 * everything from outside; guarantees that no failure of guest or device throws out of it: it
 * becomes the machine's state, with a reason.
 */
import type { EngineFeature } from '../translator/features.ts';
import type { TranslatorOptions, TranslatorStats } from '../translator/translator.ts';
import { Board, type MachineRequest, type Tier } from './board.ts';
import { GuestClock } from './clock.ts';
import { ConsoleOutput, type ConsoleSource, PanicWatcher } from './console.ts';
import type { BlockBackend } from './devices/virtio/block-backend.ts';
import type { ConsolePort, ConsolePortOptions } from './devices/virtio/console-port.ts';
import type { ShareBackend } from './devices/virtio/share-backend.ts';
import { LifecycleError, messageOf, UserError } from './errors.ts';
import { type Disposable, Listeners, type MachineHost } from './host.ts';
import { ConsoleInput } from './input.ts';
import { Lifecycle, type MachineState } from './lifecycle.ts';
import { type BootConfig, planBoot } from './loader/boot.ts';
import { DISKS_MAX, MEMORY_MAX, MEMORY_MIN, MEMORY_STEP, MIB, SHARES_MAX } from './memory-map.ts';
import { RunLoop } from './runloop.ts';
import { MachineSnapshots } from './snapshot/machine-snapshots.ts';
import type { PagerStats } from './snapshot/pager.ts';
import type {
  CaptureReport,
  RestoreOptions,
  SnapshotSink,
  SnapshotSource,
} from './snapshot/snapshot.ts';
import { range, stateOf } from './state.ts';

export type { EngineFeature } from '../translator/features.ts';
export type { Tier } from './board.ts';
export type { MachineState } from './lifecycle.ts';
export type { BootConfig } from './loader/boot.ts';

export interface MachineConfig {
  /** Bytes of RAM: a multiple of 64 KiB from 1 MB to 2 GB. */
  readonly memory: number;
  /** What it boots; a function: asked at the first power-on, which a restored machine may never see. */
  readonly boot: BootConfig | (() => Promise<BootConfig>);
  readonly disks?: readonly BlockBackend[];
  /** Shared folders, each with a tag of its own. */
  readonly shares?: readonly ShareBackend[];
  /** Further ports of the virtio console, by name: `port(name)` gives the host's side. */
  readonly ports?: readonly ConsolePortOptions[];
  readonly console?: { readonly columns: number; readonly rows: number };
  /** The compiled core: the build that fits `shared`. */
  readonly core: WebAssembly.Module;
  /** Whether the machine's memory is shared between threads. */
  readonly shared: boolean;
  /** What runs guest code; `both` unless given. */
  readonly tier?: Tier;
  /** Features of the engine to do without, as if it lacked them. */
  readonly without?: readonly EngineFeature[];
  /** A library of translations made ahead of time, for this core and kind of memory; it may come late. */
  readonly translations?: Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  readonly translator?: TranslatorOptions;
  /** Called before each instruction, which then runs alone: for tracing. */
  readonly trace?: (board: Board) => void;
  /** Looks at the running guest now and then: for profiles. */
  readonly sampler?: { interval(): number; look(board: Board, ms: number): void };
}

export interface MachineStats {
  /** Seconds in which the machine was running. */
  readonly wall_s: number;
  /** Seconds from the start to the first output on the virtio console, where a shell speaks. */
  readonly boot_s: number | null;
  readonly instructions: number;
  /** Million instructions in a second of work. */
  readonly mips: number;
  /** Seconds in which the guest waited. */
  readonly idle_s: number;
  /** Bytes of RAM that hold something, and all there is. */
  readonly ram_bytes: number;
  readonly memory_bytes: number;
  /** Since the last reset: instructions that each tier ran, walks of page tables, traps. */
  readonly interpreted_instructions: number;
  readonly translated_instructions: number;
  readonly tlb_misses: number;
  readonly traps: number;
  readonly interrupts: number;
  /** What the translator did; absent where all is interpreted. */
  readonly translator?: TranslatorStats;
}

/** Where a program in the guest is told that it is a clone, and how it is called now. */
const AGENT_PORT = 'org.tabvisor.agent';
/** A guest that starts this often in a row, each time within the span, is taken off. */
const REBOOTS_MAX = 5;
const REBOOT_SPAN_MS = 10_000;
/** A guest that waits for this share of the time has booted and has nothing to do. */
const IDLE_WINDOW_MS = 400;
const IDLE_SHARE = 0.8;
/** A guest that has shown no terminal by then has none: typed input waits no longer. */
const INPUT_WAIT_MS = 60_000;

export class Machine {
  readonly #config: MachineConfig;
  readonly #host: MachineHost;
  readonly #lifecycle = new Lifecycle();
  readonly #consoleListeners = new Listeners<[Uint8Array, ConsoleSource]>();
  readonly #eventListeners = new Listeners<[string]>();
  readonly #clock: GuestClock;
  readonly #console: ConsoleOutput;
  readonly #panic: PanicWatcher;
  readonly #board: Board;
  readonly #input: ConsoleInput;
  readonly #loop: RunLoop;
  /** Counts starts, resumes and stops: what an older one still awaited is void. */
  #generation = 0;
  readonly #snapshots: MachineSnapshots;
  #instructionsBefore = 0;
  /** The hart's count at power-on, or at the instant that was restored. */
  #instructionsFrom = 0n;
  /** The generation in which a restore is under way. */
  #restoring: number | undefined;
  #ranMs = 0;
  #runningSince: number | undefined;
  #bootedAt: number | undefined;
  #poweredOnAt = 0;
  readonly #fields = { quickReboots: 0 };
  #watchingIdle = false;
  /** Powered on, but for the program, which is on its way. */
  #awaitsPlan = false;

  private constructor(config: MachineConfig, host: MachineHost) {
    this.#config = config;
    this.#host = host;
    const { boot } = config;
    const plan = typeof boot === 'function' ? undefined : planBoot(boot, config.memory);
    this.#clock = new GuestClock(() => host.now());
    this.#console = new ConsoleOutput((data, source) => {
      if (source === 'hvc') {
        this.#bootedAt ??= host.now();
        this.#input.guestReads();
      }
      this.#consoleListeners.emit(data, source);
    });
    this.#panic = new PanicWatcher(() =>
      this.#board.ask({ kind: 'crash', reason: this.#panicReason() }),
    );
    this.#board = new Board({
      memory: config.memory,
      core: config.core,
      shared: config.shared,
      tier: config.trace ? 'interpreter' : (config.tier ?? 'both'),
      without: config.without ?? [],
      translator: config.translator,
      plan,
      host,
      clock: this.#clock,
      console: this.#console,
      panic: this.#panic,
      wake: () => this.#loop?.wake(),
      disks: config.disks ?? [],
      shares: config.shares ?? [],
      ports: config.ports ?? [],
      columns: config.console?.columns ?? 80,
      rows: config.console?.rows ?? 24,
      onInputSpace: () => this.#input?.pump(),
      onInputWanted: () => this.#input.guestReads(),
      onEvent: (event) => this.#eventListeners.emit(event),
    });
    if (config.translations && config.tier !== 'translator') {
      void this.#loadLibrary(config.translations);
    }
    this.#input = new ConsoleInput(
      this.#board,
      typeof boot === 'function' || waitsForTerminal(boot),
    );
    const { disks = [], shares = [] } = config;
    this.#snapshots = new MachineSnapshots({
      board: this.#board,
      host,
      clock: this.#clock,
      console: this.#console,
      input: this.#input,
      panic: this.#panic,
      disks,
      shares,
      setup: {
        memory: config.memory,
        disks,
        shares: shares.map(({ tag }) => tag),
        ports: (config.ports ?? []).map(({ name }) => name ?? ''),
        htif: plan?.htif !== undefined,
      },
      machine: stateOf(1, this.#fields, { quickReboots: range(0, REBOOTS_MAX) }),
    });
    this.#loop = new RunLoop({
      board: this.#board,
      host,
      clock: this.#clock,
      console: this.#console,
      trace: config.trace && (() => config.trace?.(this.#board)),
      hold: () => this.#snapshots.hold(),
      onAbsent: (ranges) => this.#snapshots.await(ranges),
      sampler: config.sampler && {
        interval: () => config.sampler?.interval() ?? 1,
        look: (ms) => config.sampler?.look(this.#board, ms),
      },
    });
  }

  /** Makes a machine that is off. Refuses with a sentence what cannot work. */
  static create(config: MachineConfig, host: MachineHost): Machine {
    const { memory } = config;
    if (
      !Number.isInteger(memory) ||
      memory < MEMORY_MIN ||
      memory > MEMORY_MAX ||
      memory % MEMORY_STEP !== 0
    ) {
      throw new UserError(
        `A machine cannot have ${memory} bytes of memory: give it ${MEMORY_MIN / MIB} MB to ` +
          `${MEMORY_MAX / MIB} MB.`,
      );
    }
    if ((config.disks?.length ?? 0) > DISKS_MAX) {
      throw new UserError(`A machine takes ${DISKS_MAX} disks at most. Give it fewer.`);
    }
    if ((config.shares?.length ?? 0) > SHARES_MAX) {
      throw new UserError(`A machine takes ${SHARES_MAX} shared folders at most. Give it fewer.`);
    }
    return new Machine(config, host);
  }

  get state(): MachineState {
    return this.#lifecycle.state;
  }

  onState(listener: (state: MachineState) => void): Disposable {
    return this.#lifecycle.onState(listener);
  }

  /** Output of the serial port and the virtio console, in the order in which it was written. */
  onConsole(listener: (data: Uint8Array, source: ConsoleSource) => void): Disposable {
    return this.#consoleListeners.add(listener);
  }

  /** What a log should say and no state does: a driver that failed, a disk that has an error. */
  onEvent(listener: (event: string) => void): Disposable {
    return this.#eventListeners.add(listener);
  }

  start(): void {
    this.#lifecycle.require('start');
    this.#fields.quickReboots = 0;
    this.#powerOn();
    this.#enter({ kind: 'running' });
  }

  pause(): void {
    this.#lifecycle.require('pause');
    this.#enter({ kind: 'paused' });
  }

  resume(): void {
    this.#lifecycle.require('resume');
    if (this.#restoring !== undefined) {
      throw new LifecycleError('The machine is being restored. Wait until that is done.');
    }
    this.#enter({ kind: 'running' });
  }

  /** The reset button: what is in memory is lost. */
  reset(): void {
    this.#lifecycle.require('reset');
    this.#fields.quickReboots = 0;
    this.#halt();
    this.#powerOn();
    this.#enter({ kind: 'running' });
  }

  powerOff(): void {
    this.#lifecycle.require('powerOff');
    this.#enter({ kind: 'off' });
  }

  /** Captures all of the machine but its disks' contents, while it runs. */
  async capture(sink: SnapshotSink): Promise<CaptureReport> {
    this.#lifecycle.require('capture');
    if (this.#restoring !== undefined) {
      throw new LifecycleError('The machine is being restored. Wait until that is done.');
    }
    return this.#snapshots.capture(sink);
  }

  /**
   * Makes the machine what a snapshot holds; it is paused then. One that does not fit is refused
   * and changes nothing; one whose pages cannot be read leaves a machine that has crashed.
   */
  async restore(source: SnapshotSource, options: RestoreOptions = {}): Promise<void> {
    this.#lifecycle.require('restore');
    const apply = this.#snapshots.prepare(source);
    this.#awaitsPlan = false;
    this.#enter({ kind: 'paused' });
    const generation = this.#generation;
    this.#restoring = generation;
    this.#instructionsBefore += this.#instructionsSince();
    this.#bootedAt = undefined;
    try {
      await apply(() => {
        if (generation === this.#generation) return;
        throw new LifecycleError('The machine was put to other use before it was restored.');
      });
      if (options.generation === 'new') this.#newGeneration(options.name);
      this.#poweredOnAt = this.#host.now();
      this.#instructionsFrom = this.#board.hart.u64('instret');
    } catch (error) {
      if (generation === this.#generation) {
        this.#instructionsFrom = this.#board.hart.u64('instret');
        this.#enter({ kind: 'crashed', reason: `The restore failed: ${messageOf(error)}` });
      }
      throw error;
    } finally {
      if (this.#restoring === generation) this.#restoring = undefined;
    }
  }

  /** After a restore from pages that come late: what has not come yet. */
  get arriving(): PagerStats | undefined {
    return this.#snapshots.arriving;
  }

  destroy(): void {
    if (this.state.kind === 'destroyed') return;
    this.#snapshots.forget('The machine was destroyed.');
    this.#enter({ kind: 'destroyed' });
    this.#lifecycle.dispose();
    this.#consoleListeners.clear();
    this.#eventListeners.clear();
  }

  /**
   * What a person types: to the virtio console once it has a driver, before that to the UART.
   * Returns how many bytes were taken: fewer than given when the guest has left very much unread.
   */
  consoleInput(data: Uint8Array): number {
    const taken = this.#input.type(data);
    if (this.#input.waiting) void this.#releaseInputWhenIdle();
    return taken;
  }

  /** Tells the guest the size of the terminal. */
  resize(columns: number, rows: number): void {
    this.#board.console.resize(columns, rows);
  }

  /** The host's side of a port of the virtio console. */
  port(name: string): ConsolePort | undefined {
    return this.#board.console.ports.find((port) => !port.isConsole && port.name === name);
  }

  /** Figures since the creation. `ram`: whether all of a large RAM is looked at for how much is used. */
  stats(ram: 'whole' | 'estimate' = 'whole'): MachineStats {
    const ranMs = this.#ranMs + this.#sinceRunning();
    const idle = Math.min(this.#loop.idleMs, ranMs);
    const sinceReset = this.#instructionsSince();
    const translated = Number(this.#board.hart.u64('stat_translated'));
    const instructions = this.#instructionsBefore + sinceReset;
    const busySeconds = (ranMs - idle) / 1000;
    return {
      wall_s: ranMs / 1000,
      boot_s: this.#bootedAt === undefined ? null : (this.#bootedAt - this.#poweredOnAt) / 1000,
      instructions,
      mips: busySeconds > 0 ? instructions / busySeconds / 1e6 : 0,
      idle_s: idle / 1000,
      ram_bytes: this.state.kind === 'destroyed' ? 0 : this.#board.ramUsed(ram === 'whole'),
      memory_bytes: this.#config.memory,
      interpreted_instructions: Math.max(0, sinceReset - translated),
      translated_instructions: translated,
      tlb_misses: Number(this.#board.hart.u64('stat_tlb_misses')),
      traps: Number(this.#board.hart.u64('stat_traps')),
      interrupts: Number(this.#board.hart.u64('stat_interrupts')),
      translator: this.#board.translator?.stats,
    };
  }

  async #loadLibrary(translations: NonNullable<MachineConfig['translations']>): Promise<void> {
    try {
      await this.#board.translator?.loadLibrary(await translations);
    } catch (error) {
      this.#eventListeners.emit(
        `Translations made ahead of time are left out: ${messageOf(error)}`,
      );
    }
  }

  #powerOn(): void {
    this.#instructionsBefore += this.#instructionsSince();
    this.#instructionsFrom = 0n;
    this.#snapshots.forget('The machine was reset.');
    this.#panic.reset();
    this.#input.reset();
    this.#bootedAt = undefined;
    this.#poweredOnAt = this.#host.now();
    this.#clock.set(0);
    this.#awaitsPlan = this.#board.plan === undefined;
    if (!this.#awaitsPlan) this.#board.powerOn();
  }

  /** The program has come, if this is still the power-on that it is for. */
  async #plan(generation: number): Promise<void> {
    const { boot, memory } = this.#config;
    const program = typeof boot === 'function' ? await boot() : boot;
    this.#board.plan ??= planBoot(program, memory);
    if (generation !== this.#generation) return;
    this.#awaitsPlan = false;
    this.#poweredOnAt = this.#host.now();
    this.#board.powerOn();
  }

  /**
   * Input waits for the terminal to show something: gives it anyway to a guest that idles, and in
   * the end to one that never does.
   */
  async #releaseInputWhenIdle(): Promise<void> {
    if (this.#watchingIdle) return;
    this.#watchingIdle = true;
    let waited = 0;
    while (this.#input.waiting && this.state.kind !== 'destroyed') {
      const before = this.#loop.idleMs;
      await this.#host.sleep(IDLE_WINDOW_MS).done;
      if (this.state.kind === 'running') waited += IDLE_WINDOW_MS;
      const idle = this.#loop.idleMs - before >= IDLE_WINDOW_MS * IDLE_SHARE;
      if (idle || waited >= INPUT_WAIT_MS) this.#input.guestReads();
    }
    this.#watchingIdle = false;
  }

  /** Tells a guest the time, and that it is not the only one to go on from here. */
  #newGeneration(name: string | undefined): void {
    this.#board.generation.renew();
    if (name === undefined) return;
    const time = Math.round(this.#host.wallClock() / 1000);
    const lines = `time ${time}\nclone ${name.replace(/[^\x21-\x7e]/g, '-')}\n`;
    this.port(AGENT_PORT)?.write(Uint8Array.from(lines, (letter) => letter.charCodeAt(0)));
  }

  #instructionsSince(): number {
    return Number(this.#board.hart.u64('instret') - this.#instructionsFrom);
  }

  /** Ends what runs, and counts its time. */
  #halt(): void {
    this.#generation++;
    this.#loop.stop();
    this.#ranMs += this.#sinceRunning();
    this.#runningSince = undefined;
  }

  #sinceRunning(): number {
    return this.#runningSince === undefined ? 0 : this.#host.now() - this.#runningSince;
  }

  /** Enters a state; the machine runs in the state that says so, and in no other. */
  #enter(state: MachineState): void {
    this.#halt();
    if (state.kind === 'running') {
      this.#runningSince = this.#host.now();
      void this.#run(this.#generation);
    }
    this.#lifecycle.enter(state);
  }

  async #run(generation: number): Promise<void> {
    try {
      // The state is announced first, and `start` returns before the guest runs.
      await this.#host.turn();
      while (generation === this.#generation) {
        if (this.#awaitsPlan) {
          await this.#plan(generation);
          continue;
        }
        const request = await this.#loop.run();
        if (generation !== this.#generation) return;
        if (!request || !this.#reboots(request)) {
          if (request) this.#obey(request);
          return;
        }
        this.#powerOn();
      }
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#enter({ kind: 'crashed', reason: `The machine failed: ${messageOf(error)}` });
    }
  }

  /** Whether a request is a reboot that is granted. */
  #reboots(request: MachineRequest): boolean {
    if (request.kind !== 'reboot' || this.#panic.reason !== undefined) return false;
    const quick = this.#host.now() - this.#poweredOnAt < REBOOT_SPAN_MS;
    this.#fields.quickReboots = quick ? this.#fields.quickReboots + 1 : 0;
    return this.#fields.quickReboots < REBOOTS_MAX;
  }

  #obey(request: MachineRequest): void {
    if (request.kind === 'off') {
      this.#enter({ ...request, kind: 'off' });
    } else if (request.kind === 'crash') {
      this.#enter({ kind: 'crashed', reason: request.reason });
    } else {
      const reason =
        this.#panic.reason === undefined
          ? `The guest rebooted ${REBOOTS_MAX} times in a row, each time within ` +
            `${REBOOT_SPAN_MS / 1000} seconds.`
          : this.#panicReason();
      this.#enter({ kind: 'crashed', reason });
    }
  }

  #panicReason(): string {
    return `The guest's kernel panicked: ${this.#panic.reason ?? 'for no reason that it gave'}`;
  }
}

/** Whether a program boots whose shell will be on the virtio console. */
function waitsForTerminal(boot: BootConfig): boolean {
  return boot.kind === 'linux' || (boot.kind === 'firmware' && boot.kernel !== undefined);
}
