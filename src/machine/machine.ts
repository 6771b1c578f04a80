import type { DiskLimit } from '../resources/limits.ts';
import { AGENT_PORT, GuestAgent, portsWith } from './agent.ts';
import { Board, type MachineRequest } from './board.ts';
import { GuestClock } from './clock.ts';
import { checkConfig, type MachineConfig, waitsForTerminal } from './config.ts';
import { ConsoleOutput, type ConsoleSource, PanicWatcher } from './console.ts';
import type { ConsolePort } from './devices/virtio/console-port.ts';
import { LimitedDisks } from './devices/virtio/limited-backend.ts';
import { LifecycleError, messageOf } from './errors.ts';
import { kernelEvent, type MachineEvent, stallEvent } from './events.ts';
import { CpuGovernor } from './governor.ts';
import { type Disposable, Listeners, type MachineHost } from './host.ts';
import { ConsoleInput } from './input.ts';
import { Lifecycle, type MachineState } from './lifecycle.ts';
import { planBoot } from './loader/boot.ts';
import { targetPages } from './memory-size.ts';
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
import { boardStats, type MachineStats } from './stats.ts';

export type { EngineFeature } from '../translator/features.ts';
export type { Tier } from './board.ts';
export type { MachineConfig } from './config.ts';
export type { MachineEvent } from './events.ts';
export type { MachineState } from './lifecycle.ts';
export type { BootConfig } from './loader/boot.ts';
export type { MachineStats } from './stats.ts';

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
  readonly #eventListeners = new Listeners<[MachineEvent]>();
  readonly #clock: GuestClock;
  readonly #console: ConsoleOutput;
  readonly #panic: PanicWatcher;
  readonly #board: Board;
  readonly #input: ConsoleInput;
  readonly #agent = new GuestAgent();
  readonly #loop: RunLoop;
  readonly #governor: CpuGovernor;
  readonly #disks: LimitedDisks;
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
  #consoleBytes = 0;
  // What was asked for last: it holds after a restore too.
  #memoryTarget: number | undefined;
  #terminal: MachineConfig['console'];
  readonly #fields = { quickReboots: 0 };
  #watchingIdle = false;
  /** Powered on, but for the program, which is on its way. */
  #awaitsPlan = false;

  private constructor(config: MachineConfig, host: MachineHost) {
    this.#config = config;
    this.#terminal = config.console;
    this.#host = host;
    const { boot } = config;
    const plan = typeof boot === 'function' ? undefined : planBoot(boot, config.memory);
    const terminal = waitsForTerminal(boot);
    this.#clock = new GuestClock(
      () => host.now(),
      (ms) => this.#eventListeners.emit(stallEvent(ms)),
    );
    this.#governor = new CpuGovernor(() => host.now());
    this.#disks = new LimitedDisks(config.disks ?? [], host);
    this.#console = new ConsoleOutput((data, source) => {
      if (source === 'hvc') {
        this.#bootedAt ??= host.now();
        this.#input.guestReads();
      }
      this.#consoleBytes += data.length;
      this.#consoleListeners.emit(data, source);
    });
    this.#panic = new PanicWatcher(
      () => this.#board.ask({ kind: 'crash', reason: this.#panicReason() }),
      (line) => {
        const event = kernelEvent(line);
        if (event) this.#eventListeners.emit(event);
      },
    );
    const ports = portsWith(this.#agent, config.ports ?? [], config.agent ?? terminal);
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
      disks: this.#disks.backends,
      shares: config.shares ?? [],
      ports,
      columns: config.console?.columns ?? 80,
      rows: config.console?.rows ?? 24,
      onInputSpace: () => this.#input?.pump(),
      onInputWanted: () => this.#input.guestReads(),
      onEvent: (event) => this.#eventListeners.emit(event),
    });
    this.#agent.attach(this.port(AGENT_PORT));
    if (config.memoryTarget !== undefined) this.setMemoryTarget(config.memoryTarget);
    if (config.translations && config.tier !== 'translator') {
      void this.#loadLibrary(config.translations);
    }
    this.#input = new ConsoleInput(this.#board, terminal);
    const { shares = [] } = config;
    const disks = this.#disks.backends;
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
        ports: ports.map(({ name }) => name ?? ''),
        htif: plan?.htif !== undefined,
      },
      machine: stateOf(1, this.#fields, { quickReboots: range(0, REBOOTS_MAX) }),
    });
    this.#loop = new RunLoop({
      board: this.#board,
      host,
      clock: this.#clock,
      console: this.#console,
      governor: this.#governor,
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
    checkConfig(config);
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
  onEvent(listener: (event: MachineEvent) => void): Disposable {
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
      if (this.#memoryTarget !== undefined) this.setMemoryTarget(this.#memoryTarget);
      if (this.#terminal) this.resize(this.#terminal.columns, this.#terminal.rows);
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
    // Who types is answered at once, also by a guest that has used up its quota.
    this.#governor.hurry();
    this.#loop.wake();
    return taken;
  }

  /** Tells the guest the size of the terminal. */
  resize(columns: number, rows: number): void {
    this.#terminal = { columns, rows };
    this.#board.console.resize(columns, rows);
  }

  /** The host's side of a port of the virtio console. */
  port(name: string): ConsolePort | undefined {
    return this.#board.console.ports.find((port) => !port.isConsole && port.name === name);
  }

  /**
   * Asks the guest to get by with so many bytes of its memory, or lets it have more again. It takes
   * effect while the guest runs, as far as that can: `stats` says what the guest confirms.
   */
  setMemoryTarget(bytes: number): void {
    this.#board.balloon.wanted = targetPages(this.#config.memory, bytes);
    this.#memoryTarget = bytes;
  }

  /** Processors of the host that it may use from now on, above 0; undefined: as much as there is. */
  setCpuQuota(quota: number | undefined): void {
    this.#governor.quota = quota;
    // One that waits for its former quota looks anew.
    this.#loop.wake();
  }

  /** Is told how many processors the guest would use, 0 to 1, when that changes. */
  onCpuDemand(listener: (demand: number) => void): void {
    this.#governor.onDemand(listener);
  }

  /** What all disks together, and each in order, may do from now on. */
  setDiskLimits(all: DiskLimit, each: readonly DiskLimit[] = []): void {
    this.#disks.set(all, each);
  }

  /** Asks the guest how its memory is used: `stats` has the answer soon after, if there is one. */
  refreshMemory(): void {
    if (this.state.kind === 'running') this.#board.balloon.requestStats();
  }

  /** Asks the guest's agent for its figures, likewise. */
  refreshAgent(): void {
    if (this.state.kind === 'running') this.#agent.requestStats();
  }

  /**
   * Figures since the creation. `ram`: whether all of a large RAM is looked at for how much is used,
   * or this is one look of many, which estimates that.
   */
  stats(ram: 'whole' | 'estimate' = 'whole'): MachineStats {
    const ranMs = this.#ranMs + this.#sinceRunning();
    const idle = Math.min(this.#loop.idleMs, ranMs);
    const sinceReset = this.#instructionsSince();
    const instructions = this.#instructionsBefore + sinceReset;
    const steal = Math.min(this.#governor.stealMs, ranMs - idle);
    const busySeconds = (ranMs - idle - steal) / 1000;
    const { memory } = this.#config;
    const look = ram === 'estimate';
    const board = boardStats(this.#board, { memory, agent: this.#agent.stats, look });
    return {
      wall_s: ranMs / 1000,
      boot_s: this.#bootedAt === undefined ? null : (this.#bootedAt - this.#poweredOnAt) / 1000,
      instructions,
      mips: busySeconds > 0 ? instructions / busySeconds / 1e6 : 0,
      idle_s: idle / 1000,
      steal_s: steal / 1000,
      used_s: busySeconds,
      ram_bytes: this.state.kind === 'destroyed' ? 0 : this.#board.ramUsed(ram === 'whole'),
      console_bytes: this.#consoleBytes,
      interpreted_instructions: Math.max(0, sinceReset - board.translated_instructions),
      ...board,
    };
  }

  async #loadLibrary(translations: NonNullable<MachineConfig['translations']>): Promise<void> {
    try {
      await this.#board.translator?.loadLibrary(await translations);
    } catch (error) {
      const text = `Translations made ahead of time are left out: ${messageOf(error)}`;
      this.#eventListeners.emit({ kind: 'guest', level: 'info', text });
    }
  }

  #powerOn(): void {
    this.#instructionsBefore += this.#instructionsSince();
    this.#instructionsFrom = 0n;
    this.#snapshots.forget('The machine was reset.');
    this.#panic.reset();
    this.#input.reset();
    this.#agent.forget();
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
    if (name !== undefined) this.#agent.clone(name, this.#host.wallClock());
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
