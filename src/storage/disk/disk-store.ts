/**
 * The disks of one storage: which there are, what layers and image each consists of, and which
 * layers nobody names any more. A layer may belong to several disks and snapshots; it is removed
 * when none is left that names it. Whoever else names layers (snapshots) is asked.
 */
import * as v from 'valibot';
import { Catalog } from '../catalog.ts';
import { StorageError, type StorageFolder } from '../files.ts';
import { newId } from '../id.ts';
import type { BaseImage } from '../image/chunks.ts';
import { Sha256Schema } from '../image/manifest.ts';
import { CLUSTER } from './cluster-map.ts';
import type { JournalMark } from './journal.ts';
import { Layer } from './layer.ts';
import { mergeLayers } from './merge.ts';
import { OverlayDisk } from './overlay-disk.ts';

const SECTOR = 512;
const Natural = v.pipe(v.number(), v.integer(), v.minValue(0));
/** Bytes of the largest disk: what cluster numbers of 32 bits are enough for, many times over. */
export const DISK_MAX = 64 * 1024 ** 3;

export const IdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'is no id'));

/** What a disk consists of at one instant. */
export const DiskChainSchema = v.strictObject({
  size: v.pipe(
    v.number(),
    v.integer(),
    v.minValue(SECTOR),
    v.maxValue(DISK_MAX),
    v.multipleOf(SECTOR),
  ),
  /** The image below the layers: its id, and where it came from, for who has to find it. */
  image: v.optional(
    v.strictObject({ id: Sha256Schema, source: v.pipe(v.string(), v.maxLength(2000)) }),
  ),
  /** Oldest first. */
  layers: v.pipe(v.array(IdSchema), v.maxLength(60_000)),
  /** What the journals of frozen layers held, by layer; earlier versions wrote none. */
  journals: v.optional(
    v.record(IdSchema, v.strictObject({ generation: Natural, length: Natural, sum: Natural })),
  ),
});
export type DiskChain = v.InferOutput<typeof DiskChainSchema>;

const DiskSchema = v.strictObject({
  ...DiskChainSchema.entries,
  id: IdSchema,
  /** Gone when whoever made it has ended. */
  kind: v.picklist(['persistent', 'scratch']),
});
export type DiskRecord = v.InferOutput<typeof DiskSchema>;

/** Finds the image of a chain. */
export type FindImage = (image: NonNullable<DiskChain['image']>) => Promise<BaseImage>;

type NamedLayers = Pick<DiskChain, 'layers' | 'journals'>;

/** Others that name layers: chains of which none may lose one. */
export interface LayerUsers {
  chains(): Promise<readonly NamedLayers[]>;
  /** `upper` was merged into `lower`, which stands for both and has this mark from now on. */
  merged(lower: string, upper: string, mark: JournalMark): Promise<void>;
}

export class DiskStore {
  readonly #records: Catalog;
  readonly #open = new Map<string, OverlayDisk | Promise<OverlayDisk>>();
  /** Layers that are open, with the number of disks that use each. */
  readonly #pool = new Map<string, { layer: Promise<Layer>; users: number }>();
  /** Layers that somebody is about to name. */
  readonly #held = new Map<string, number>();
  readonly #users: LayerUsers[] = [];

  private constructor(
    records: StorageFolder,
    private readonly layers: StorageFolder,
    private readonly findImage: FindImage,
  ) {
    this.#records = new Catalog(records);
  }

  static async open(folder: StorageFolder, findImage: FindImage): Promise<DiskStore> {
    return new DiskStore(await folder.folder('disks'), await folder.folder('layers'), findImage);
  }

  addUser(user: LayerUsers): void {
    this.#users.push(user);
  }

