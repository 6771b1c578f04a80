/**
 * Files of VMs: .tabvm files and raw disks, out of and into this browser's storage. Everything is a
 * stream: whoever writes it asks for the next piece when it has room, so that a file of many
 * gigabytes needs little memory. An export that is given up ends in storage too; an import that fails
 * leaves nothing.
 */
import * as Comlink from 'comlink';
import { newId } from '../../storage/id.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import type { PackedImage } from '../../worker/protocol.ts';
import { unpack } from '../../worker/unpack.ts';
import type { Fleet } from '../fleet.ts';
import { withHostName } from '../host-name.ts';
import { freeName } from '../names.ts';
import type { StorageApi } from '../storage/api.ts';
import { isLive, type Vm } from '../vm.ts';
import type {
  CopyOptions,
  ExportStream,
  KeptVm,
  SnapshotReport,
  SnapshotRequest,
} from './types.ts';

interface FileNeeds {
  ready(): Promise<StorageApi>;
  record(id: string): SnapshotRecord;
  take(vm: Vm, request: SnapshotRequest): Promise<SnapshotReport>;
  adopt(kept: KeptVm, record: SnapshotRecord): Promise<Vm>;
}

interface Program {
  readonly append: string;
  readonly kernel: ArrayBuffer;
  readonly initrd: ArrayBuffer | undefined;
}

export class VmFiles {
  readonly #fleet: Fleet;
  readonly #needs: FileNeeds;

  constructor(fleet: Fleet, needs: FileNeeds) {
    this.#fleet = fleet;
    this.#needs = needs;
  }

