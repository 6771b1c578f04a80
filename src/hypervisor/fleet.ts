/**
 * All VMs of the page. The fleet owns them, gives them their ids and names, and offers their views
 * as one store, so that whoever shows them never touches a worker.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Template } from '../machine/manifest.ts';
import { EventLog } from '../resources/event-log.ts';
import type { Limits } from '../resources/limits.ts';
import { CpuScheduler } from '../resources/scheduler.ts';
import { newId } from '../storage/id.ts';
import type { MachineEvent } from '../worker/protocol.ts';
import { describeVms } from './boot-address.ts';
import { giveRoot } from './boot-source.ts';
import type { TemplateSources } from './expect-boot.ts';
import type { ImageStore } from './images.ts';
import { freeName, freeNames } from './names.ts';
import { hostCapacity } from './resources/vm-limits.ts';
import type { Library } from './snapshots/library.ts';
import type {
  BackupPolicy,
  CloneRequest,
  CopyOptions,
  ExportStream,
  SnapshotsState,
} from './snapshots/types.ts';
import type { DiskRequest } from './storage/api.ts';
import { hasStorage, Storage } from './storage/client.ts';
import { Tasks } from './tasks.ts';
import { isLive, isPending, Vm, type VmSpecification, type VmView } from './vm.ts';
import { changeEvents } from './vm-events.ts';
import { WorkerAssets, type WorkerAssetUrls } from './worker-assets.ts';
import { Workers } from './workers.ts';

/** Views change at most this often, in milliseconds: drawing competes with the guests. */
const FRAME_MS = 50;

export interface FleetState {
  readonly vms: readonly VmView[];
}

export interface NewVms {
  template: Template;
  /** Name of one VM, prefix of the names of several; made from the template's when left out. */
  name?: string | undefined;
  memory?: number | undefined;
  /** Bytes of a blank disk for each. */
  disk?: number | undefined;
  count: number;
  /**
   * Disks of storage for each: those of kind `persistent` outlive VM and page. One with an id is there
   * already, and can be one VM's only.
   */
  disks?: readonly (Omit<DiskRequest, 'id'> & { readonly id?: string })[] | undefined;
  /** What each may take of the host. */
  limits?: Limits | undefined;
  /** False: they are made and stay off. */
  start?: boolean | undefined;
  /** What becomes of their root disks, where the template has one: gone with the power-off unless given. */
  root?: DiskRequest['kind'] | undefined;
  /** They boot the kernel, although the template has a snapshot. */
  cold?: boolean | undefined;
  run?: string | undefined;
  /** Address of the lab that they belong to. */
  lab?: string | undefined;
  tags?: readonly string[] | undefined;
}

export class Fleet {
  readonly store: StoreApi<FleetState> = createStore<FleetState>(() => ({ vms: [] }));
  private readonly templates: TemplateSources;
  /** Disks, snapshots and documents of this browser. */
  readonly storage: Storage;
  /** Snapshots of this browser's storage, once `openStorage` has found it. */
  readonly snapshots: StoreApi<SnapshotsState> = createStore<SnapshotsState>(() => ({
    storage: { kind: 'closed' },
    list: [],
  }));
  /** What happened to the VMs and to the whole. */
  readonly events = new EventLog(() => Date.now());
  /** Long work that is under way, and how the last of it ended. */
  readonly tasks = new Tasks(({ title, vm, state, text }) => {
    if (state !== 'failed') return;
    const name = vm === undefined ? undefined : this.vms.get(vm)?.view.name;
    this.events.add({ vm, name, kind: 'task', level: 'error', text: `${title}: ${text}` });
  });
  /** Divides the host's processors among the VMs. */
  readonly scheduler = new CpuScheduler(hostCapacity());
  private readonly workers: Workers;
  private readonly vms = new Map<string, Vm>();
  private nextId = 1;
  private loading: Promise<Library> | undefined;
  private publishing: ReturnType<typeof setTimeout> | undefined;
  private stale = false;