  async create(request: {
    id?: string;
    kind: DiskRecord['kind'];
    size: number;
    image?: DiskChain['image'];
    layers?: readonly string[];
  }): Promise<DiskRecord> {
    const record = v.safeParse(DiskSchema, {
      id: request.id ?? newId(),
      kind: request.kind,
      size: request.size,
      layers: [...(request.layers ?? [])],
      ...(request.image === undefined ? {} : { image: request.image }),
    });
    if (!record.success) {
      throw new StorageError('failed', `There can be no such disk: ${record.issues[0].message}.`);
    }
    // A layer that others name is never written to: the disk gets one of its own.
    if (record.output.layers.length > 0) record.output.layers.push(newId());
    await this.#records.write(record.output.id, record.output);
    return record.output;
  }

  /**
   * Makes a disk what others froze: the one that is there, which nobody may use, or a new one. What it
   * was is gone, unless a snapshot names it.
   */
  async place(id: string, kind: DiskRecord['kind'], chain: DiskChain): Promise<void> {
    if (this.#open.has(id)) {
      throw new StorageError('busy', `The disk ${id.slice(0, 8)} is in use by a running VM.`);
    }
    const held = this.hold(chain.layers);
    try {
      await this.create({ id, kind, ...chain, image: chain.image });
    } finally {
      held.release();
    }
    await this.collect();
  }

  async list(): Promise<readonly DiskRecord[]> {
    const records: DiskRecord[] = [];
    for (const name of await this.#records.list()) {
      const record = v.safeParse(DiskSchema, await this.#records.read(name));
      if (record.success) records.push(record.output);
    }
    return records;
  }

  async record(id: string): Promise<DiskRecord> {
    const record = v.safeParse(DiskSchema, await this.#records.read(id));
    if (record.success) return record.output;
    throw new StorageError('missing', `There is no disk ${id.slice(0, 8)} in this storage.`);
  }

  /** Opens a disk to write to, once at a time. Close it by `close`. */
  async openDisk(id: string): Promise<OverlayDisk> {
    if (this.#open.has(id)) {
      throw new StorageError('busy', `The disk ${id.slice(0, 8)} is in use by a running VM.`);
    }
    const opening = this.#openDisk(id);
    this.#open.set(id, opening);
    try {
      const disk = await opening;
      this.#open.set(id, disk);
      return disk;
    } catch (error) {
      this.#open.delete(id);
      throw error;
    }
  }

  async #openDisk(id: string): Promise<OverlayDisk> {
    const record = await this.#prepared(await this.record(id));
    const base = record.image && (await this.findImage(record.image));
    return OverlayDisk.open(
      {
        ...this.#layerOptions(record.size, marksOf(await this.#chains())),
        id,
        base,
        saveChain: (layers) => this.#records.write(id, { ...record, layers: [...layers] }),
      },
      record.layers,
    );
  }

  /** A chain to read, as for an export. Close it when it is done. */
  async openChain(chain: DiskChain): Promise<OverlayDisk> {
    const base = chain.image && (await this.findImage(chain.image));
    return OverlayDisk.open(
      {
        ...this.#layerOptions(chain.size, marksOf([chain])),
        id: 'chain',
        base,
        readOnly: true,
        saveChain: () => Promise.reject(new StorageError('failed', 'The disk is read-only.')),
      },
      chain.layers,
    );
  }

  #layerOptions(size: number, marks: ReadonlyMap<string, JournalMark>) {
    return {
      size,
      openLayer: (id: string) => this.#openLayer(id, Math.ceil(size / CLUSTER), marks.get(id)),
      closeLayer: (layer: Layer) => this.#closeLayer(layer),
      newId,
    };
  }

