/**
 * Serves one VM over two ports: commands by comlink, console and events by messages. Relies on a
 * factory for the machine, so that tests can serve another one. Guarantees that nothing throws out
 * of the worker: what fails becomes a rejected command or a state with a reason.
 */
import * as Comlink from 'comlink';
import type { MachineHost } from '../machine/host.ts';
import type { MachineEvent } from '../machine/machine.ts';
import type { DiskLimit } from '../resources/limits.ts';
import { EventGate } from './event-gate.ts';
import { figuresBetween, type Look, type Totals } from './figures-report.ts';
import { type WorkerHost, workerHost } from './host.ts';
import { OutputStream } from './output-stream.ts';
import {
  type BootConfig,
  type CaptureReport,
  type ConsoleSource,
  FIGURES_INTERVAL_MS,
  type GuestState,
  type PackedImage,
  type PageMessage,
  type RestoreConfig,
  TEXT_LIMIT,
  type VmApi,
  type VmPorts,
  type WorkerMessage,
} from './protocol.ts';
import { unpack } from './unpack.ts';

/** What this file needs of a machine. */
export interface ServedMachine {
  /** Powers on, or goes on from where its template starts. */
  start(): void | Promise<void>;
  pause(): void | Promise<void>;
  resume(): void | Promise<void>;
  reset(): void | Promise<void>;
  powerOff(): void | Promise<void>;
  capture(port: MessagePort): Promise<CaptureReport>;
  /** Becomes what a snapshot holds, and goes on. */
  restore(config: RestoreConfig): Promise<void>;
  readonly state: GuestState;
  onState(listener: (state: GuestState) => void): unknown;
  onConsole(listener: (data: Uint8Array, source: ConsoleSource) => void): unknown;
  consoleInput(data: Uint8Array): void;
  resize(columns: number, rows: number): void;
  onEvent(listener: (event: MachineEvent) => void): unknown;
  setMemoryTarget(bytes: number): void;
  setCpuQuota(quota: number | undefined): void;
  onCpuDemand(listener: (demand: number) => void): void;
  setDiskLimits(all: DiskLimit, each: readonly DiskLimit[]): void;
  /** Totals since the start; asks the guest for what it has to tell, for the next time. */
  totals(): Totals;
}

export type MachineFactory = (
  config: BootConfig,
  core: WebAssembly.Module,
  host: MachineHost,
  translations: Promise<Uint8Array<ArrayBuffer>>,
) => Promise<ServedMachine>;

function clip(text: string): string {
  return text.length <= TEXT_LIMIT ? text : `${text.slice(0, TEXT_LIMIT - 1)}…`;
}

function sentence(error: unknown): string {
  return clip(error instanceof Error ? error.message : String(error));
}

/** Waits for the page's first message, which brings the ports, and serves the VM on them. */
export function serveVm(createMachine: MachineFactory): void {
  globalThis.addEventListener(
    'message',
    (event: Event) => {
      const ports = (event as MessageEvent<VmPorts>).data;
      new VmServer(createMachine, ports);
    },
    { once: true },
  );
}

class VmServer implements VmApi {
  private machine: ServedMachine | undefined;
  private core: WebAssembly.Module | undefined;
  private receiveLibrary: (library: Promise<Uint8Array<ArrayBuffer>>) => void = () => {};
  /** Comes before the machine starts, after it, or never. */
  private readonly library = new Promise<Uint8Array<ArrayBuffer>>((resolve) => {
    this.receiveLibrary = resolve;
  });
  private readonly output: OutputStream;
  private readonly stream: MessagePort;
  /** What the page sent before the machine was on: a restore would undo it. */
  private early: PageMessage[] | undefined = [];

  constructor(
    private readonly createMachine: MachineFactory,
    ports: VmPorts,
  ) {
    this.stream = ports.stream;
    this.output = new OutputStream((source, data) =>
      this.send({ type: 'output', source, data }, [data.buffer]),
    );
    this.stream.onmessage = (event: MessageEvent<PageMessage>) => this.receive(event.data);
    // Only these names are served; what comlink could otherwise reach of this object stays private.
    const api: VmApi = {
      prepare: (core) => this.prepare(core),
      translations: (library) => this.translations(library),
      boot: (config) => this.boot(config),
      pause: () => this.pause(),
      resume: () => this.resume(),
      reset: () => this.reset(),
      powerOff: () => this.powerOff(),
      capture: (port) => this.capture(port),
      restore: (config) => this.restore(config),
    };
    Comlink.expose(api, ports.control);
  }

