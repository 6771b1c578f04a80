/**
 * A VM's worker for tests of what talks to it: RAM that is an array, disks and a shared folder on the
 * ports that it is given, captures and restores as the real one does them. No guest code runs.
 */
import type { PageRun } from '../../machine/snapshot/snapshot.ts';
import { newId } from '../../storage/id.ts';
import { PortDisk } from '../../worker/port-disk.ts';
import { PortSink } from '../../worker/port-sink.ts';
import { PortSource } from '../../worker/port-source.ts';
import type {
  BootConfig,
  CaptureReport,
  GuestState,
  RestoreConfig,
} from '../../worker/protocol.ts';
import type { Connection, ConnectionEvents } from '../connection.ts';
import type { Workers } from '../workers.ts';

const PAGE = 4096;

/** Of all workers of a page, also of those that are still to be made. */
export interface Timing {
  /** Milliseconds by which what a worker tells comes later than what it answers. */
  lateness: number;
}

export class FakeWorker {
  readonly isolation = 'worker';
  readonly sharedMemory = false;
  ram = new Uint8Array(0);
  disks: PortDisk[] = [];
  /** What the last restore was told. */
  generation: string | undefined;
  name: string | undefined;
  /** Milliseconds that a capture waits in its middle. */
  slowness = 0;
  closed = false;
  /** Its machine is not one that takes snapshots in. */
  refuses = false;
  #shares: readonly { port: MessagePort }[] = [];
  #events: ConnectionEvents | undefined;
  #lose: (error: Error) => void = () => {};
  #token: string | undefined;
  #captured = new Uint8Array(0);

  constructor(private readonly timing: Timing) {}

  attach(events: ConnectionEvents): void {
    this.#events = events;
  }

  async boot(config: BootConfig): Promise<void> {
    this.ram = new Uint8Array(config.memory);
    this.#take(config.disks ?? [], config.shares ?? []);
    if (config.from) await this.#load(config.from);
    this.#state({ kind: 'running' });
  }

  capture(port: MessagePort): Promise<CaptureReport> {
    const lost = new Promise<never>((_, reject) => {
      this.#lose = reject;
    });
    return Promise.race([this.#capture(port), lost]);
  }

  async #capture(port: MessagePort): Promise<CaptureReport> {
    const sink = new PortSink(port);
    const base =
      this.#token !== undefined && (await sink.has(this.#token)) ? this.#token : undefined;
    const token = newId();
    const ram = this.ram.slice();
    for (const disk of this.disks) disk.freeze(token);
    for (const share of this.#shares) share.port.postMessage({ type: 'freeze', token });
    try {
      const state = { setup: 0, state: 0 };
      await sink.begin({ memory: ram.length, state, token, ...(base && { base }) });
      if (this.slowness > 0) await new Promise((resolve) => setTimeout(resolve, this.slowness));
      let pages = 0;
      for (const run of this.#changed(ram, base)) {
        await sink.pages(run);
        pages++;
      }
      await sink.end();
      this.#token = token;
      this.#captured = ram;
      return { pause_ms: 1, pages, total_ms: 2 };
    } catch (error) {
      sink.abort(String(error));
      throw error;
    }
  }

  async restore(config: RestoreConfig): Promise<void> {
    if (this.refuses) throw new Error('The snapshot is of a machine with other ports.');
    this.#take(config.disks, config.shares);
    await this.#load(config);
    this.#state({ kind: 'running' });
  }

  async pause(): Promise<void> {
    this.#state({ kind: 'paused' });
  }

  async resume(): Promise<void> {
    this.#state({ kind: 'running' });
  }

  async powerOff(): Promise<void> {}

  send(): void {}

  /** Its guest prints on its console, such as a prompt. */
  prints(text: string): void {
    const data = new TextEncoder().encode(text);
    this.#events?.message({ type: 'output', source: 'hvc', data });
  }

  /** Its worker dies. */
  crash(reason: string): void {
    this.#lose(new Error(reason));
    this.#events?.lost(reason);
  }

  close(): void {
    this.closed = true;
    for (const { port } of this.#shares) port.close();
  }

  async #load({ source, generation, name }: Pick<RestoreConfig, 'source' | 'generation' | 'name'>) {
    const opened = await PortSource.open(source);
    if (opened.image.memory !== this.ram.length) throw new Error('The memory has another size.');
    this.ram.fill(0);
    for await (const { first, bytes } of opened.pages()) this.ram.set(bytes, first * PAGE);
    this.generation = generation;
    this.name = name;
    this.#token = opened.image.token;
    this.#captured = this.ram.slice();
  }

  #take(disks: NonNullable<BootConfig['disks']>, shares: readonly { port: MessagePort }[]): void {
    this.disks = disks.map((disk) => new PortDisk(disk));
    this.#shares = shares;
  }

  *#changed(ram: Uint8Array, base: string | undefined): Generator<PageRun> {
    for (let at = 0; at < ram.length; at += PAGE) {
      const bytes = ram.slice(at, at + PAGE);
      const before = base === undefined ? undefined : this.#captured.subarray(at, at + PAGE);
      const same = before ? Buffer.compare(bytes, before) === 0 : bytes.every((byte) => byte === 0);
      if (!same) yield { first: at / PAGE, bytes };
    }
  }

  #state(state: GuestState): void {
    const tell = () => {
      if (!this.closed) this.#events?.message({ type: 'state', state });
    };
    if (this.timing.lateness > 0) setTimeout(tell, this.timing.lateness);
    else queueMicrotask(tell);
  }
}

/** Gives out such workers; `made` has them all, the newest last. */
export function fakeWorkers(): { workers: Workers; made: FakeWorker[]; timing: Timing } {
  const timing = { lateness: 0 };
  const made: FakeWorker[] = [];
  const take = async (_: string, opened: (connection: Connection) => void) => {
    const worker = new FakeWorker(timing);
    made.push(worker);
    const connection = worker as unknown as Connection;
    opened(connection);
    return connection;
  };
  return { workers: { take, warm: async () => {} } as unknown as Workers, made, timing };
}
