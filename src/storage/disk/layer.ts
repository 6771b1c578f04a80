/**
 * One layer of a disk: a file of clusters and the journal that says which is which. A cluster that
 * was flushed is never overwritten: a newer one goes to another slot, and the former slot is used
 * again only when the journal that no longer names it is durable. So whatever moment the power goes,
 * what the journal names is there. Which cluster is where is the disk's map to know (cluster-map.ts).
 */
import { StorageError, type StorageFile, type StorageFolder } from '../files.ts';
import { checksum } from '../hash.ts';
import { CLUSTER, ZERO_SLOT } from './cluster-map.ts';
import { Journal, type JournalEntry, type JournalMark } from './journal.ts';

/** A layer that has this many uncommitted clusters commits by itself: memory stays bounded. */
export const PENDING_MAX = 1 << 15;

/** Free slots that were given out stay in the list up to so many: removing each would be slow. */
const FREE_SPENT = 1 << 14;

export class Layer {
  /** Slots that the file has. */
  #slots = 0;
  #free: number[] = [];
  /** Those before are given out already. */
  #freeAt = 0;
  /** Free when the next commit is durable. */
  #quarantine: number[] = [];
  /** Written since the last attempt to commit: no journal names them, so they may be overwritten. */
  readonly #fresh = new Set<number>();
  readonly #pending = new Map<number, JournalEntry>();
  #used = 0;
  #empty = true;
  #broken: unknown;

  private constructor(
    readonly id: string,
    private readonly data: StorageFile,
    private readonly journal: Journal,
  ) {}

  /** `clusters` is how many the disk has. */
  static async open(folder: StorageFolder, id: string, clusters: number): Promise<Layer> {
    const journal = await Journal.open(folder);
    let data: StorageFile;
    try {
      data = await folder.open('data', 'create');
    } catch (error) {
      journal.close();
      throw error;
    }
    const layer = new Layer(id, data, journal);
    try {
      layer.#adopt(clusters);
    } catch (error) {
      layer.close();
      throw error;
    }
    return layer;
  }

  /** All that is committed, each cluster once. */
  entries(): Iterable<JournalEntry> {
    const held = new Map<number, JournalEntry>();
    this.journal.replay((entry) => held.set(entry.cluster, entry));
    return held.values();
  }