  /** A file is open once: disks that share a layer share it open, too. */
  async #openLayer(id: string, clusters: number, mark?: JournalMark): Promise<Layer> {
    let entry = this.#pool.get(id);
    if (entry === undefined) {
      const layer = this.layers.folder(id).then((folder) => Layer.open(folder, id, clusters));
      entry = { layer, users: 0 };
      this.#pool.set(id, entry);
    }
    entry.users++;
    let layer: Layer;
    try {
      layer = await entry.layer;
    } catch (error) {
      this.#pool.delete(id);
      throw error;
    }
    try {
      if (mark) layer.check(mark);
      return layer;
    } catch (error) {
      this.#closeLayer(layer);
      throw error;
    }
  }

  #closeLayer(layer: Layer): void {
    const entry = this.#pool.get(layer.id);
    if (entry === undefined || --entry.users > 0) return;
    this.#pool.delete(layer.id);
    layer.close();
  }

  /** The disk that `openDisk` gave; undefined when it is not open. */
  opened(id: string): OverlayDisk | undefined {
    const disk = this.#open.get(id);
    return disk instanceof OverlayDisk ? disk : undefined;
  }

  async close(id: string): Promise<void> {
    const disk = await this.#open.get(id);
    try {
      await disk?.close();
    } finally {
      this.#open.delete(id);
    }
  }

  async remove(id: string): Promise<void> {
    if (this.#open.has(id)) {
      throw new StorageError('busy', `The disk ${id.slice(0, 8)} is in use by a running VM.`);
    }
    await this.#records.remove(id);
    await this.collect();
  }

  /** Keeps layers from being removed until released: somebody is writing down that it needs them. */
  hold(layers: readonly string[]): { release(): void } {
    for (const id of layers) this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        for (const id of layers) {
          const count = (this.#held.get(id) ?? 1) - 1;
          if (count === 0) this.#held.delete(id);
          else this.#held.set(id, count);
        }
      },
    };
  }

  /** Removes what nobody names. */
  async collect(): Promise<void> {
    const chains = await this.#chains();
    const named = new Set([...chains.flatMap(({ layers }) => layers), ...this.#held.keys()]);
    for (const id of this.#pool.keys()) named.add(id);
    for (const { name, kind } of await this.layers.list()) {
      if (kind === 'folder' && !named.has(name)) await this.layers.remove(name);
    }
  }

  /** Bytes of the layers that these ids name. */
  async layerSize(ids: readonly string[]): Promise<number> {
    let sum = 0;
    for (const id of ids) {
      const folder = await this.layers.folder(id);
      const file = await folder.open('data', 'existing').catch(() => undefined);
      sum += file?.size() ?? 0;
      file?.close();
    }
    return sum;
  }

  async #chains(): Promise<NamedLayers[]> {
    const chains: NamedLayers[] = [...(await this.list())];
    for (const user of this.#users) chains.push(...(await user.chains()));
    return chains;
  }

  /**
   * The record of a disk that is about to be opened. Of two layers that nobody tells apart any more
   * the upper is merged into the lower; the last layer, which is written to, is named by no other.
   */
  async #prepared(record: DiskRecord): Promise<DiskRecord> {
    const layers = [...record.layers];
    let chains = await this.#chains();
    for (let at = 0; at + 1 < layers.length; ) {
      const [lower = '', upper = ''] = layers.slice(at, at + 2);
      const apart = chains.some(
        (chain) =>
          chain.layers.includes(lower) && chain.layers[chain.layers.indexOf(lower) + 1] !== upper,
      );
      const inUse = [lower, upper].some((id) => this.#pool.has(id) || this.#held.has(id));
      if (apart || inUse) {
        at++;
        continue;
      }
      const clusters = Math.ceil(record.size / CLUSTER);
      const mark = await mergeLayers(this.layers, lower, upper, clusters, marksOf(chains));
      for (const user of this.#users) await user.merged(lower, upper, mark);
      for (const other of await this.list()) {
        if (!other.layers.includes(upper)) continue;
        const rest = other.layers.filter((id) => id !== upper);
        await this.#records.write(other.id, { ...other, layers: rest });
      }
      await this.layers.remove(upper);
      layers.splice(at + 1, 1);
      chains = await this.#chains();
    }
    const last = layers.at(-1) ?? '';
    const users = chains.filter((chain) => chain.layers.includes(last)).length;
    if (users > 1 || this.#held.has(last)) {
      layers.push(newId());
      await this.#records.write(record.id, { ...record, layers });
    }
    return { ...record, layers };
  }
}

function marksOf(chains: readonly NamedLayers[]): Map<string, JournalMark> {
  return new Map(chains.flatMap(({ journals = {} }) => Object.entries(journals)));
}
