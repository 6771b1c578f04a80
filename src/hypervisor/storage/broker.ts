/**
 * The broker of storage: does what the page asks (api.ts) and serves disks to VMs' workers, over any
 * StorageFolder. In the page it runs in the storage worker; tests run it over memory.
 */
import { Catalog } from '../../storage/catalog.ts';
import { type DiskChain, DiskStore } from '../../storage/disk/disk-store.ts';
import type { OverlayDisk } from '../../storage/disk/overlay-disk.ts';
import { StorageError, type StorageFolder } from '../../storage/files.ts';
import { isZero } from '../../storage/hash.ts';
import { stateCodec } from '../../storage/snapshots/codec.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { SnapshotStore } from '../../storage/snapshots/snapshot-store.ts';
import type {
  CaptureCallbacks,
  CaptureRequest,
  CopyProgress,
  DiskListing,
  DiskRequest,
  StorageApi,
} from './api.ts';
import { CaptureService } from './capture-service.ts';
import { DiskService } from './disk-service.ts';
import { ImageLibrary } from './image-library.ts';
import { SourceService } from './source-service.ts';
import { type ExportRequest, type ImportRequest, Transfers } from './transfers.ts';

const DEFAULT_SIZE = 1024 ** 3;
/** Bytes of one piece of an import or export. */
const PIECE_MAX = 4 << 20;
/** Zeroes of an import are left out in steps of so many bytes: whole clusters. */
const GRAIN = 32 << 10;

export class Broker implements StorageApi {
  readonly #services = new Map<string, Promise<DiskService>>();
  /** Disks that are open for an import or export. */
  readonly #copying = new Map<string, Promise<OverlayDisk>>();
  /** Captures under way, by the ids that their snapshots will have. */
  readonly #captures = new Map<string, CaptureService>();
  /** Snapshots that workers go on from. */
  readonly #sources = new Map<string, SourceService>();

  private constructor(
    private readonly store: DiskStore,
    private readonly shots: SnapshotStore,
    private readonly images: ImageLibrary,
    private readonly catalog: Catalog,
    private readonly transfers: Transfers,
    private readonly estimate: () => Promise<{ usage?: number; quota?: number }>,
  ) {}

  static async open(
    folder: StorageFolder,
    estimate: () => Promise<{ usage?: number; quota?: number }>,
  ): Promise<Broker> {
    const images = await ImageLibrary.open(folder);
    const store = await DiskStore.open(folder, (image) => images.find(image));
    const shots = await SnapshotStore.open(folder, store, stateCodec);
    const catalog = new Catalog(await folder.folder('documents'));
    // Scratch disks of a page that is gone, and what a crash left half done.
    for (const { id, kind } of await store.list()) if (kind === 'scratch') await store.remove(id);
    await shots.collect();
    const transfers = new Transfers(await folder.folder('programs'), store, shots);
    return new Broker(store, shots, images, catalog, transfers, estimate);
  }

  async disks(): Promise<readonly DiskListing[]> {
    const listings: DiskListing[] = [];
    for (const { id, kind, size, layers } of await this.store.list()) {
      const open = this.store.opened(id);
      const stored = open ? open.usage.file : await this.store.layerSize(layers);
      listings.push({ id, kind, size, stored, inUse: open !== undefined });
    }
    return listings;
  }

  async openDisk(
    request: DiskRequest,
    port: MessagePort,
    trouble: (message: string) => void,
    violation: (what: string) => void,
  ): Promise<{ size: number }> {
    if (this.#services.has(request.id)) {
      throw new StorageError('busy', 'The disk is in use by a running VM.');
    }
    let size = 0;
    const opening = (async () => {
      await this.createDisk(request);
      const disk = await this.store.openDisk(request.id);
      size = disk.size;
      return new DiskService(disk, port, { trouble, violation });
    })();
    // Whoever closes it while it is being opened waits for that.
    this.#services.set(request.id, opening);
    try {
      await opening;
    } catch (error) {
      this.#services.delete(request.id);
      throw error;
    }
    return { size };
  }

