/**
 * One virtual machine as the page knows it: what it was made from, its life cycle across power-ons,
 * its console and its figures. It owns at most one connection to a worker. Every change is told to
 * the owner as a new, immutable view.
 */

import * as v from 'valibot';
import { SHARED_TAG } from '../machine/devices/virtio/share-backend.ts';
import { type Limits, LimitsSchema, withLimits } from '../resources/limits.ts';
import type { PortDiskConfig } from '../worker/port-disk.ts';
import type {
  BootConfig,
  CaptureReport,
  GuestState,
  RestoreOrigin,
  WorkerMessage,
} from '../worker/protocol.ts';
import { BootProgress } from './boot-progress.ts';
import { type BootSource, bootSource, giveRoot, resetSource } from './boot-source.ts';
import type { Connection } from './connection.ts';
import { ConsoleStream } from './console-stream.ts';
import type { Origin } from './origin.ts';
import { VmLimits } from './resources/vm-limits.ts';
import { SharedFolder } from './shares.ts';
import type { RestoreChoice, SnapshotReport, SnapshotRequest } from './snapshots/types.ts';
import { VmDisks } from './vm-disks.ts';
import type { VmSurroundings } from './vm-surroundings.ts';
import { isLive, isPending, newView, type VmSpecification, type VmView } from './vm-view.ts';

export {
  isLive,
  isPending,
  type VmSpecification,
  type VmStatus,
  type VmView,
} from './vm-view.ts';

type KeptChange = Partial<
  Pick<VmView, 'keptId' | 'current' | 'backups' | 'saving' | 'recovery' | 'reason'>
>;

const HISTORY = 60;
/** Figures come every second; after this long without any the VM is shown as not answering. */
const SILENCE_MS = 6000;
/** The prompt must have stood this long before a command is typed, in milliseconds. */
const PROMPT_SETTLES_MS = 120;

export class Vm {
  view: VmView;
  readonly console: ConsoleStream;
  /** The folder that the guest has under /mnt/shared; another one from the next power-on on. */
  shared = SharedFolder.inMemory();
  /** Where the next start goes on from. */
  next: Origin | undefined;
  private closeOrigin: () => void = () => {};
  private session: { dispose(): void } | undefined;
  private connection: Connection | undefined;
  private readonly progress = new BootProgress();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private size = { columns: 80, rows: 24 };
  private run: string | undefined;
  /** To be called at the prompt. */
  private usable: (() => void) | undefined;
  private readonly listeners = new Set<(data: Uint8Array) => void>();
  private readonly disks: VmDisks;
  private readonly limits: VmLimits;
  /** Counts power-ons: what a former one still has to say is dropped. */
  private generation = 0;

  constructor(
    id: string,
    readonly specification: VmSpecification,
    private readonly surroundings: VmSurroundings,
    private readonly changed: (view: VmView, before: VmView) => void,
  ) {
    this.console = new ConsoleStream((bytes) =>
      this.connection?.send({ type: 'acknowledge', bytes }),
    );
    this.disks = new VmDisks(surroundings.storage, (reason) => this.update({ reason }));
    this.limits = new VmLimits(id, specification.limits ?? {}, surroundings.scheduler, (message) =>
      this.connection?.send(message),
    );
    this.run = specification.run;
    this.view = newView(id, specification, this.limits.current);
  }