  async prepare(core: ArrayBuffer): Promise<void> {
    this.core = await WebAssembly.compile(core);
  }

  async translations(library: PackedImage): Promise<void> {
    this.receiveLibrary(unpack(library));
  }

  async boot(config: BootConfig): Promise<void> {
    if (this.machine !== undefined) throw new Error('This worker already runs a machine.');
    if (this.core === undefined) throw new Error('The CPU core has not been compiled yet.');
    const host = workerHost(() => this.output.room());
    const machine = await this.createMachine(config, this.core, host, this.library);
    this.machine = machine;
    machine.onConsole((data, source) => this.output.push(data, source));
    machine.onState((state) => this.report(state));
    const gate = new EventGate(
      () => performance.now(),
      (event) => this.send({ type: 'event', event }),
    );
    machine.onEvent((event) => gate.pass(event));
    machine.onCpuDemand((demand) => this.send({ type: 'demand', demand }));
    machine.resize(config.columns, config.rows);
    this.reportFigures(machine, host);
    await machine.start();
    const { early = [] } = this;
    this.early = undefined;
    for (const message of early) this.receive(message);
  }

  async pause(): Promise<void> {
    await this.running().pause();
  }

  async resume(): Promise<void> {
    await this.running().resume();
  }

  async reset(): Promise<void> {
    await this.running().reset();
  }

  async powerOff(): Promise<void> {
    await this.running().powerOff();
  }

  async capture(port: MessagePort): Promise<CaptureReport> {
    const { pause_ms, pages, total_ms } = await this.running().capture(port);
    return { pause_ms, pages, total_ms };
  }

  async restore(config: RestoreConfig): Promise<void> {
    await this.running().restore(config);
  }

  private running(): ServedMachine {
    if (this.machine === undefined) throw new Error('The machine has not been created yet.');
    return this.machine;
  }

  private receive(message: PageMessage): void {
    const { machine } = this;
    try {
      if (message.type === 'acknowledge') this.output.acknowledge(message.bytes);
      else if (this.early !== undefined || machine === undefined) this.early?.push(message);
      else if (message.type === 'input') machine.consoleInput(message.data);
      else if (message.type === 'memory') machine.setMemoryTarget(message.target);
      else if (message.type === 'quota') machine.setCpuQuota(message.quota);
      else if (message.type === 'disk-limits') machine.setDiskLimits(message.all, message.each);
      else machine.resize(message.columns, message.rows);
    } catch (error) {
      this.report({ kind: 'crashed', reason: sentence(error) });
    }
  }

  private report(state: GuestState): void {
    const message: GuestState = { kind: state.kind };
    if (state.reason !== undefined) message.reason = clip(state.reason);
    if (state.exitCode !== undefined) message.exitCode = Math.trunc(state.exitCode);
    this.send({ type: 'state', state: message });
  }

  private reportFigures(machine: ServedMachine, host: WorkerHost): void {
    const look = (): Look => ({
      at: performance.now(),
      running: machine.state.kind === 'running',
      wakeups: host.wakeups,
      totals: machine.totals(),
    });
    let last = look();
    const report = () => {
      if (machine.state.kind === 'destroyed') return;
      const now = look();
      const cost = performance.now() - now.at;
      this.send({ type: 'figures', figures: figuresBetween(last, now) });
      last = now;
      // Looking through a large memory takes time: an idle VM must stay idle.
      setTimeout(
        report,
        Math.min(5 * FIGURES_INTERVAL_MS, Math.max(FIGURES_INTERVAL_MS, cost * 200)),
      );
    };
    setTimeout(report, FIGURES_INTERVAL_MS);
  }

  private send(message: WorkerMessage, transfer: Transferable[] = []): void {
    this.stream.postMessage(message, transfer);
  }
}
