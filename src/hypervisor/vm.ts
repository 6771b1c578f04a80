/**
 * One virtual machine as the page knows it: what it was made from, its life cycle across power-ons,
 * its console and its figures. It owns at most one connection to a worker. Every change is told to
 * the owner as a new, immutable view.
 */

import { SHARED_TAG } from '../machine/devices/virtio/share-backend.ts';
import type { Template } from '../machine/manifest.ts';
import type { PortDiskConfig } from '../worker/port-disk.ts';
import type { Figures, GuestState, MachineEvent, WorkerMessage } from '../worker/protocol.ts';
import { BootProgress, type BootStage } from './boot-progress.ts';
import { bootSource } from './boot-source.ts';
import type { Connection } from './connection.ts';
import { ConsoleStream } from './console-stream.ts';
import type { Isolation } from './frame.ts';
import { withHostName } from './host-name.ts';
import type { ImageStore } from './images.ts';
import { SharedFolder } from './shares.ts';
import type {
  BackupPolicy,
  RestoreChoice,
  SnapshotReport,
  SnapshotRequest,
} from './snapshots/types.ts';
import type { DiskRequest } from './storage/api.ts';
import type { Storage } from './storage/client.ts';
import type { TemplateSnapshots } from './template-snapshots.ts';
import type { Workers } from './workers.ts';

export type VmStatus =
  | 'downloading'
  | 'starting'
  | 'booting'
  | 'running'
  | 'paused'
  | 'off'
  | 'crashed'
  | 'failed';

export interface VmView {
  readonly id: string;
  readonly name: string;
  readonly template: Template;
  /** Guest RAM in bytes; undefined until the template's default is known. */
  readonly memory: number | undefined;
  readonly status: VmStatus;
  /** Why it is off, crashed or failed: a sentence. */
  readonly reason: string | undefined;
  readonly download: { loaded: number; total: number } | undefined;
  readonly bootStage: BootStage;
  /** Time of the last power-on by `performance.now()`, moved on by the time spent paused. */
  readonly startedAt: number | undefined;
  /** Since when it is paused, by the same clock. */
  readonly pausedAt: number | undefined;
  /** Seconds from power-on to the shell. */
  readonly bootSeconds: number | undefined;
  readonly figures: Figures | undefined;
  /** Processor share of the last minute, oldest first, 0 to 1. */
  readonly history: readonly number[];
  /** A command is under way. */
  readonly busy: boolean;
  /** The worker has not been heard of for a while. */
  readonly silent: boolean;
  readonly isolation: Isolation | undefined;
  /** Title that the guest set for its terminal. */
  readonly title: string;
  /** What storage knows it by, and its snapshots name it by; undefined: it is not kept. */
  readonly keptId: string | undefined;
  /** Id of the snapshot that it was taken to or restored from last. */
  readonly current: string | undefined;
  readonly backups: BackupPolicy | undefined;
  /** A snapshot of it is under way. */
  readonly saving: boolean;
  /** It was cut off, by the end of its tab or of its worker: the snapshot that it can go on from. */
  readonly recovery: string | undefined;
}

export interface VmSpecification {
  template: Template;
  name: string;
  /** Bytes; the template's default when left out. */
  memory?: number | undefined;
  /** Bytes of a blank disk, which lives from a power-on to the power-off; none when left out. */
  disk?: number | undefined;
  /** Disks of storage, by the ids that they have there; made when they are not there yet. */
  disks?: readonly DiskRequest[] | undefined;
  /** Boots the kernel, although the template has a snapshot. */
  cold?: boolean | undefined;
  /** Typed when the shell is up. */
  run?: string | undefined;
}

export interface VmSurroundings {
  images: ImageStore;
  starts: TemplateSnapshots;
  workers: Workers;
  storage: Storage;
  /** Something happened in the machine that is no state of it. */
  happened: (event: MachineEvent) => void;
}

const HISTORY = 60;
/** Figures come every second; after this long without any the VM is shown as not answering. */
const SILENCE_MS = 6000;
/** The prompt must have stood this long before a command is typed, in milliseconds. */
const PROMPT_SETTLES_MS = 120;

export function isLive(status: VmStatus): boolean {
  return status === 'booting' || status === 'running' || status === 'paused';
}

export function isPending(status: VmStatus): boolean {
  return status === 'downloading' || status === 'starting';
}

