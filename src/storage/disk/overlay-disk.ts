/**
 * A disk that is written to: layers of clusters over an image, or over nothing. Relies on layer.ts for
 * what survives; guarantees that reads see all writes before them, that what was flushed is there
 * after a crash at any moment, and that `freeze` gives the layers of that instant to whoever names
 * the token, immutable from then on. Contents are checked when they are read: a damaged cluster is
 * an I/O error, never garbage.
 */
import type { BlockBackend } from '../../machine/devices/virtio/block-backend.ts';
import { StorageError } from '../files.ts';
import { checksum } from '../hash.ts';
import type { BaseImage } from '../image/chunks.ts';
import { CLUSTER, ClusterMap, ZERO_SLOT } from './cluster-map.ts';
import type { JournalEntry, JournalMark } from './journal.ts';
import { type Layer, PENDING_MAX } from './layer.ts';

export interface OverlayOptions {
  readonly id: string;
  /** Bytes, a multiple of 512. */
  readonly size: number;
  readonly base?: BaseImage | undefined;
  /** For reading a chain that belongs to others: nothing is ever written. */
  readonly readOnly?: boolean;
  /** Opens a layer, which is made when it is missing; several disks may share one. */
  readonly openLayer: (id: string) => Promise<Layer>;
  readonly closeLayer: (layer: Layer) => void;
  /** Makes it durable that the disk consists of these layers. */
  readonly saveChain: (chain: readonly string[]) => Promise<void>;
  readonly newId: () => string;
}

/** Layers as they were frozen, oldest first, and how much the journal of each held. */
export interface FrozenLayers {
  readonly layers: string[];
  readonly journals: Record<string, JournalMark>;
}

/** Tokens whose layers nobody asked for are forgotten, oldest first. */
const TOKENS_MAX = 16;
/** A file of which this share is unused is cut when the disk is closed. */
const SHRINK_SHARE = 0.25;

type Chunks = ReadonlyMap<number, Uint8Array>;
const NO_CHUNKS: Chunks = new Map();

export class OverlayDisk implements BlockBackend {
  readonly #map = new ClusterMap();
  readonly #layers: Layer[] = [];
  /** Layers that were sealed and have not been committed since. */
  readonly #sealing = new Set<Layer>();
  readonly #frozen = new Map<string, Promise<FrozenLayers>>();
  /** The layer that is written to; undefined from a freeze until the next one is open. */
  #top: Layer | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;
  readonly #scratch = new Uint8Array(CLUSTER);

  private constructor(private readonly options: OverlayOptions) {}