  async closeDisk(id: string): Promise<void> {
    const service = await this.#services.get(id)?.catch(() => undefined);
    if (service === undefined || !this.#services.has(id)) return;
    await service.close();
    try {
      await this.store.close(id);
    } finally {
      this.#services.delete(id);
      const { kind } = await this.store.record(id);
      if (kind === 'scratch') await this.store.remove(id);
    }
  }

  async removeDisk(id: string): Promise<void> {
    await this.store.remove(id);
  }

  async createDisk({ id, kind, size, image }: DiskRequest): Promise<void> {
    if ((await this.store.list()).some((record) => record.id === id)) return;
    const added = image === undefined ? undefined : await this.images.add(image);
    await this.store.create({
      id,
      kind,
      size: Math.max(size ?? 0, added?.size ?? 0) || DEFAULT_SIZE,
      ...(added === undefined ? {} : { image: added.chain }),
    });
  }

  async readDisk(id: string, offset: number, length: number): Promise<ArrayBuffer | null> {
    const disk = await this.#copy(id);
    checkPiece(disk, offset, length);
    const bytes = new Uint8Array(length);
    await disk.read(offset, bytes);
    return isZero(bytes) ? null : bytes.buffer;
  }

  async writeDisk(id: string, offset: number, data: ArrayBuffer): Promise<void> {
    const disk = await this.#copy(id);
    checkPiece(disk, offset, data.byteLength);
    for (let at = 0; at < data.byteLength; at += GRAIN) {
      const part = new Uint8Array(data, at, Math.min(GRAIN, data.byteLength - at));
      if (isZero(part)) await disk.writeZeroes(offset + at, part.length);
      else await disk.write(offset + at, part);
    }
  }

  async finishDisk(id: string): Promise<void> {
    if (!this.#copying.has(id)) return;
    this.#copying.delete(id);
    await this.store.close(id);
  }

  #copy(id: string): Promise<OverlayDisk> {
    let disk = this.#copying.get(id);
    if (disk === undefined) {
      disk = this.store.openDisk(id);
      this.#copying.set(id, disk);
      disk.catch(() => this.#copying.delete(id));
    }
    return disk;
  }

  snapshots() {
    return this.shots.list();
  }

  renameSnapshot(id: string, name: string, note?: string): Promise<void> {
    return this.shots.rename(id, name, note);
  }

  removeSnapshot(id: string): Promise<void> {
    return this.shots.remove(id);
  }

  verifySnapshot(id: string, progress: CopyProgress): Promise<void> {
    return this.shots.verify(id, progress);
  }

  async capture(
    request: CaptureRequest,
    port: MessagePort,
    callbacks: CaptureCallbacks,
  ): Promise<SnapshotRecord> {
    const { id, disks, memory, ...meta } = request;
    const base = meta.parent === undefined ? undefined : await this.#tokenOf(meta.parent);
    const sink = this.shots.sink(
      {
        ...meta,
        time: Date.now(),
        disks: (token) => Promise.all(disks.map((disk) => this.#frozen(disk, token))),
        share: async (token) => {
          const share = await callbacks.share(token);
          return share === null ? undefined : new Uint8Array(share);
        },
      },
      id,
    );
    const service = new CaptureService(sink, port, { memory, base }, callbacks);
    this.#captures.set(id, service);
    try {
      await service.done;
    } finally {
      this.#captures.delete(id);
    }
    return this.shots.record(id);
  }

  async cancelCapture(id: string, reason: string): Promise<void> {
    this.#captures.get(id)?.cancel(reason);
  }

  async placeDisks(
    snapshot: string,
    disks: readonly Pick<DiskRequest, 'id' | 'kind'>[],
  ): Promise<void> {
    const { disks: chains, name } = await this.shots.record(snapshot);
    if (chains.length !== disks.length) {
      throw new StorageError(
        'failed',
        `The snapshot "${name}" is of a VM with ${chains.length} disks, not with ${disks.length}.`,
      );
    }
    for (const [i, { id, kind }] of disks.entries()) await this.store.place(id, kind, chains[i]!);
  }

  async openSnapshot(
    id: string,
    key: string,
    port: MessagePort,
    violation: (what: string) => void,
  ): Promise<ArrayBuffer | null> {
    const source = await this.shots.source(id);
    try {
      const share = await this.shots.share(id);
      const closed = () => {
        this.#sources.delete(key);
        void source.close();
      };
      this.#sources.set(key, new SourceService(source, port, { violation, closed }));
      return share?.buffer ?? null;
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  async closeSnapshot(key: string): Promise<void> {
    this.#sources.get(key)?.close();
  }

  openExport(request: ExportRequest) {
    return this.transfers.openExport(request);
  }

  readExport(number: number) {
    return this.transfers.readExport(number);
  }

  closeExport(number: number) {
    return this.transfers.closeExport(number);
  }

  importFile(file: Blob, request: ImportRequest, progress: CopyProgress) {
    return this.transfers.importFile(file, request, progress);
  }

  async cancelImport(snapshot: string): Promise<void> {
    this.transfers.cancelImport(snapshot);
  }

  readProgram(sha256: string): Promise<ArrayBuffer> {
    return this.transfers.readProgram(sha256);
  }

  retainPrograms(named: readonly string[]): Promise<void> {
    return this.transfers.retainPrograms(named);
  }

  /** A VM's disk as it was frozen. */
  async #frozen(id: string, token: string): Promise<DiskChain> {
    const service = await this.#services.get(id);
    const disk = this.store.opened(id);
    if (!service || !disk) throw new StorageError('failed', 'A disk of the VM is not open.');
    await service.frozen(token);
    const frozen = await disk.frozen(token);
    const { size, image } = await this.store.record(id);
    return { size, ...frozen, ...(image === undefined ? {} : { image }) };
  }

  async #tokenOf(snapshot: string): Promise<string | undefined> {
    return (await this.shots.list()).find(({ id }) => id === snapshot)?.token;
  }

  readDocument(name: string): Promise<unknown> {
    return this.catalog.read(name);
  }

  writeDocument(name: string, value: unknown): Promise<void> {
    return this.catalog.write(name, value);
  }

  removeDocument(name: string): Promise<void> {
    return this.catalog.remove(name);
  }

  documents(): Promise<readonly string[]> {
    return this.catalog.list();
  }

  async usage(): Promise<{ used: number; quota: number }> {
    const { usage = 0, quota = 0 } = await this.estimate();
    return { used: usage, quota };
  }
}

function checkPiece(disk: OverlayDisk, offset: number, length: number): void {
  const whole = Number.isInteger(offset) && Number.isInteger(length) && length % 512 === 0;
  const fits = offset >= 0 && length > 0 && length <= PIECE_MAX && offset + length <= disk.size;
  if (whole && offset % 512 === 0 && fits) return;
  throw new StorageError('failed', 'A piece of a disk was asked for that there is not.');
}