  /**
   * Downloads what is missing and powers on; goes on from `origin`, where there is one. Never rejects:
   * failures are the VM's state.
   */
  async start(origin: Origin | undefined = this.next): Promise<void> {
    if (isLive(this.view.status) || isPending(this.view.status)) return;
    const generation = ++this.generation;
    const current = () => this.generation === generation;
    if (origin === undefined) {
      this.specification.memory = this.limits.current.memory?.maximum ?? this.specification.memory;
    }
    this.update({
      status: 'downloading',
      reason: undefined,
      download: { loaded: 0, total: 0 },
      history: [],
      figures: undefined,
      bootSeconds: undefined,
      silent: false,
    });
    try {
      // The worker gets ready while the images come.
      const preparing = this.prepare(current);
      // What goes wrong there is met below, when the images are there.
      preparing.catch(() => {});
      await giveRoot(this.surroundings.images, this.specification);
      const loading = origin
        ? this.originSource(origin, current)
        : bootSource(
            this.surroundings,
            this.specification,
            (loaded, total) => {
              if (current()) this.update({ download: { loaded, total } });
            },
            this.violation(current),
          );
      const { memory, append, config, usable } = await loading.catch((error: unknown) => {
        preparing.then((connection) => connection.close()).catch(() => {});
        throw error;
      });
      if (current()) this.update({ status: 'starting', download: undefined, memory });
      if (current()) this.usable = usable;
      const connection = await preparing;
      if (!current()) return connection.close();
      const disks = await this.openDisks(current);
      if (!current()) return connection.close();
      this.progress.restart(origin && 'shell');
      await connection.boot({
        shares: [{ tag: SHARED_TAG, port: this.share(current) }],
        memory,
        append,
        ...config,
        ...(this.specification.disk === undefined ? {} : { disk: this.specification.disk }),
        ...(disks.length === 0 ? {} : { disks }),
        shared: connection.sharedMemory,
        ...this.size,
      });
      if (!current()) return;
      this.limits.started();
      this.next = undefined;
      this.update({ isolation: connection.isolation, recovery: undefined });
    } catch (error) {
      if (current()) this.end('failed', error instanceof Error ? error.message : String(error));
    }
  }

  private async originSource(
    origin: Origin,
    current: () => boolean,
  ): Promise<Omit<BootSource, 'config'> & { config: Pick<BootConfig, 'from'> }> {
    const [from, { append, images }] = await Promise.all([
      this.takeOrigin(origin, current),
      resetSource(this.surroundings, this.specification, this.violation(current)),
    ]);
    return { memory: origin.memory, append, config: { from: { ...from, images } } };
  }

  /** What a worker needs to go on from there. The VM's disks are closed, and are what they were then. */
  private async takeOrigin(origin: Origin, current: () => boolean): Promise<RestoreOrigin> {
    await this.disks.closed;
    await origin.prepare(this.specification.disks ?? []);
    const { source, share, close } = await origin.open(this.violation(current));
    this.closeOrigin();
    this.closeOrigin = close;
    if (share) this.shared.restore(share);
    this.console.note(`From the snapshot “${origin.name}”`);
    this.console.show(origin.picture);
    return { source, generation: origin.generation, name: this.view.name };
  }

  /** Becomes what it was there, whatever it is now, and goes on. */
  async goOn(origin: Origin): Promise<void> {
    const { connection, generation } = this;
    const fits = isLive(this.view.status) && this.view.memory === origin.memory;
    if (connection === undefined || !fits) {
      if (isLive(this.view.status) || isPending(this.view.status)) await this.powerOff();
      return this.start(origin);
    }
    const current = () => this.generation === generation;
    this.update({ busy: true });
    try {
      // Its disks are about to be taken away: nothing of it may run.
      if (this.view.status !== 'paused') await connection.pause();
      this.disks.close();
      const from = await this.takeOrigin(origin, current);
      const disks = await this.openDisks(current);
      if (!current()) return;
      this.progress.restart('shell');
      const shares = [{ tag: SHARED_TAG, port: this.share(current) }];
      await connection.restore({ ...from, disks, shares });
      this.update({ startedAt: performance.now(), recovery: undefined });
    } catch {
      // A machine that is made for it may take what this one did not; what else is wrong shows there.
      if (!current()) return;
      await this.powerOff();
      await this.start(origin);
    } finally {
      if (current()) this.update({ busy: false });
    }
  }

  /** All of the machine, over a port to the broker of storage. */
  capture(port: MessagePort): Promise<CaptureReport> {
    if (this.connection === undefined || !isLive(this.view.status)) {
      throw new Error('The VM is not running: there is nothing to capture.');
    }
    return this.connection.capture(port);
  }

  /** Ids of its disks of storage, in the machine's order, while it is on. */
  get diskIds(): readonly string[] {
    return this.disks.ids;
  }

  /** What storage knows of it has changed. */
  setKept(change: KeptChange): void {
    this.update(change);
  }