export class Vm {
  view: VmView;
  readonly console: ConsoleStream;
  /** The folder that the guest has under /mnt/shared; another one from the next power-on on. */
  shared = SharedFolder.inMemory();
  private session: { dispose(): void } | undefined;
  private connection: Connection | undefined;
  private readonly progress = new BootProgress();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private size = { columns: 80, rows: 24 };
  private run: string | undefined;
  /** Ids of the disks that are open, or about to be. */
  private opened: string[] = [];
  /** The disks of a former power-on are being flushed. */
  private closing: Promise<void> = Promise.resolve();
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
    this.run = specification.run;
    this.view = {
      id,
      name: specification.name,
      template: specification.template,
      memory: specification.memory,
      status: 'off',
      reason: undefined,
      download: undefined,
      bootStage: 'kernel',
      startedAt: undefined,
      pausedAt: undefined,
      bootSeconds: undefined,
      figures: undefined,
      history: [],
      busy: false,
      silent: false,
      isolation: undefined,
      title: '',
      keptId: undefined,
      current: undefined,
      backups: undefined,
      saving: false,
      recovery: undefined,
    };
  }

  /** Downloads what is missing and powers on. Never rejects: failures are the VM's state. */
  async start(): Promise<void> {
    if (isLive(this.view.status) || isPending(this.view.status)) return;
    const generation = ++this.generation;
    const current = () => this.generation === generation;
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
      const { manifest, memory, config } = await bootSource(
        this.surroundings,
        this.specification,
        (loaded, total) => {
          if (current()) this.update({ download: { loaded, total } });
        },
        (what) => {
          if (current()) this.end('crashed', violationReason(what));
        },
      ).catch((error: unknown) => {
        preparing.then((connection) => connection.close()).catch(() => {});
        throw error;
      });
      if (current()) this.update({ status: 'starting', download: undefined, memory });
      const connection = await preparing;
      if (!current()) return connection.close();
      const disks = await this.openDisks(current);
      if (!current()) return connection.close();
      this.progress.restart();
      await connection.boot({
        shares: [{ tag: SHARED_TAG, port: this.share(current) }],
        memory,
        ...config,
        append: withHostName(manifest.append, this.specification.name, manifest.name),
        ...(this.specification.disk === undefined ? {} : { disk: this.specification.disk }),
        ...(disks.length === 0 ? {} : { disks }),
        shared: connection.sharedMemory,
        ...this.size,
      });
      if (current()) this.update({ isolation: connection.isolation });
    } catch (error) {
      if (current()) this.end('failed', error instanceof Error ? error.message : String(error));
    }
  }

  /** The disks of storage, when those of the last power-on are closed. */
  private async openDisks(current: () => boolean): Promise<PortDiskConfig[]> {
    const { storage } = this.surroundings;
    await this.closing;
    const opened: PortDiskConfig[] = [];
    for (const request of this.specification.disks ?? []) {
      if (!current()) break;
      this.opened.push(request.id);
      opened.push(
        await storage.openDisk(request, {
          trouble: (message) => {
            if (current()) this.update({ reason: message });
          },
          violation: (what) => {
            if (current()) this.end('crashed', violationReason(what));
          },
        }),
      );
    }
    // The VM ended meanwhile: nobody else would close them.
    if (!current()) this.closeDisks();
    return opened;
  }

  private closeDisks(): void {
    const ids = this.opened.splice(0);
    if (ids.length === 0) return;
    const former = this.closing;
    const close = async () => {
      await former;
      const api = await this.surroundings.storage.api();
      await Promise.all(ids.map((id) => api.closeDisk(id)));
    };
    this.closing = close().catch((error: unknown) => {
      this.update({ reason: error instanceof Error ? error.message : String(error) });
    });
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
    this.session = this.shared.serve(port1, (what) => {
      if (!current()) return;
      this.end('crashed', `The VM was stopped: its worker broke the rules (${what}).`);
    });
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
  async powerOff(): Promise<void> {
    const connection = this.connection;
    if (connection !== undefined) {
      this.update({ busy: true });
      await connection.powerOff().catch(() => {});
    }
    this.end('off', 'Powered off.');
  }

  /** Takes a snapshot of the VM while it runs; from then on it is kept. */
  async takeSnapshot(_request: SnapshotRequest): Promise<SnapshotReport> {
    throw new Error('This page cannot keep VMs yet.');
  }

  /** Becomes what a snapshot holds, its disks too, and goes on from there. */
  async restore(_snapshot: string, _choice: RestoreChoice = {}): Promise<void> {
    throw new Error('This page cannot keep VMs yet.');
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
    } else {
      this.guestState(message.state);
    }
  }

  private guestState(state: GuestState): void {
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
    this.connection?.close();
    this.connection = undefined;
    this.closeDisks();
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
