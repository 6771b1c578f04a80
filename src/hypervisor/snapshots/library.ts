/**
 * The page's library: what the fleet asks when something is to outlive a power-on. Snapshots of VMs,
 * clones, kept VMs and their backups; a script of its own, for most visits need none of it. Relies on
 * the storage worker for all that is durable; guarantees one capture of a VM at a time, that what
 * fails leaves earlier snapshots as they were, and that a page without the storage (another tab has
 * it) says so and goes on without.
 */
import * as Comlink from 'comlink';
import { newId } from '../../storage/id.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import type { Fleet } from '../fleet.ts';
import { freeName } from '../names.ts';
import type { Origin } from '../origin.ts';
import type { CaptureCallbacks, StorageApi } from '../storage/api.ts';
import { isLive, isPending, type Vm } from '../vm.ts';
import { Backups } from './backups.ts';
import { VmFiles } from './files.ts';
import { KeptVms } from './kept-vms.ts';
import type {
  BackupPolicy,
  CloneRequest,
  CopyOptions,
  ExportStream,
  KeptVm,
  RestoreChoice,
  SnapshotReport,
  SnapshotRequest,
} from './types.ts';

/** Characters of a snapshot's picture of the console. */
const PICTURE_MAX = 16_000;
/** The shared folder of a capture is frozen by then, in milliseconds. */
const FREEZE_WAIT_MS = 10_000;
const FREEZE_LOOK_MS = 20;
/** Name of the snapshot of a VM that was suspended. */
const SUSPENDED = 'Suspended';