  async exportVm(from: string, options: CopyOptions): Promise<ExportStream> {
    const api = await this.#needs.ready();
    const record = await this.#exported(from, options);
    const vm = this.#fleet.all.find(({ view }) => view.keptId === record.vm);
    const name = vm?.view.name ?? record.name;
    const program = await this.#programOf(record, vm, name);
    const number = await api.openExport(
      Comlink.transfer(
        {
          snapshot: record.id,
          name,
          template: record.guest?.template ?? vm?.view.template.name ?? '',
          ...program,
        },
        program.initrd ? [program.kernel, program.initrd] : [program.kernel],
      ),
    );
    const end = () => api.closeExport(number).catch(() => {});
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          try {
            options.signal?.throwIfAborted();
            const { bytes, done, total } = await api.readExport(number);
            options.progress?.(done, total);
            if (bytes !== null) return controller.enqueue(new Uint8Array(bytes));
            controller.close();
          } catch (error) {
            controller.error(error);
          }
          await end();
        },
        cancel: end,
      },
      { highWaterMark: 1 },
    );
    return { name: `${fileName(name)}.tabvm`, size: undefined, stream };
  }

  async importVm(file: File, { progress, signal }: CopyOptions): Promise<string> {
    const api = await this.#needs.ready();
    const [snapshot, vm] = [newId(), newId()];
    const cancel = () => void api.cancelImport(snapshot).catch(() => {});
    signal?.addEventListener('abort', cancel);
    try {
      signal?.throwIfAborted();
      const {
        record,
        name,
        template,
        disks,
        program: own,
      } = await api.importFile(
        file,
        { snapshot, vm },
        Comlink.proxy((done: number, total: number) => progress?.(done, total)),
      );
      this.#fleet.snapshots.setState({ list: await api.snapshots() });
      const program = (await this.#isTemplate(template, own)) ? undefined : own;
      const taken = new Set(this.#fleet.all.map(({ view }) => view.name));
      const imported = await this.#needs.adopt(
        {
          id: vm,
          name: freeName(name.trim() || 'imported', 'imported', false, taken).slice(0, 200),
          template,
          memory: record.memory,
          disks: disks.map((disk) => ({ ...disk, kind: 'persistent' })),
          ...(program === undefined ? {} : { program }),
          current: record.id,
          last: 'saved',
          made: Date.now(),
        },
        record,
      );
      return imported.view.id;
    } finally {
      signal?.removeEventListener('abort', cancel);
      await this.retainPrograms();
    }
  }

  async exportDisk(id: string, { progress, signal }: CopyOptions): Promise<ExportStream> {
    const api = await this.#needs.ready();
    const disk = (await api.disks()).find((one) => one.id === id);
    const stream = await this.#fleet.storage.exportRaw(id, progress, signal);
    return { name: `disk-${id.slice(0, 8)}.img`, size: disk?.size, stream };
  }

  async importDisk(file: File, { progress, signal }: CopyOptions): Promise<string> {
    await this.#needs.ready();
    const id = newId();
    await this.#fleet.storage.importRaw(id, file, progress, signal);
    return id;
  }

  /** What an imported VM boots. */
  async program({ kernel, initrd }: NonNullable<KeptVm['program']>) {
    const api = await this.#needs.ready();
    const image = async (sha256: string): Promise<PackedImage> => {
      const bytes = await api.readProgram(sha256);
      return { name: 'What the VM boots', bytes, packed: false, size: bytes.byteLength };
    };
    return {
      kernel: await image(kernel),
      ...(initrd === undefined ? {} : { initrd: await image(initrd) }),
    };
  }

  /** Removes what no VM and no snapshot boots any more. */
  async retainPrograms(): Promise<void> {
    const api = await this.#needs.ready();
    const programs = [
      ...this.#fleet.all.map(({ specification }) => specification.program),
      ...this.#fleet.snapshots.getState().list.map(({ guest }) => guest?.program),
    ];
    await api.retainPrograms(
      programs.flatMap((one) => (one === undefined ? [] : [one.kernel, one.initrd ?? ''])),
    );
  }

  /** Whether a template here boots just that. */
  async #isTemplate(name: string, program: KeptVm['program']): Promise<boolean> {
    try {
      const templates = await this.#fleet.images.templates();
      const template = templates.find((one) => one.name === name);
      if (!template) return false;
      const { kernel, initrd } = await this.#fleet.images.manifest(template);
      return kernel.sha256 === program?.kernel && initrd?.sha256 === program.initrd;
    } catch {
      return false;
    }
  }

  /** The snapshot to export: a VM that runs is taken as it is now. */
  async #exported(from: string, { progress, signal }: CopyOptions): Promise<SnapshotRecord> {
    const vm = this.#fleet.get(from);
    if (vm === undefined) return this.#needs.record(from);
    if (isLive(vm.view.status)) {
      const { id } = await this.#needs.take(vm, {
        name: 'Exported',
        ...(progress && { progress }),
        ...(signal && { signal }),
      });
      return this.#needs.record(id);
    }
    if (vm.next && vm.view.current !== undefined) return this.#needs.record(vm.view.current);
    throw new Error('The VM is off: start it, or export one of its snapshots.');
  }

  async #programOf(record: SnapshotRecord, vm: Vm | undefined, name: string): Promise<Program> {
    const own = record.guest?.program;
    if (own !== undefined) {
      const { kernel, initrd } = await this.program(own);
      return { append: own.append, kernel: kernel.bytes, initrd: initrd?.bytes };
    }
    const wanted = record.guest?.template;
    const templates = await this.#fleet.images.templates();
    const template = templates.find((one) => one.name === wanted) ?? vm?.view.template;
    if (!template) throw new Error(`There is no template “${wanted ?? ''}” here any more.`);
    const { manifest, kernel, initrd } = await this.#fleet.images.load(template, () => {});
    return {
      append: withHostName(manifest.append, name, manifest.name),
      kernel: await unpacked(kernel),
      initrd: initrd && (await unpacked(initrd)),
    };
  }
}

/** A copy: the images are shared with VMs that start. */
async function unpacked(image: PackedImage): Promise<ArrayBuffer> {
  return (await unpack({ ...image, bytes: image.bytes.slice(0) })).slice().buffer;
}

function fileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || 'vm';
}