  /** `storage` and `workers`: for those who have others than a page has. */
  constructor(options: {
    templates: TemplateSources;
    assets: WorkerAssetUrls;
    storage?: Storage;
    workers?: Workers;
  }) {
    this.templates = options.templates;
    this.storage = options.storage ?? new Storage();
    this.workers = options.workers ?? new Workers(new WorkerAssets(options.assets));
  }

  /** A VM will be asked for soon. Resolves when the worker for it runs, or cannot. */
  expectVm(): Promise<void> {
    return this.workers.warm();
  }

  /** Makes VMs and starts them; returns their ids in order. */
  create(request: NewVms): string[] {
    const ids: string[] = [];
    const wanted = request.name?.trim() ?? '';
    for (const name of freeNames(wanted, request.template.name, request.count, this.names())) {
      const { id } = this.add(String(this.nextId++), {
        template: request.template,
        name,
        memory: request.memory,
        disk: request.disk,
        disks: request.disks?.map((disk) => ({ id: newId(), ...disk })),
        root: request.template.disk ? (request.root ?? 'scratch') : undefined,
        cold: request.cold,
        limits: request.limits,
        run: request.run,
        lab: request.lab,
        tags: request.tags,
      }).view;
      const { title } = request.template;
      this.events.add({ vm: id, name, kind: 'created', text: `Created from “${title}”.` });
      ids.push(id);
    }
    // A disk that outlives the page is found again by the VM that has it.
    const persistent = request.disks?.some(({ kind }) => kind === 'persistent');
    if (persistent || (request.template.disk && request.root === 'persistent')) {
      this.keep(ids).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.events.add({ kind: 'host', level: 'error', text: `Not kept: ${reason}` });
      });
    }
    this.publish('now');
    if (request.start !== false) for (const id of ids) void this.vms.get(id)?.start();
    return ids;
  }

  /** A VM that is off. Its id is the page's for it, and, if storage knows it, the same as there. */
  add(id: string, specification: VmSpecification): Vm {
    const surroundings = {
      ...this.templates,
      workers: this.workers,
      storage: this.storage,
      library: () => this.library(),
      scheduler: this.scheduler,
      happened: (event: MachineEvent) =>
        this.events.add({ vm: id, name: this.vms.get(id)?.view.name, ...event }),
    };
    const vm = new Vm(id, specification, surroundings, (view, before) => {
      for (const event of changeEvents(before, view)) this.events.add(event);
      this.publish('soon');
    });
    this.vms.set(id, vm);
    this.publish('now');
    return vm;
  }

  get(id: string): Vm | undefined {
    return this.vms.get(id);
  }

  get images(): ImageStore {
    return this.templates.images;
  }

  get all(): readonly Vm[] {
    return [...this.vms.values()];
  }

  delete(id: string): void {
    const vm = this.vms.get(id);
    if (vm === undefined) return;
    vm.dispose();
    this.vms.delete(id);
    this.events.add({ vm: id, name: vm.view.name, kind: 'deleted', text: 'Deleted.' });
    this.publish('now');
    if (vm.view.keptId !== undefined) void this.library().then((library) => library.forget(vm));
  }

  /** Takes a VM out of sight as it is: another may have its name. */
  setAside(id: string): void {
    if (this.vms.delete(id)) this.publish('now');
  }

  /** One that was set aside is there again. */
  putBack(vm: Vm): void {
    this.vms.set(vm.view.id, vm);
    this.publish('now');
  }

  /** Has VMs there again when the page comes up the next time. */
  private async keep(ids: readonly string[]): Promise<void> {
    const library = await this.library();
    for (const vm of ids.flatMap((id) => this.vms.get(id) ?? [])) {
      await giveRoot(this.images, vm.specification);
      await library.keep(vm);
    }
  }

  /** Opens the storage, if it is not yet: its snapshots and kept VMs appear in the stores. */
  async openStorage(): Promise<void> {
    await (await this.library()).open();
  }

  /** Takes up the VMs that storage has. Where nothing was ever stored it is not even opened. */
  async recall(): Promise<void> {
    if (await hasStorage()) await this.openStorage();
  }

  /** New VMs that go on from a snapshot, or from where a running VM is; returns their ids. */
  async clone(request: CloneRequest): Promise<string[]> {
    return (await this.library()).clone(request);
  }

  /** Puts a VM that runs into a snapshot and cuts its power; a start goes on from there. */
  async suspend(id: string, note: string): Promise<void> {
    const vm = this.vms.get(id);
    if (vm !== undefined) await (await this.library()).suspend(vm, note);
  }

  async removeSnapshot(id: string): Promise<void> {
    await (await this.library()).removeSnapshot(id);
  }

  async renameSnapshot(id: string, name: string, note?: string): Promise<void> {
    await (await this.library()).renameSnapshot(id, name, note);
  }

  /** Reads all of a snapshot; rejects with a sentence when any of it is damaged. */
  async verifySnapshot(id: string, options: CopyOptions = {}): Promise<void> {
    await (await this.library()).verifySnapshot(id, options);
  }

  /** Backups of a VM from now on; undefined ends them. */
  async setBackups(vm: string, policy: BackupPolicy | undefined): Promise<void> {
    await (await this.library()).setBackups(vm, policy);
  }

  /** A .tabvm file of a snapshot, or of a VM as it is now. */
  async exportVm(from: string, options: CopyOptions = {}): Promise<ExportStream> {
    return (await this.library()).exportVm(from, options);
  }

  /** A VM of a .tabvm file, which is off; a start goes on from where it was. Returns its id. */
  async importVm(file: File, options: CopyOptions = {}): Promise<string> {
    return (await this.library()).importVm(file, options);
  }

  /** The raw image of a disk that no VM uses. */
  async exportDisk(id: string, options: CopyOptions = {}): Promise<ExportStream> {
    return (await this.library()).exportDisk(id, options);
  }

  /** A persistent disk of a raw image; returns its id. */
  async importDisk(file: File, options: CopyOptions = {}): Promise<string> {
    return (await this.library()).importDisk(file, options);
  }

  /** What knows of storage: loaded when it is needed. */
  library(): Promise<Library> {
    this.loading ??= import('./snapshots/library.ts').then(({ Library }) => new Library(this));
    return this.loading;
  }

  /** Whether closing the page would lose something. */
  get losesWork(): boolean {
    return [...this.vms.values()].some((vm) => isLive(vm.view.status) || isPending(vm.view.status));
  }

  /** Shows a change at once, and what follows within a frame together: workers may send a lot. */
  private publish(how: 'now' | 'soon'): void {
    if (this.publishing !== undefined && how === 'soon') {
      this.stale = true;
      return;
    }
    this.stale = false;
    this.store.setState({ vms: [...this.vms.values()].map((vm) => vm.view) });
    this.publishing ??= setTimeout(() => {
      this.publishing = undefined;
      if (this.stale) this.publish('now');
    }, FRAME_MS);
  }

  /** The name that a VM would get. */
  freeName(wanted: string, template: Template, several: boolean): string {
    return freeName(wanted, template.name, several, this.names());
  }

  /** The address that boots the same VMs; what `search` says of other things stays. */
  describe(search: string): string {
    // Kept VMs are there without an address, and those of a lab by the lab's.
    const vms = this.all
      .filter(({ view, specification: { lab } }) => (view.keptId ?? lab) === undefined)
      .map(({ specification, view }) => ({
        ...specification,
        template: specification.template.name,
        // A disk that ends with the power-off is as good in memory.
        disk:
          specification.disk ??
          specification.disks?.find(({ kind, image }) => kind === 'scratch' && image === undefined)
            ?.size,
        off: view.status === 'off',
      }));
    return describeVms(search, vms);
  }

  private names(): Set<string> {
    return new Set([...this.vms.values()].map((vm) => vm.view.name));
  }
}