  /** Its worker broke the rules on a port that somebody else serves. */
  stop(what: string): void {
    if (this.connection !== undefined) this.end('crashed', violationReason(what));
  }

  /** Resolves when none of its disks is open any more. */
  get closed(): Promise<void> {
    return this.disks.closed;
  }

  private openDisks(current: () => boolean): Promise<PortDiskConfig[]> {
    const events = {
      trouble: (message: string) => {
        if (current()) this.update({ reason: message });
      },
      violation: this.violation(current),
    };
    return this.disks.open(this.specification.disks ?? [], events, current);
  }

  /** What ends the VM when its worker breaks the rules on a port of its own. */
  private violation(current: () => boolean): (what: string) => void {
    return (what) => {
      if (current()) this.end('crashed', violationReason(what));
    };
  }

  /** A worker for the power-on for which `current` holds. */
  private prepare(current: () => boolean): Promise<Connection> {
    return this.surroundings.workers.take(this.view.name, (connection) => {
      if (!current()) return connection.close();
      // From here on whatever ends the VM ends the worker: one that misbehaves before it has booted, too.
      this.connection = connection;
      this.console.restart();
      connection.attach({
        message: (message) => {
          if (current()) this.receive(message);
        },
        lost: (reason) => {
          if (current()) this.end('crashed', reason);
        },
      });
    });
  }

