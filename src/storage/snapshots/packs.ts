/**
 * Pages of RAM, each stored once over all snapshots, VMs and templates. A snapshot appends the pages
 * that nobody has yet to a pack of its own, with their SHA-256 beside them; a pack lives as long as
 * a snapshot names it. Each page has a checksum in the tables that name it.
 */
import { StorageError, type StorageFile, type StorageFolder } from '../files.ts';
import { checksum, sha256 } from '../hash.ts';
import { PAGE } from './record.ts';

const DIGEST = 32;

export interface PagePlace {
  readonly pack: string;
  readonly slot: number;
}

export class Packs {
  /** By SHA-256; loaded when first asked for. */
  #index: Promise<Map<string, PagePlace>> | undefined;
  readonly #files = new Map<string, Promise<StorageFile>>();

  constructor(private readonly folder: StorageFolder) {}

  async writer(pack: string): Promise<PackWriter> {
    const index = await this.#load();
    const pages = await this.#open(pack, 'create');
    const digests = await this.folder.open(`${pack}.sha256`, 'create');
    return new PackWriter(pack, pages, digests, index);
  }

  async reader(pack: string): Promise<StorageFile> {
    return this.#open(pack, 'existing');
  }

  /** Removes packs that are not named. */
  async retain(named: ReadonlySet<string>): Promise<void> {
    for (const { name } of await this.folder.list()) {
      const pack = name.replace(/\.sha256$/, '');
      if (named.has(pack)) continue;
      const file = this.#files.get(pack);
      this.#files.delete(pack);
      (await file?.catch(() => undefined))?.close();
      await this.folder.remove(name);
    }
    // Places in packs that are gone must not be given out again.
    this.#index = undefined;
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) (await file.catch(() => undefined))?.close();
    this.#files.clear();
  }

  #open(pack: string, how: 'existing' | 'create'): Promise<StorageFile> {
    let file = this.#files.get(pack);
    if (file === undefined) {
      file = this.folder.open(pack, how);
      this.#files.set(pack, file);
      file.catch(() => this.#files.delete(pack));
    }
    return file;
  }

  #load(): Promise<Map<string, PagePlace>> {
    this.#index ??= this.#readIndex();
    this.#index.catch(() => {
      this.#index = undefined;
    });
    return this.#index;
  }

  async #readIndex(): Promise<Map<string, PagePlace>> {
    const index = new Map<string, PagePlace>();
    for (const { name } of await this.folder.list()) {
      if (!name.endsWith('.sha256')) continue;
      const pack = name.replace(/\.sha256$/, '');
      const file = await this.folder.open(name, 'existing');
      try {
        const pages = (await this.#open(pack, 'existing')).size();
        const bytes = new Uint8Array(Math.floor(file.size() / DIGEST) * DIGEST);
        file.read(0, bytes);
        for (let slot = 0; slot * DIGEST < bytes.length && (slot + 1) * PAGE <= pages; slot++) {
          index.set(keyOf(bytes.subarray(slot * DIGEST, (slot + 1) * DIGEST)), { pack, slot });
        }
      } catch {
        // A pack without pages serves nobody.
      } finally {
        file.close();
      }
    }
    return index;
  }
}

export class PackWriter {
  #slots = 0;
  readonly #made: string[] = [];

  constructor(
    private readonly pack: string,
    private readonly pages: StorageFile,
    private readonly digests: StorageFile,
    private readonly index: Map<string, PagePlace>,
  ) {}

  /** Bytes that were stored. */
  get bytes(): number {
    return this.#slots * (PAGE + DIGEST);
  }

  /** Stores the pages of `bytes` that nobody has; returns where each is. */
  async add(bytes: Uint8Array<ArrayBuffer>): Promise<PagePlace[]> {
    const count = bytes.length / PAGE;
    const part = (i: number) => bytes.subarray(i * PAGE, (i + 1) * PAGE);
    const digests = await Promise.all(Array.from({ length: count }, (_, i) => sha256(part(i))));
    const first = this.#slots;
    /** Pages that are new, as runs of `bytes`: few writes, for each takes its time. */
    const runs: { from: number; to: number }[] = [];
    const places = digests.map((digest, i) => {
      const key = keyOf(digest);
      const there = this.index.get(key);
      if (there) return there;
      const place = { pack: this.pack, slot: this.#slots++ };
      this.index.set(key, place);
      this.#made.push(key);
      const last = runs.at(-1);
      if (last?.to === i) last.to++;
      else runs.push({ from: i, to: i + 1 });
      return place;
    });
    const added = new Uint8Array((this.#slots - first) * DIGEST);
    let at = 0;
    for (const { from, to } of runs) {
      this.pages.write((first + at) * PAGE, bytes.subarray(from * PAGE, to * PAGE));
      for (let i = from; i < to; i++) added.set(digests[i]!, at++ * DIGEST);
    }
    if (at > 0) this.digests.write(first * DIGEST, added);
    return places;
  }

  finish(): void {
    this.pages.flush();
    this.digests.flush();
    this.digests.close();
  }

  /** Nothing of it counts. */
  abandon(): void {
    for (const key of this.#made) this.index.delete(key);
    this.digests.close();
  }
}

/** Reads pages that lie beside each other, and checks each. */
export function readPages(
  file: StorageFile,
  slot: number,
  sums: Uint32Array,
  into: Uint8Array,
): void {
  let whole = file.read(slot * PAGE, into) === into.length;
  for (let i = 0; whole && i < sums.length; i++) {
    whole = checksum(into.subarray(i * PAGE, (i + 1) * PAGE)) === sums[i];
  }
  if (whole) return;
  throw new StorageError(
    'damaged',
    'The snapshot is damaged: a page of its memory is not what was stored.',
  );
}

function keyOf(digest: Uint8Array): string {
  return String.fromCharCode(...digest);
}