  #adopt(clusters: number): void {
    this.#slots = Math.ceil(this.data.size() / CLUSTER);
    const used = new Uint8Array(this.#slots);
    for (const { cluster, slot } of this.entries()) {
      this.#empty = false;
      const fits = cluster < clusters && (slot === ZERO_SLOT || slot < this.#slots);
      if (!fits || used[slot] === 1) {
        throw new StorageError(
          'damaged',
          `The layer ${this.id.slice(0, 8)} of a disk is damaged: its journal contradicts its data.`,
        );
      }
      if (slot === ZERO_SLOT) continue;
      used[slot] = 1;
      this.#used++;
    }
    for (let slot = 0; slot < this.#slots; slot++) if (used[slot] === 0) this.#free.push(slot);
  }

  /** What is durable of it now. */
  get mark(): JournalMark {
    return this.journal.mark;
  }

  /** Throws when something is gone of what it held when it had this mark. */
  check(mark: JournalMark): void {
    if (this.journal.holds(mark)) return;
    throw new StorageError(
      'damaged',
      `The layer ${this.id.slice(0, 8)} of a disk is damaged: a part of its journal is gone.`,
    );
  }

  /** Nothing was ever written to it. */
  get isEmpty(): boolean {
    return this.#empty;
  }

  /** Bytes of clusters that are in use, and of the file. */
  get usage(): { used: number; file: number } {
    return { used: this.#used * CLUSTER, file: this.#slots * CLUSTER };
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Reads `into.length` bytes from the beginning of `slot` on. */
  read(slot: number, into: Uint8Array): void {
    const count = this.data.read(slot * CLUSTER, into);
    if (count < into.length) throw this.damaged();
  }

  /** Reads the cluster of `entry` and checks it. */
  readChecked({ slot, cluster, sum }: JournalEntry, into: Uint8Array): void {
    this.read(slot, into);
    if (checksum(into, cluster) !== sum) throw this.damaged();
  }

  /**
   * Writes whole clusters from `cluster` on. `former` is the slot of each in this layer, or -1;
   * `placed` is told where each is now. When it throws, some of them may have been placed.
   */
  write(
    cluster: number,
    bytes: Uint8Array,
    former: (cluster: number) => number,
    placed: (entry: JournalEntry) => void,
  ): void {
    this.#writable();
    const count = bytes.length / CLUSTER;
    let next = this.#place(former(cluster));
    for (let first = 0; first < count; ) {
      // Neighbours in the disk become neighbours in the file wherever they can.
      const slot = next;
      const slots = [slot];
      while (first + slots.length < count) {
        next = this.#place(former(cluster + first + slots.length));
        if (next !== slot + slots.length) break;
        slots.push(next);
      }
      const end = first + slots.length;
      try {
        this.data.write(slot * CLUSTER, bytes.subarray(first * CLUSTER, end * CLUSTER));
      } catch (error) {
        if (end < count) slots.push(next);
        for (const [i, one] of slots.entries()) this.#unplace(one, former(cluster + first + i));
        throw error;
      }
      for (const [i, one] of slots.entries()) {
        const at = first + i;
        const sum = checksum(bytes.subarray(at * CLUSTER, (at + 1) * CLUSTER), cluster + at);
        this.#note({ cluster: cluster + at, slot: one, sum }, former(cluster + at), placed);
      }
      first = end;
    }
  }

  /** From now on `cluster` is zeroes; `former` is its slot here, or -1. */
  zero(cluster: number, former: number, placed: (entry: JournalEntry) => void): void {
    this.#writable();
    this.#note({ cluster, slot: ZERO_SLOT, sum: 0 }, former, placed);
  }

  /** Makes all that was written durable. `live` gives all that the layer holds, when asked. */
  commit(live: () => Iterable<JournalEntry>): void {
    this.#writable();
    if (this.#pending.size === 0) return;
    this.#fresh.clear();
    try {
      this.data.flush();
    } catch (error) {
      // What a failed flush left unwritten no later one brings back.
      this.#broken = error;
      throw error;
    }
    try {
      this.journal.append([...this.#pending.values()]);
    } catch (error) {
      if (!(error instanceof StorageError && error.kind === 'full')) this.#broken = error;
      throw error;
    }
    this.#pending.clear();
    for (const slot of this.#quarantine) this.#free.push(slot);
    this.#quarantine = [];
    if (!this.journal.wasteful(this.#used)) return;
    try {
      this.journal.rewrite([...live()]);
    } catch {
      // The former journal holds all, too.
    }
  }

  /**
   * Gives the space of unused slots back: moves clusters from the end of the file to free slots and
   * cuts it. Everything must be committed; it is afterwards.
   */
  shrink(live: () => Iterable<JournalEntry>, placed: (entry: JournalEntry) => void): void {
    if (this.#pending.size > 0) return;
    const free = this.#free.slice(this.#freeAt);
    if (free.length === 0) return;
    const target = this.#slots - free.length;
    const holes = free.filter((slot) => slot < target);
    const moving = [...live()].filter(({ slot }) => slot !== ZERO_SLOT && slot >= target);
    // From here on none of them is given out, whatever fails: the next opening finds them again.
    this.#free = [];
    this.#freeAt = 0;
    const bytes = new Uint8Array(CLUSTER);
    for (const [i, entry] of moving.entries()) {
      this.readChecked(entry, bytes);
      this.data.write(holes[i]! * CLUSTER, bytes);
      const moved = { ...entry, slot: holes[i]! };
      this.#pending.set(entry.cluster, moved);
      placed(moved);
    }
    this.commit(live);
    this.#slots = target;
    this.data.truncate(target * CLUSTER);
  }

  close(): void {
    this.data.close();
    this.journal.close();
  }

  damaged(): StorageError {
    return new StorageError(
      'damaged',
      `The layer ${this.id.slice(0, 8)} of a disk is damaged: its contents are not what was written.`,
    );
  }

  #writable(): void {
    if (this.#broken === undefined) return;
    const why = this.#broken instanceof Error ? this.#broken.message : String(this.#broken);
    throw new StorageError('failed', `The disk is read-only since its storage failed: ${why}`);
  }

  /** A slot for a cluster that was at `former`: the same one where nothing durable names it. */
  #place(former: number): number {
    if (former >= 0 && this.#fresh.has(former)) return former;
    const reused = this.#nextFree();
    if (reused !== undefined) return reused;
    return this.#slots++;
  }

  /** Free slots are used oldest first: neighbours that were freed together stay neighbours. */
  #nextFree(): number | undefined {
    if (this.#freeAt >= this.#free.length || this.#freeAt > FREE_SPENT) {
      this.#free.splice(0, this.#freeAt);
      this.#freeAt = 0;
    }
    return this.#free.length === 0 ? undefined : this.#free[this.#freeAt++];
  }

  #unplace(slot: number, former: number): void {
    if (slot !== former) this.#free.push(slot);
  }

  #note(entry: JournalEntry, former: number, placed: (entry: JournalEntry) => void): void {
    if (former >= 0 && former !== entry.slot) {
      // One that no journal names is free at once.
      if (this.#fresh.delete(former)) this.#free.push(former);
      else this.#quarantine.push(former);
      this.#used--;
    }
    if (entry.slot !== ZERO_SLOT) {
      this.#fresh.add(entry.slot);
      if (entry.slot !== former) this.#used++;
    }
    this.#pending.set(entry.cluster, entry);
    this.#empty = false;
    placed(entry);
  }
}
