/**
 * The durable list of VMs: one document, written whole whenever a kept VM changes in a way that
 * matters after a reload. A VM that was live when the page ended was cut off: it comes back off, and
 * offers its newest snapshot.
 */
import * as v from 'valibot';
import type { Template } from '../../machine/manifest.ts';
import { newId } from '../../storage/id.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import type { Fleet } from '../fleet.ts';
import type { Origin } from '../origin.ts';
import type { StorageApi } from '../storage/api.ts';
import { isLive, isPending, type Vm } from '../vm.ts';
import { type KeptVm, KeptVmSchema, KeptVmsSchema } from './types.ts';

const DOCUMENT = 'vms';
/** A list that could not be written is tried again after this time, in milliseconds. */
const RETRY_MS = 5000;
const CUT_OFF = 'It was cut off when its page ended.';

interface Needs {
  origin(record: SnapshotRecord, generation: Origin['generation']): Origin;
  newest(vm: Vm): SnapshotRecord | undefined;
}

export class KeptVms {
  readonly #fleet: Fleet;
  readonly #needs: Needs;
  /** When each was made, by its id in storage. */
  readonly #made = new Map<string, number>();
  #written = '';
  #writing: Promise<void> = Promise.resolve();
  #loaded = false;

  constructor(fleet: Fleet, needs: Needs) {
    this.#fleet = fleet;
    this.#needs = needs;
    fleet.store.subscribe(() => {
      if (!this.#loaded) return;
      for (const vm of fleet.all) this.#offer(vm);
      this.save().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        fleet.events.add({
          kind: 'host',
          level: 'error',
          text: `The list of VMs could not be written: ${reason}`,
        });
      });
    });
  }

  /** Takes up what storage has; VMs that are there stay. */
  async load(api: StorageApi): Promise<void> {
    const document = await api.readDocument(DOCUMENT);
    const list = v.safeParse(KeptVmsSchema, document ?? { format: 1, vms: [] });
    if (!list.success) {
      throw new Error('The list of VMs in storage is of a newer Tabvisor, or damaged.');
    }
    const { list: records } = this.#fleet.snapshots.getState();
    for (const entry of list.output.vms) {
      const kept = v.safeParse(KeptVmSchema, entry);
      // One that cannot be read keeps no other from coming back.
      if (!kept.success) continue;
      const vm = await this.adopt(kept.output);
      const { last, current } = kept.output;
      const record = records.find(({ id }) => id === current);
      if (last === 'saved' && record) vm.next = this.#needs.origin(record, 'new');
      if (last === 'live' || last === 'crashed') {
        vm.setKept({ recovery: this.#needs.newest(vm)?.id, reason: CUT_OFF });
      }
    }
    this.#loaded = true;
    await this.save();
  }

  async keep(vm: Vm): Promise<void> {
    if (vm.view.keptId === undefined) {
      const keptId = newId();
      this.#made.set(keptId, Date.now());
      vm.setKept({ keptId });
    }
    await this.save();
  }

  /** A VM of the list, which is off. */
  async adopt(kept: KeptVm): Promise<Vm> {
    const { id, name, memory, disks, program, current, backups, limits, made } = kept;
    this.#made.set(id, made);
    const vm = this.#fleet.add(id, {
      name,
      template: await this.#template(kept.template),
      memory,
      disks,
      limits,
      ...(program === undefined ? {} : { program }),
    });
    vm.setKept({ keptId: id, current, backups });
    return vm;
  }

  async forget(vm: Vm): Promise<void> {
    if (vm.view.keptId !== undefined) this.#made.delete(vm.view.keptId);
    await this.save();
  }

  /** Writes the list, if it has changed; resolves when it is durable. */
  save(): Promise<void> {
    const vms = this.#fleet.all.flatMap((vm) => this.#entry(vm) ?? []);
    const text = JSON.stringify(vms);
    if (text === this.#written) return this.#writing;
    this.#written = text;
    const write = async () => {
      const api = await this.#fleet.storage.api();
      await api.writeDocument(DOCUMENT, { format: 1, vms });
    };
    this.#writing = this.#writing.catch(() => {}).then(write);
    this.#writing.catch(() => {
      // Whatever is published next tries again, but not at once.
      setTimeout(() => {
        this.#written = '';
      }, RETRY_MS);
    });
    return this.#writing;
  }

  /** A VM whose worker ended offers its newest snapshot; one that runs again does not. */
  #offer(vm: Vm): void {
    const { keptId, status, recovery } = vm.view;
    if (keptId === undefined) return;
    if (status === 'crashed' && recovery === undefined) {
      const newest = this.#needs.newest(vm);
      if (newest) vm.setKept({ recovery: newest.id });
    }
  }

  #entry(vm: Vm): KeptVm | undefined {
    const { keptId, name, template, memory, current, backups, limits, status, recovery } = vm.view;
    const made = keptId === undefined ? undefined : this.#made.get(keptId);
    if (keptId === undefined || made === undefined) return undefined;
    const { disks = [], program } = vm.specification;
    const live = isLive(status) || isPending(status);
    const crashed = status === 'crashed' || status === 'failed' || recovery !== undefined;
    return {
      id: keptId,
      name,
      template: template.name,
      ...(memory === undefined ? {} : { memory }),
      disks: disks.map(({ id, kind, size, image }) => ({
        id,
        kind,
        ...(size === undefined ? {} : { size }),
        ...(image === undefined ? {} : { image }),
      })),
      ...(program === undefined ? {} : { program }),
      ...(current === undefined ? {} : { current }),
      ...(backups === undefined ? {} : { backups }),
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      last: live ? 'live' : crashed ? 'crashed' : vm.next ? 'saved' : 'off',
      made,
    };
  }

  /** The template of that name; one that is not there any more fails when it is needed, not before. */
  async #template(name: string): Promise<Template> {
    const templates = await this.#fleet.images.templates().catch(() => []);
    const template = templates.find((one) => one.name === name);
    return template ?? { name, title: name, description: '', manifest: `${name}/manifest.json` };
  }
}