export class Library {
  readonly #fleet: Fleet;
  readonly #kept: KeptVms;
  readonly #backups: Backups<Vm>;
  readonly #files: VmFiles;
  #opening: Promise<void> | undefined;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#kept = new KeptVms(fleet, {
      origin: (record, generation) => this.#origin(record, generation),
      newest: (vm) => this.#newest(vm),
    });
    this.#backups = new Backups({
      vms: () => fleet.all,
      take: (vm, request) => this.take(vm, request),
      backups: (vm) =>
        this.#list.filter(({ vm: of, kind }) => of === vm.view.keptId && kind === 'backup'),
      remove: (id) => this.removeSnapshot(id),
      failed: (vm, reason) =>
        fleet.events.add({
          vm: vm.view.id,
          name: vm.view.name,
          kind: 'backup',
          level: 'error',
          text: `The backup failed; the next one is tried at its time: ${reason}`,
        }),
    });
    this.#files = new VmFiles(fleet, {
      ready: () => this.ready(),
      record: (id) => this.#record(id),
      take: (vm, request) => this.take(vm, request),
      adopt: (kept, record) => this.#adopt(kept, record),
    });
  }

  /** Opens the storage and takes up the kept VMs. Never rejects: a failure is the store's state. */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      const message = error instanceof Error ? error.message : String(error);
      this.#fleet.snapshots.setState({ storage: { kind: 'unavailable', message } });
    });
    return this.#opening;
  }

  /** The storage; rejects with a sentence where this page has none. */
  async ready(): Promise<StorageApi> {
    await this.open();
    const { storage } = this.#fleet.snapshots.getState();
    if (storage.kind === 'unavailable') throw new Error(storage.message);
    return this.#fleet.storage.api();
  }

  async take(vm: Vm, request: SnapshotRequest): Promise<SnapshotReport> {
    if (vm.view.saving) {
      throw new Error('A snapshot of this VM is under way. Wait until it is done.');
    }
    if (vm.specification.disk !== undefined) {
      throw new Error(
        'The disk of this VM is in the browser’s memory, which no snapshot can hold. Make a VM with a disk in storage instead.',
      );
    }
    vm.setKept({ saving: true });
    try {
      const api = await this.ready();
      await this.keep(vm);
      request.signal?.throwIfAborted();
      return await this.#take(vm, api, request);
    } finally {
      vm.setKept({ saving: false });
    }
  }

  async #take(vm: Vm, api: StorageApi, request: SnapshotRequest): Promise<SnapshotReport> {
    const { memory, keptId, current, template } = vm.view;
    if (memory === undefined || keptId === undefined || !isLive(vm.view.status)) {
      throw new Error('The VM is not running: there is nothing to take a snapshot of.');
    }
    const { program } = vm.specification;
    const id = newId();
    const { port1, port2 } = new MessageChannel();
    const callbacks: CaptureCallbacks = {
      progress: (bytes) => request.progress?.(bytes, memory),
      violation: (what) => vm.stop(what),
      share: (token) => frozenShare(vm, token),
    };
    const stored = api.capture(
      {
        id,
        vm: keptId,
        name: request.name,
        note: request.note ?? '',
        kind: request.kind ?? 'manual',
        parent: current,
        thumbnail: vm.console.picture(PICTURE_MAX),
        guest: { template: template.name, ...(program === undefined ? {} : { program }) },
        memory,
        disks: vm.diskIds,
      },
      Comlink.transfer(port1, [port1]),
      Comlink.proxy(callbacks),
    );
    // It is met below, when the worker has ended, too.
    stored.catch(() => {});
    const cancel = (reason: string) => void api.cancelCapture(id, reason).catch(() => {});
    const giveUp = () => cancel('It was given up.');
    request.signal?.addEventListener('abort', giveUp);
    try {
      const captured = vm.capture(port2);
      captured.catch((error: unknown) => cancel(messageOf(error)));
      const [{ pause_ms, total_ms }, record] = await Promise.all([captured, stored]);
      vm.setKept({ current: record.id });
      await this.#refresh(api);
      const { bytes } = record;
      this.#fleet.events.add({
        vm: vm.view.id,
        name: vm.view.name,
        kind: record.kind === 'backup' ? 'backup' : 'snapshot',
        text: `Snapshot “${record.name}”: the guest stood still for ${pause_ms.toFixed(1)} ms.`,
        data: { pause_ms, total_ms, bytes },
      });
      return { id: record.id, pause_ms, total_ms, bytes };
    } finally {
      request.signal?.removeEventListener('abort', giveUp);
    }
  }

  async restore(vm: Vm, snapshot: string, choice: RestoreChoice): Promise<void> {
    await this.ready();
    const record = this.#record(snapshot);
    const disks = vm.specification.disks?.length ?? 0;
    if (record.disks.length !== disks || vm.specification.disk !== undefined) {
      throw new Error(
        `The snapshot is of a VM with ${disksInWords(record.disks.length)}, this one has ${disksInWords(
          vm.specification.disk === undefined ? disks : disks + 1,
        )}. Make a clone of the snapshot instead.`,
      );
    }
    if (choice.first === 'snapshot' && isLive(vm.view.status)) {
      await this.take(vm, { name: `Before “${record.name}”`.slice(0, 200) });
    }
    await this.keep(vm);
    const own = record.vm === vm.view.keptId;
    await vm.goOn(this.#origin(record, own ? 'same' : 'new'));
    // It runs when that has been answered; that it does may be told a moment later.
    const { status, reason } = vm.view;
    if (!isLive(status) && !isPending(status)) {
      throw new Error(reason ?? 'It could not be restored.');
    }
    vm.setKept({ current: record.id, recovery: undefined });
    this.#fleet.events.add({
      vm: vm.view.id,
      name: vm.view.name,
      kind: 'restore',
      text: `Restored from the snapshot “${record.name}”.`,
    });
  }

  /** The guest stands still from before the snapshot on: nothing that it does is lost. */
  async suspend(vm: Vm, note: string): Promise<void> {
    const former = this.#list.filter(
      ({ name, vm: of }) => name === SUSPENDED && of === vm.view.keptId,
    );
    const paused = vm.view.status === 'paused';
    if (!paused) await vm.pause();
    let taken: SnapshotReport;
    try {
      taken = await this.take(vm, { name: SUSPENDED, note, kind: 'recovery' });
    } catch (error) {
      if (!paused) await vm.resume();
      throw error;
    }
    await vm.powerOff('Suspended to a snapshot: a start goes on from there.');
    vm.next = this.#origin(this.#record(taken.id), 'same');
    await this.#kept.save();
    // Each takes the place of the one before it.
    for (const { id } of former) await this.removeSnapshot(id);
  }

  async clone({ from, names, start }: CloneRequest): Promise<string[]> {
    await this.ready();
    const source = this.#fleet.get(from);
    const snapshot = source
      ? (await this.take(source, { name: `Clones of ${source.view.name}`.slice(0, 200) })).id
      : from;
    const record = this.#record(snapshot);
    const former = this.#fleet.all.find(({ view }) => view.keptId === record.vm);
    const ids: string[] = [];
    for (const name of names) {
      const vm = await this.#adopt(
        {
          id: newId(),
          name: this.#freeName(name || (former?.view.name ?? record.name)),
          template: record.guest?.template ?? former?.view.template.name ?? '',
          memory: record.memory,
          disks: record.disks.map(({ size, image }, i) => ({
            id: newId(),
            kind: former?.specification.disks?.[i]?.kind ?? 'persistent',
            size,
            ...(image === undefined ? {} : { image: image.source }),
          })),
          ...(record.guest?.program === undefined ? {} : { program: record.guest.program }),
          ...(former === undefined ? {} : { limits: former.view.limits }),
          current: record.id,
          last: 'saved',
          made: Date.now(),
        },
        record,
      );
      const { id } = vm.view;
      this.#fleet.events.add({
        vm: id,
        name: vm.view.name,
        kind: 'clone',
        text: `Cloned from the snapshot “${record.name}”.`,
      });
      ids.push(id);
    }
    // One after the other: each takes its memory and some of the processor.
    if (start !== false) void this.#startAll(ids);
    return ids;
  }

  async removeSnapshot(id: string): Promise<void> {
    const api = await this.ready();
    const record = this.#record(id);
    const needing = this.#fleet.all.find(({ view, next }) => next && view.current === id);
    if (needing) {
      throw new Error(
        `The VM “${needing.view.name}” has not been started since it was made from this snapshot. Start it once, or delete it first.`,
      );
    }
    await api.removeSnapshot(id);
    for (const vm of this.#fleet.all) {
      if (vm.view.current === id) vm.setKept({ current: record.parent });
      if (vm.view.recovery === id) vm.setKept({ recovery: this.#newest(vm)?.id });
    }
    await this.#refresh(api);
  }

  async renameSnapshot(id: string, name: string, note?: string): Promise<void> {
    const api = await this.ready();
    await api.renameSnapshot(id, name, note);
    await this.#refresh(api);
  }

  async verifySnapshot(id: string, { progress }: CopyOptions): Promise<void> {
    const api = await this.ready();
    await api.verifySnapshot(
      id,
      Comlink.proxy((done: number, total: number) => progress?.(done, total)),
    );
  }

  async setBackups(id: string, policy: BackupPolicy | undefined): Promise<void> {
    const vm = this.#fleet.get(id);
    if (!vm) throw new Error('There is no such VM.');
    await this.ready();
    await this.keep(vm);
    vm.setKept({ backups: policy });
  }

  exportVm(from: string, options: CopyOptions): Promise<ExportStream> {
    return this.#files.exportVm(from, options);
  }

  importVm(file: File, options: CopyOptions): Promise<string> {
    return this.#files.importVm(file, options);
  }

  exportDisk(id: string, options: CopyOptions): Promise<ExportStream> {
    return this.#files.exportDisk(id, options);
  }

  importDisk(file: File, options: CopyOptions): Promise<string> {
    return this.#files.importDisk(file, options);
  }

  /** What an imported VM boots. */
  program(program: NonNullable<KeptVm['program']>) {
    return this.#files.program(program);
  }

  /** From now on the VM is there again when the page comes up. */
  async keep(vm: Vm): Promise<void> {
    await this.ready();
    await this.#kept.keep(vm);
    // It may refuse; then the browser clears it only when its disk is full.
    this.#fleet.storage.persist().catch(() => {});
  }

  /** A kept VM was deleted: its disks go, and its snapshots, but those that another VM needs. */
  async forget(vm: Vm): Promise<void> {
    try {
      const api = await this.ready();
      await this.#kept.forget(vm);
      await vm.closed;
      for (const { id } of vm.specification.disks ?? []) await api.removeDisk(id);
      const needed = new Set(this.#fleet.all.map(({ view, next }) => next && view.current));
      for (const record of this.#list) {
        if (record.vm === vm.view.keptId && !needed.has(record.id)) {
          await api.removeSnapshot(record.id);
        }
      }
      await this.#refresh(api);
      await this.#files.retainPrograms();
    } catch (error) {
      this.#fleet.events.add({
        kind: 'host',
        level: 'warning',
        text: `What “${vm.view.name}” had in storage could not be removed: ${messageOf(error)}`,
      });
    }
  }

  get #list(): readonly SnapshotRecord[] {
    return this.#fleet.snapshots.getState().list;
  }

  async #open(): Promise<void> {
    this.#fleet.snapshots.setState({ storage: { kind: 'opening' } });
    const api = await this.#fleet.storage.api();
    await this.#refresh(api);
    await this.#kept.load(api);
    this.#fleet.snapshots.setState({ storage: { kind: 'ready' } });
    this.#backups.begin();
  }

  async #refresh(api: StorageApi): Promise<void> {
    this.#fleet.snapshots.setState({ list: await api.snapshots() });
  }

  async #adopt(kept: KeptVm, record: SnapshotRecord): Promise<Vm> {
    const vm = await this.#kept.adopt(kept);
    vm.next = this.#origin(record, 'new');
    await this.#kept.save();
    return vm;
  }

  async #startAll(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#fleet.get(id)?.start();
  }

  #record(id: string): SnapshotRecord {
    const record = this.#list.find((one) => one.id === id);
    if (record) return record;
    throw new Error('There is no such snapshot any more.');
  }

  /** The last state of a VM that is kept: of a clone, at first, what it was made from. */
  #newest(vm: Vm): SnapshotRecord | undefined {
    const { keptId, current } = vm.view;
    return (
      this.#list.findLast((record) => record.vm === keptId) ??
      this.#list.find(({ id }) => id === current)
    );
  }

  #freeName(wanted: string): string {
    const taken = new Set(this.#fleet.all.map(({ view }) => view.name));
    return freeName(wanted, wanted, false, taken);
  }

  #origin(record: SnapshotRecord, generation: Origin['generation']): Origin {
    return {
      name: record.name,
      memory: record.memory,
      generation,
      picture: record.thumbnail,
      prepare: async (disks) => {
        const api = await this.ready();
        if (disks.length === 0 && record.disks.length === 0) return;
        await api.placeDisks(
          record.id,
          disks.map(({ id, kind }) => ({ id, kind })),
        );
      },
      open: async (violation) => {
        const api = await this.ready();
        const { port1, port2 } = new MessageChannel();
        const number = newId();
        const share = await api.openSnapshot(
          record.id,
          number,
          Comlink.transfer(port1, [port1]),
          Comlink.proxy(violation),
        );
        return {
          source: port2,
          share: share === null ? undefined : new Uint8Array(share),
          close: () => void api.closeSnapshot(number).catch(() => {}),
        };
      },
    };
  }
}

/** What the shared folder held under a token, soon after the worker has sent its freeze. */
async function frozenShare(vm: Vm, token: string): Promise<ArrayBuffer | null> {
  if (vm.shared.source !== 'memory') return null;
  for (let waited = 0; waited < FREEZE_WAIT_MS; waited += FREEZE_LOOK_MS) {
    const frozen = vm.shared.takeFrozen(token);
    if (frozen) return Comlink.transfer(frozen.buffer, [frozen.buffer]);
    await new Promise((resolve) => setTimeout(resolve, FREEZE_LOOK_MS));
  }
  throw new Error('The shared folder was not frozen for the snapshot.');
}

function disksInWords(count: number): string {
  return count === 0 ? 'no disk' : count === 1 ? 'one disk' : `${count} disks`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