  /** Opens a disk of these layers, oldest first; the last one is written to. */
  static async open(options: OverlayOptions, chain: readonly string[]): Promise<OverlayDisk> {
    const disk = new OverlayDisk(options);
    try {
      for (const id of chain) await disk.#open(id);
      if (!disk.readOnly) {
        disk.#top = disk.#layers.at(-1);
        if (disk.#top === undefined) await disk.#newTop();
      }
    } catch (error) {
      disk.#closeFiles();
      throw error;
    }
    return disk;
  }

  get id(): string {
    return this.options.id.slice(0, 20);
  }

  get size(): number {
    return this.options.size;
  }

  get readOnly(): boolean {
    return this.options.readOnly ?? false;
  }

  /** The layers, oldest first. */
  get chain(): readonly string[] {
    return this.#layers.map(({ id }) => id);
  }

  /** Bytes of clusters in the layers, and of their files. */
  get usage(): { used: number; file: number } {
    const sum = { used: 0, file: 0 };
    for (const { usage } of this.#layers) {
      sum.used += usage.used;
      sum.file += usage.file;
    }
    return sum;
  }

  read(offset: number, into: Uint8Array): void | Promise<void> {
    this.#check();
    const missing = this.#missing(offset, into.length);
    if (missing === undefined) return this.#fill(offset, into, NO_CHUNKS);
    return this.#load(missing).then((chunks) => this.#fill(offset, into, chunks));
  }

  write(offset: number, from: Uint8Array): void | Promise<void> {
    this.#check();
    if (this.#top === undefined) return this.#newTop().then(() => this.write(offset, from));
    const end = offset + from.length;
    const missing = new Set<number>();
    // Only clusters that are written in part need what was there.
    for (const edge of [offset, end]) {
      if (edge % CLUSTER === 0) continue;
      this.#missing(edge - (edge % CLUSTER), 1, missing);
    }
    if (missing.size === 0) return this.#write(offset, from, NO_CHUNKS);
    return this.#load(missing).then((chunks) => {
      this.#check();
      if (this.#top === undefined) return this.write(offset, from);
      return this.#write(offset, from, chunks);
    });
  }

  flush(): void | Promise<void> {
    this.#check();
    for (const layer of this.#sealing) this.#seal(layer);
    if (this.#top) this.#commit(this.#top);
  }

  discard(offset: number, length: number): void | Promise<void> {
    this.#check();
    if (this.#top === undefined) return this.#newTop().then(() => this.discard(offset, length));
    // Clusters that are only in part within the range keep what they hold.
    const end =
      offset + length === this.size ? this.#clusters : Math.floor((offset + length) / CLUSTER);
    for (let cluster = Math.ceil(offset / CLUSTER); cluster < end; cluster++) {
      this.#zero(this.#top, cluster);
    }
    this.#commitWhenMuch(this.#top);
  }

  writeZeroes(offset: number, length: number): void | Promise<void> {
    const end = offset + length;
    const first = Math.min(Math.ceil(offset / CLUSTER) * CLUSTER, end);
    const last = end === this.size ? end : Math.max(first, Math.floor(end / CLUSTER) * CLUSTER);
    const steps = [
      () => (first > offset ? this.write(offset, new Uint8Array(first - offset)) : undefined),
      () => (last > first ? this.discard(first, last - first) : undefined),
      () => (end > last ? this.write(last, new Uint8Array(end - last)) : undefined),
    ];
    return inOrder(steps);
  }

  /** All writes so far belong to `token`; `frozen` gives their layers. Later writes go to a new one. */
  freeze(token: string): void {
    this.#check();
    const top = this.#top;
    // One that nothing was written to since the last freeze is left out.
    const layers = this.#layers.filter((layer) => layer !== top || !top.isEmpty);
    if (top && !top.isEmpty) {
      this.#sealing.add(top);
      this.#top = undefined;
    }
    const sealed = this.#settled(layers);
    sealed.catch(() => {});
    this.#frozen.set(token, sealed);
    for (const oldest of this.#frozen.keys()) {
      if (this.#frozen.size <= TOKENS_MAX) break;
      this.#frozen.delete(oldest);
    }
  }

  /** The layers of the disk when it was frozen under `token`, oldest first, once they are durable. */
  frozen(token: string): Promise<FrozenLayers> {
    const chain = this.#frozen.get(token);
    if (chain) return chain;
    return Promise.reject(
      new StorageError('missing', `The disk ${this.options.id} was not frozen for this snapshot.`),
    );
  }

  /** Flushes and closes. It may be called when a flush fails: then the files are closed all the same. */
  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.flush();
      const top = this.#top;
      if (top && top.usage.file - top.usage.used > top.usage.file * SHRINK_SHARE) {
        const number = this.#layers.indexOf(top) + 1;
        top.shrink(
          () => [...this.#map.entries(number)],
          (entry) => this.#place(number, entry),
        );
      }
    } finally {
      this.#closed = true;
      this.#closeFiles();
    }
  }

  /** Clusters that any layer holds, zeroes among them, in order. */
  *clusters(): Generator<{ offset: number; zero: boolean }> {
    for (const { cluster, slot } of this.#map.entries()) {
      yield { offset: cluster * CLUSTER, zero: slot === ZERO_SLOT };
    }
  }

  get #clusters(): number {
    return Math.ceil(this.size / CLUSTER);
  }

  #check(): void {
    if (this.#closed) throw new StorageError('failed', 'The disk is closed.');
  }

  async #open(id: string): Promise<Layer> {
    const number = this.#layers.length + 1;
    const layer = await this.options.openLayer(id);
    this.#layers.push(layer);
    for (const entry of layer.entries()) this.#place(number, entry);
    return layer;
  }

  /** Opens a new layer; the disk's chain names it durably before anything is written there. */
  #newTop(): Promise<void> {
    this.#opening ??= this.#makeTop().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #makeTop(): Promise<void> {
    if (this.readOnly) throw new StorageError('failed', 'The disk is read-only.');
    const id = this.options.newId();
    await this.options.saveChain([...this.chain, id]);
    this.#check();
    this.#top = await this.#open(id);
  }

  async #settled(layers: readonly Layer[]): Promise<FrozenLayers> {
    // Not within the instant of the capture, which must be short.
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    for (const layer of this.#sealing) this.#seal(layer);
    return {
      layers: layers.map(({ id }) => id),
      journals: Object.fromEntries(layers.map(({ id, mark }) => [id, mark])),
    };
  }

  #seal(layer: Layer): void {
    this.#commit(layer);
    this.#sealing.delete(layer);
  }

