/**
 * The page's end of one worker: an enclosure, the two checked ports, and the commands with a time
 * limit. A connection lives from one power-on to the power-off; the VM outlives it.
 */
import * as Comlink from 'comlink';
import {
  type BootConfig,
  type CaptureReport,
  type PackedImage,
  type PageMessage,
  ReplySchema,
  type RestoreConfig,
  type VmApi,
  type WorkerMessage,
  WorkerMessageSchema,
} from '../worker/protocol.ts';
import {
  type Enclosure,
  encloseWorker,
  FrameRefused,
  type Isolation,
  plainWorker,
} from './frame.ts';
import { checkedEndpoint, listenChecked } from './guard.ts';

/** A worker that does not answer a command within this time is taken as stuck, in milliseconds. */
const COMMAND_TIMEOUT_MS = 5000;
/** Booting copies and compiles tens of megabytes. */
const BOOT_TIMEOUT_MS = 60_000;

export interface ConnectionEvents {
  message(message: WorkerMessage): void;
  /** The worker died or broke the rules; the connection is closed. */
  lost(reason: string): void;
}

/** The worker died or broke the rules: the reason is a sentence. */
export class WorkerLost extends Error {}

export class Connection {
  private closed = false;
  private events: ConnectionEvents | undefined;
  private reason: string | undefined;
  /** Rejects commands under way when the worker is lost. */
  private readonly losses = new Set<(error: WorkerLost) => void>();

  private constructor(
    private readonly enclosure: Enclosure,
    private readonly stream: MessagePort,
    // Held for as long as the connection lives: a collected proxy would hang its caller.
    private readonly api: Comlink.Remote<VmApi>,
  ) {}

  /** Starts a worker, with a name for those who debug it. Nobody listens to it before `attach`. */
  static async open(source: ArrayBuffer, name: string): Promise<Connection> {
    let connection: Connection | undefined;
    let early: string | undefined;
    const end = (reason: string) => {
      early ??= reason;
      connection?.lose(reason);
    };
    const violation = (what: string) =>
      end(`The VM was stopped: its worker broke the rules of the boundary (${what}).`);
    const failure = (message: string) => end(`The VM's worker failed: ${message}`);

    const wire = () => {
      const control = new MessageChannel();
      const stream = new MessageChannel();
      return { control, stream, ports: { control: control.port2, stream: stream.port2 } };
    };
    let ends = wire();
    const enclosure = await encloseWorker(source, name, ends.ports, failure).catch((error) => {
      if (!(error instanceof FrameRefused)) throw error;
      ends = wire();
      return plainWorker(source, name, ends.ports, failure);
    });
    listenChecked(
      ends.stream.port1,
      WorkerMessageSchema,
      (message) => connection?.events?.message(message),
      violation,
    );
    const api = Comlink.wrap<VmApi>(checkedEndpoint(ends.control.port1, ReplySchema, violation));
    connection = new Connection(enclosure, ends.stream.port1, api);
    if (early !== undefined) connection.lose(early);
    return connection;
  }

  /** Says who listens: at once to a loss that has already happened. */
  attach(events: ConnectionEvents): void {
    this.events = events;
    if (this.reason !== undefined) events.lost(this.reason);
  }

  get usable(): boolean {
    return !this.closed;
  }

  private lose(reason: string): void {
    if (this.closed) return;
    this.reason = reason;
    this.close();
    for (const reject of this.losses) reject(new WorkerLost(reason));
    this.events?.lost(reason);
  }

  get isolation(): Isolation {
    return this.enclosure.isolation;
  }

  get sharedMemory(): boolean {
    return this.enclosure.sharedMemory;
  }

  prepare(core: ArrayBuffer): Promise<void> {
    return this.timed(this.api.prepare(Comlink.transfer(core, [core])), BOOT_TIMEOUT_MS);
  }

  /** Nothing waits for them, and without them guests only start slower. */
  translations(library: PackedImage): void {
    if (this.closed) return;
    this.api.translations(Comlink.transfer(library, [library.bytes])).catch(() => {});
  }

  boot(config: BootConfig): Promise<void> {
    const { kernel, initrd, template } = config;
    const images = [kernel, initrd, template?.index, template?.state];
    const transfer: Transferable[] = images.flatMap((image) => (image ? [image.bytes] : []));
    if (template !== undefined) transfer.push(template.port);
    const { disks = [], shares = [] } = config;
    for (const { port } of [...disks, ...shares]) transfer.push(port);
    if (config.from) transfer.push(config.from.source, config.from.images);
    return this.timed(this.api.boot(Comlink.transfer(config, transfer)), BOOT_TIMEOUT_MS);
  }

  pause(): Promise<void> {
    return this.timed(this.api.pause());
  }

  resume(): Promise<void> {
    return this.timed(this.api.resume());
  }

  reset(): Promise<void> {
    return this.timed(this.api.reset());
  }

  /** Asks the machine to end; it ends in any case when the connection is closed. */
  powerOff(): Promise<void> {
    return this.timed(this.api.powerOff(), 1000);
  }

  /** Takes as long as the storage does; ends when the worker does. */
  capture(port: MessagePort): Promise<CaptureReport> {
    return this.timed(this.api.capture(Comlink.transfer(port, [port])), Number.POSITIVE_INFINITY);
  }

  restore(config: RestoreConfig): Promise<void> {
    const transfer = [
      config.source,
      ...[...config.disks, ...config.shares].map(({ port }) => port),
    ];
    return this.timed(
      this.api.restore(Comlink.transfer(config, transfer)),
      Number.POSITIVE_INFINITY,
    );
  }

  send(message: PageMessage): void {
    if (!this.closed) this.stream.postMessage(message);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.stream.onmessage = null;
    this.stream.close();
    this.enclosure.dispose();
  }

  /** A limit that is not finite: only the end of the worker ends it. */
  private async timed<T>(command: Promise<T>, limit = COMMAND_TIMEOUT_MS): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lost: ((error: WorkerLost) => void) | undefined;
    const failure = new Promise<never>((_, reject) => {
      if (Number.isFinite(limit)) {
        timer = setTimeout(
          () => reject(new Error('The VM does not answer. Power it off to end it.')),
          limit,
        );
      }
      lost = reject;
      this.losses.add(reject);
      if (this.reason !== undefined) reject(new WorkerLost(this.reason));
    });
    try {
      return await Promise.race([command, failure]);
    } finally {
      clearTimeout(timer);
      if (lost) this.losses.delete(lost);
    }
  }
}