  /** Serves the shared folder for the power-on for which `current` holds; the worker's end of it. */
  private share(current: () => boolean): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.session?.dispose();
    this.session = this.shared.serve(port1, this.violation(current));
    return port2;
  }

  async pause(): Promise<void> {
    await this.command((connection) => connection.pause());
  }

  async resume(): Promise<void> {
    await this.command((connection) => connection.resume());
  }

  async reset(): Promise<void> {
    await this.command(async (connection) => {
      this.console.note('Reset');
      this.progress.restart();
      this.update({
        status: 'booting',
        bootStage: 'kernel',
        startedAt: performance.now(),
        pausedAt: undefined,
        bootSeconds: undefined,
      });
      await connection.reset();
    });
  }

  /** Cuts the power: also a VM that does not answer ends. */
  async powerOff(reason = 'Powered off.'): Promise<void> {
    const connection = this.connection;
    if (connection !== undefined) {
      this.update({ busy: true });
      await connection.powerOff().catch(() => {});
    }
    this.end('off', reason);
  }

  /** Takes a snapshot of the VM while it runs; from then on it is kept. */
  async takeSnapshot(request: SnapshotRequest): Promise<SnapshotReport> {
    return (await this.surroundings.library()).take(this, request);
  }

  /** Becomes what a snapshot holds, its disks too, and goes on from there. */
  async restore(snapshot: string, choice: RestoreChoice = {}): Promise<void> {
    await (await this.surroundings.library()).restore(this, snapshot, choice);
  }

  /**
   * Other limits, which hold at once, but the maximum of memory, which holds from the next start on;
   * what `changes` leaves out stays.
   */
  setLimits(changes: Limits): void {
    const limits = v.parse(LimitsSchema, withLimits(this.limits.current, changes));
    this.limits.set(limits);
    this.update({ limits });
  }

  /** Asks the guest to get by with so many bytes, as long as it is on; its limits stay as they are. */
  setMemoryTarget(bytes: number): void {
    this.connection?.send({ type: 'memory', target: bytes });
  }

  /** Hears what its consoles print. Returns what ends that. */
  onOutput(listener: (data: Uint8Array) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  input(data: Uint8Array): void {
    this.connection?.send({ type: 'input', data });
  }

  resize(columns: number, rows: number): void {
    this.size = { columns, rows };
    this.connection?.send({ type: 'resize', columns, rows });
  }

  setTitle(title: string): void {
    this.update({ title: title.slice(0, 200) });
  }

  dispose(): void {
    this.generation++;
    this.disconnect();
    this.console.detach();
  }

  private async command(action: (connection: Connection) => Promise<void>): Promise<void> {
    const connection = this.connection;
    if (connection === undefined || this.view.busy) return;
    this.update({ busy: true });
    try {
      await action(connection);
    } catch (error) {
      if (this.connection === connection) {
        this.update({ reason: error instanceof Error ? error.message : String(error) });
      }
    } finally {
      this.update({ busy: false });
    }
  }

  private receive(message: WorkerMessage): void {
    this.heard();
    if (message.type === 'output') {
      for (const listener of [...this.listeners]) listener(message.data);
      if (!this.console.receive(message.data)) {
        this.end(
          'crashed',
          'The VM was stopped: its worker sent console output that nobody asked for.',
        );
        return;
      }
      if (this.progress.observe(message.data, message.source)) this.progressed();
    } else if (message.type === 'figures') {
      this.update({
        figures: message.figures,
        history: [...this.view.history.slice(1 - HISTORY), message.figures.busy],
      });
    } else if (message.type === 'event') {
      this.surroundings.happened(message.event);
    } else if (message.type === 'demand') {
      this.limits.demanded(message.demand);
    } else {
      this.guestState(message.state);
    }
  }

  private guestState(state: GuestState): void {
    this.limits.pause(state.kind === 'paused');
    if (state.kind === 'running') {
      const status = this.progress.stage === 'shell' ? 'running' : 'booting';
      this.update({
        status,
        startedAt: isPending(this.view.status) ? performance.now() : this.startWithoutPause(),
        pausedAt: undefined,
        reason: undefined,
        bootStage: this.progress.stage,
      });
    } else if (state.kind === 'paused') {
      // One that goes on from a snapshot is, for a moment.
      if (isPending(this.view.status)) return;
      this.update({ status: 'paused', pausedAt: this.view.pausedAt ?? performance.now() });
    } else if (state.kind === 'off' || state.kind === 'destroyed') {
      this.end('off', state.reason ?? 'The guest powered off.');
    } else if (state.kind === 'crashed') {
      this.end('crashed', state.reason ?? 'The machine stopped for an unknown reason.');
    }
  }

  /** The power-on as if the pause that ends now had not been: a guest does not age in it. */
  private startWithoutPause(): number | undefined {
    const { startedAt, pausedAt } = this.view;
    if (startedAt === undefined || pausedAt === undefined) return startedAt;
    return startedAt + (performance.now() - pausedAt);
  }

  private progressed(): void {
    const { stage } = this.progress;
    this.update({ bootStage: stage });
    if (stage !== 'shell' && this.view.status === 'running') {
      // The guest rebooted by itself.
      this.update({ status: 'booting', startedAt: performance.now(), bootSeconds: undefined });
    }
    if (stage !== 'shell') return;
    this.usable?.();
    this.usable = undefined;
    const startedAt = this.view.startedAt ?? performance.now();
    this.update({
      bootSeconds: (performance.now() - startedAt) / 1000,
      ...(this.view.status === 'booting' ? { status: 'running' as const } : {}),
    });
    const command = this.run;
    if (command === undefined) return;
    this.run = undefined;
    const generation = this.generation;
    setTimeout(() => {
      if (this.generation !== generation) return;
      this.input(new TextEncoder().encode(`${command}\r`));
    }, PROMPT_SETTLES_MS);
  }

  private heard(): void {
    clearTimeout(this.silence);
    if (this.view.silent) this.update({ silent: false });
    this.silence = setTimeout(() => {
      if (isLive(this.view.status)) this.update({ silent: true });
    }, SILENCE_MS);
  }

  private end(status: 'off' | 'crashed' | 'failed', reason: string): void {
    this.generation++;
    this.disconnect();
    if (status !== 'failed') this.console.note(reason.replace(/\.$/, ''));
    this.update({
      status,
      reason,
      download: undefined,
      busy: false,
      silent: false,
      startedAt: undefined,
      pausedAt: undefined,
      figures: undefined,
      history: [],
    });
  }

  private disconnect(): void {
    clearTimeout(this.silence);
    this.limits.ended();
    this.connection?.close();
    this.connection = undefined;
    this.disks.close();
    this.closeOrigin();
    this.session?.dispose();
    this.session = undefined;
  }

  private update(change: Partial<VmView>): void {
    const before = this.view;
    this.view = { ...before, ...change };
    this.changed(this.view, before);
  }
}

function violationReason(what: string): string {
  return `The VM was stopped: its worker broke the rules of the boundary (${what}).`;
}