  #commit(layer: Layer): void {
    const number = this.#layers.indexOf(layer) + 1;
    layer.commit(() => this.#map.entries(number));
  }

  #commitWhenMuch(layer: Layer): void {
    if (layer.pending < PENDING_MAX) return;
    for (const sealing of this.#sealing) this.#seal(sealing);
    this.#commit(layer);
  }

  #place(number: number, { cluster, slot, sum }: JournalEntry): void {
    this.#map.set(cluster, number, slot, sum);
  }

  /** Chunks of the base that reading this range needs and that are not in memory. */
  #missing(offset: number, length: number, into?: Set<number>): Set<number> | undefined {
    const { base } = this.options;
    let missing = into;
    if (base === undefined) return missing;
    const end = Math.min(offset + length, base.size);
    for (let cluster = Math.floor(offset / CLUSTER); cluster * CLUSTER < end; cluster++) {
      if (this.#map.layer(cluster) !== 0) continue;
      const chunk = Math.floor((cluster * CLUSTER) / base.chunkSize);
      if (missing?.has(chunk) || base.isZero(chunk) || base.peek(chunk)) continue;
      missing ??= new Set();
      missing.add(chunk);
    }
    return missing;
  }

  async #load(missing: ReadonlySet<number>): Promise<Chunks> {
    const { base } = this.options;
    const chunks = new Map<number, Uint8Array>();
    await Promise.all(
      [...missing].map(async (chunk) => {
        const contents = await base?.load(chunk);
        if (contents) chunks.set(chunk, contents);
      }),
    );
    this.#check();
    return chunks;
  }

  /** Reads a range whose chunks are at hand: in memory, or in `chunks`. */
  #fill(offset: number, into: Uint8Array, chunks: Chunks): void | Promise<void> {
    for (let at = 0; at < into.length; ) {
      const position = offset + at;
      const cluster = Math.floor(position / CLUSTER);
      const within = position % CLUSTER;
      const rest = into.length - at;
      const layer = this.#map.layer(cluster);
      if (layer === 0) {
        const part = into.subarray(at, at + Math.min(CLUSTER - within, rest));
        if (!this.#fillFromBase(position, part, chunks)) {
          // It was thrown out of memory meanwhile.
          return this.read(position, into.subarray(at));
        }
        at += part.length;
      } else if (within === 0 && rest >= CLUSTER) {
        at += this.#fillRun(cluster, layer, into.subarray(at, at + rest - (rest % CLUSTER)));
      } else {
        const part = into.subarray(at, at + Math.min(CLUSTER - within, rest));
        this.#fillRun(cluster, layer, this.#scratch);
        part.set(this.#scratch.subarray(within, within + part.length));
        at += part.length;
      }
    }
  }

  /** Reads clusters that lie beside each other in one layer; returns how many bytes. */
  #fillRun(cluster: number, layer: number, into: Uint8Array): number {
    const slot = this.#map.slot(cluster);
    const most = into.length / CLUSTER;
    const zero = slot === ZERO_SLOT;
    let run = 1;
    while (
      run < most &&
      this.#map.layer(cluster + run) === layer &&
      this.#map.slot(cluster + run) === (zero ? slot : slot + run)
    ) {
      run++;
    }
    const bytes = into.subarray(0, run * CLUSTER);
    if (zero) {
      bytes.fill(0);
      return bytes.length;
    }
    const from = this.#layers[layer - 1]!;
    from.read(slot, bytes);
    for (let i = 0; i < run; i++) {
      const part = bytes.subarray(i * CLUSTER, (i + 1) * CLUSTER);
      if (checksum(part, cluster + i) !== this.#map.sum(cluster + i)) throw from.damaged();
    }
    return bytes.length;
  }

  /** False: the chunk is not at hand. */
  #fillFromBase(position: number, into: Uint8Array, chunks: Chunks): boolean {
    const { base } = this.options;
    if (base === undefined || position >= base.size) {
      into.fill(0);
      return true;
    }
    const chunk = Math.floor(position / base.chunkSize);
    if (base.isZero(chunk)) {
      into.fill(0);
      return true;
    }
    const contents = chunks.get(chunk) ?? base.peek(chunk);
    if (contents === undefined) return false;
    const within = position % base.chunkSize;
    const part = contents.subarray(within, within + into.length);
    into.set(part);
    // A disk may be larger than its image, which may end within a cluster.
    into.fill(0, part.length);
    return true;
  }

  /** Writes a range; what its first and last cluster held is at hand. */
  #write(offset: number, from: Uint8Array, chunks: Chunks): void | Promise<void> {
    const top = this.#top!;
    const number = this.#layers.indexOf(top) + 1;
    const former = (cluster: number) =>
      this.#map.layer(cluster) === number && this.#map.slot(cluster) !== ZERO_SLOT
        ? this.#map.slot(cluster)
        : -1;
    const placed = (entry: JournalEntry) => this.#place(number, entry);
    for (let at = 0; at < from.length; ) {
      const position = offset + at;
      const cluster = Math.floor(position / CLUSTER);
      const within = position % CLUSTER;
      const rest = from.length - at;
      if (within === 0 && rest >= CLUSTER) {
        const whole = from.subarray(at, at + rest - (rest % CLUSTER));
        top.write(cluster, whole, former, placed);
        at += whole.length;
        continue;
      }
      const part = from.subarray(at, at + Math.min(CLUSTER - within, rest));
      const bytes = new Uint8Array(CLUSTER);
      const filled = this.#fill(cluster * CLUSTER, bytes, chunks);
      if (filled !== undefined) return filled.then(() => this.write(position, from.subarray(at)));
      bytes.set(part, within);
      top.write(cluster, bytes, former, placed);
      at += part.length;
    }
    this.#commitWhenMuch(top);
  }

  #zero(top: Layer, cluster: number): void {
    const { base } = this.options;
    const layer = this.#map.layer(cluster);
    if (layer === 0) {
      // Nothing to hide: there are zeroes already.
      const position = cluster * CLUSTER;
      if (base === undefined || position >= base.size) return;
      if (base.isZero(Math.floor(position / base.chunkSize))) return;
    } else if (this.#map.slot(cluster) === ZERO_SLOT) return;
    const number = this.#layers.indexOf(top) + 1;
    const former = layer === number ? this.#map.slot(cluster) : -1;
    top.zero(cluster, former, (entry) => this.#place(number, entry));
  }

  #closeFiles(): void {
    for (const layer of this.#layers) {
      try {
        this.options.closeLayer(layer);
      } catch {
        // The others are to be closed as well.
      }
    }
  }
}

/** Runs steps one after the other; waits only for those that take time. */
function inOrder(steps: readonly (() => void | Promise<void>)[]): void | Promise<void> {
  for (const [i, step] of steps.entries()) {
    const done = step();
    if (done) return done.then(() => inOrder(steps.slice(i + 1)));
  }
}
