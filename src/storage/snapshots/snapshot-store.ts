/**
 * Snapshots in storage: their tree, their pages, their disks' layers. Relies on packs for pages and
 * on the disk store for layers; guarantees that a snapshot that is listed is whole, that equal pages
 * are stored once, and that what nobody names any more is removed.
 */
import * as v from 'valibot';
import type {
  MachineImage,
  PageRun,
  SnapshotSink,
  SnapshotSource,
} from '../../machine/snapshot/snapshot.ts';
import { Catalog } from '../catalog.ts';
import type { DiskStore } from '../disk/disk-store.ts';
import type { JournalMark } from '../disk/journal.ts';
import { StorageError, type StorageFile, type StorageFolder } from '../files.ts';
import { checksum, isZero } from '../hash.ts';
import { newId } from '../id.ts';
import { Packs, type PackWriter, readPages } from './packs.ts';
import {
  PAGE,
  PAGES_MAX,
  type SnapshotMeta,
  type SnapshotRecord,
  SnapshotRecordSchema,
  type StateCodec,
} from './record.ts';
import { PageTable, readTable, writeTable } from './table.ts';

/** Pages in one run at most when a snapshot is read. */
const RUN = 64;

/** Pages that come at once with one that is asked for. */
const AROUND = 8;

/** A snapshot that is being read: nothing of it is removed until it is closed. */
export interface OpenSnapshot extends SnapshotSource {
  readonly held: Uint32Array;
  fetch(pages: readonly number[]): Promise<PageRun[]>;
  close(): Promise<void>;
}

export class SnapshotStore {
  readonly #records: Catalog;
  readonly #packs: Packs;
  /** Captures under way: their packs are not to be removed. */
  readonly #writing = new Set<string>();
  /** Packs of snapshots that are being read. */
  readonly #reading = new Set<readonly string[]>();

  private constructor(
    records: StorageFolder,
    private readonly tables: StorageFolder,
    packs: StorageFolder,
    private readonly disks: DiskStore,
    private readonly codec: StateCodec,
  ) {
    this.#records = new Catalog(records);
    this.#packs = new Packs(packs);
    disks.addUser({
      chains: async () => (await this.list()).flatMap(({ disks }) => disks),
      merged: (lower, upper, mark) => this.#merged(lower, upper, mark),
    });
  }

  static async open(
    folder: StorageFolder,
    disks: DiskStore,
    codec: StateCodec,
  ): Promise<SnapshotStore> {
    return new SnapshotStore(
      await folder.folder('snapshots'),
      await folder.folder('tables'),
      await folder.folder('pages'),
      disks,
      codec,
    );
  }

  /** All snapshots, oldest first. */
  async list(): Promise<SnapshotRecord[]> {
    const records: SnapshotRecord[] = [];
    for (const name of await this.#records.list()) {
      const record = v.safeParse(SnapshotRecordSchema, await this.#records.read(name));
      if (record.success) records.push(record.output);
    }
    return records.sort((a, b) => a.time - b.time);
  }

  async record(id: string): Promise<SnapshotRecord> {
    const record = v.safeParse(SnapshotRecordSchema, await this.#records.read(id));
    if (record.success) return record.output;
    throw new StorageError('missing', `There is no snapshot ${id.slice(0, 8)} in this storage.`);
  }

  /** Takes one snapshot; `id` is what it will be called when `end` has resolved. */
  sink(meta: SnapshotMeta, id = newId()): SnapshotSink {
    const { codec } = this;
    let image: MachineImage | undefined;
    let table: PageTable | undefined;
    let packs: string[] = [];
    let numbers = new Map<string, number>();
    let writer: PackWriter | undefined;
    let ended = false;
    const started = () => {
      if (ended || !image || !table || !writer) {
        throw new StorageError('failed', 'The snapshot has not begun, or has ended already.');
      }
      return { image, table, writer };
    };
    const abandon = async () => {
      ended = true;
      writer?.abandon();
      this.#writing.delete(id);
      // What was written in vain could come back as a record of pages that are gone.
      await this.#records.remove(id);
      await this.tables.remove(id);
      await this.tables.remove(shareOf(id));
      await this.collect();
    };
    const numberOf = (pack: string): number => {
      let number = numbers.get(pack);
      if (number === undefined) {
        packs.push(pack);
        number = packs.length;
        numbers.set(pack, number);
      }
      return number;
    };
    return {
      has: async (token) => (await this.list()).some((record) => record.token === token),
      begin: async (begun) => {
        if (image || ended) throw new StorageError('failed', 'The snapshot has begun already.');
        const pages = begun.memory / PAGE;
        if (!Number.isInteger(pages) || pages < 1 || pages > PAGES_MAX) {
          throw new StorageError('failed', `There is no memory of ${begun.memory} bytes.`);
        }
        image = begun;
        this.#writing.add(id);
        table = new PageTable(pages);
        if (begun.base !== undefined) {
          const base = await this.#byToken(begun.base);
          ({ table } = await this.#table(base));
          packs = [...base.packs];
          numbers = new Map(packs.map((pack, i) => [pack, i + 1]));
          if (table.pages !== pages) {
            throw new StorageError('failed', 'The snapshot before has another size of memory.');
          }
        }
        writer = await this.#packs.writer(id);
      },
      pages: async ({ first, bytes }) => {
        const { table, writer } = started();
        const count = bytes.length / PAGE;
        if (!Number.isInteger(count) || !(first >= 0) || first + count > table.pages) {
          throw new StorageError('failed', 'Pages came that the machine does not have.');
        }
        const full: number[] = [];
        for (let i = 0; i < count; i++) {
          if (isZero(bytes.subarray(i * PAGE, (i + 1) * PAGE))) table.pack[first + i] = 0;
          else full.push(i);
        }
        // Zero pages are not stored: those that are left move together.
        const packed = full.length === count ? bytes : new Uint8Array(full.length * PAGE);
        if (packed !== bytes) {
          for (const [to, i] of full.entries()) {
            packed.set(bytes.subarray(i * PAGE, (i + 1) * PAGE), to * PAGE);
          }
        }
        const places = await writer.add(packed);
        for (const [at, i] of full.entries()) {
          const place = places[at]!;
          table.pack[first + i] = numberOf(place.pack);
          table.slot[first + i] = place.slot;
          table.sum[first + i] = checksum(packed.subarray(at * PAGE, (at + 1) * PAGE));
        }
      },
      end: async () => {
        const { image, table, writer } = started();
        ended = true;
        try {
          const disks = [...((await meta.disks?.(image.token)) ?? [])];
          const held = this.disks.hold(disks.flatMap(({ layers }) => layers));
          try {
            writer.finish();
            const state = codec.encode(image.state);
            const file = await this.tables.open(id, 'create');
            let sum: number;
            try {
              sum = writeTable(file, state, table);
            } finally {
              file.close();
            }
            const share = await this.#writeShare(id, await meta.share?.(image.token));
            const record: SnapshotRecord = {
              format: 1,
              id,
              vm: meta.vm,
              name: meta.name,
              note: meta.note ?? '',
              time: Math.round(meta.time ?? Date.now()),
              kind: meta.kind,
              memory: image.memory,
              bytes: writer.bytes + state.length,
              thumbnail: meta.thumbnail ?? '',
              token: image.token,
              disks,
              packs,
              table: sum,
              ...(share === undefined ? {} : { share }),
              ...(meta.guest === undefined ? {} : { guest: meta.guest }),
              ...(meta.parent === undefined ? {} : { parent: meta.parent }),
            };
            await this.#records.write(id, v.parse(SnapshotRecordSchema, record));
          } finally {
            held.release();
          }
          this.#writing.delete(id);
        } catch (error) {
          await abandon().catch(() => {});
          throw error;
        }
      },
      abort: () => {
        if (!ended) abandon().catch(() => {});
      },
    };
  }

  /**
   * Gives one snapshot to restore. A page that is damaged is an error where it is read. Close it when
   * no page is wanted any more.
   */
  async source(id: string): Promise<OpenSnapshot> {
    const record = await this.record(id);
    const { packs } = record;
    this.#reading.add(packs);
    const close = async () => {
      if (this.#reading.delete(packs) && !(await this.#has(id))) await this.collect();
    };
    try {
      return await this.#open(record, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #open(record: SnapshotRecord, close: () => Promise<void>): Promise<OpenSnapshot> {
    const { state, table } = await this.#table(record);
    const files = new Map<number, StorageFile>();
    for (const [i, pack] of record.packs.entries()) {
      files.set(i + 1, await this.#packs.reader(pack));
    }
    /** Reads pages none of which is zero; those that lie beside each other in a pack at once. */
    const read = (first: number, into: Uint8Array) => {
      const count = into.length / PAGE;
      for (let from = 0; from < count; ) {
        const pack = table.pack[first + from]!;
        const slot = table.slot[first + from]!;
        let to = from + 1;
        while (
          to < count &&
          table.pack[first + to] === pack &&
          table.slot[first + to] === slot + (to - from)
        ) {
          to++;
        }
        const file = files.get(pack);
        if (!file) throw new StorageError('damaged', `The snapshot "${record.name}" is damaged.`);
        const sums = table.sum.subarray(first + from, first + to);
        readPages(file, slot, sums, into.subarray(from * PAGE, to * PAGE));
        from = to;
      }
    };
    return {
      close,
      held: table.held(),
      image: { memory: record.memory, state: this.codec.decode(state), token: record.token },
      async *pages() {
        for (let page = 0; page < table.pages; ) {
          let run = 0;
          while (run < RUN && page + run < table.pages && table.pack[page + run] !== 0) run++;
          if (run === 0) {
            page++;
            continue;
          }
          const bytes = new Uint8Array(run * PAGE);
          read(page, bytes);
          yield { first: page, bytes };
          page += run;
        }
      },
      async fetch(pages: readonly number[]): Promise<PageRun[]> {
        const runs: PageRun[] = [];
        let end = 0;
        for (const first of [...pages].sort((one, other) => one - other)) {
          if (!(first >= 0 && first < table.pages) || first < end || table.pack[first] === 0) {
            continue;
          }
          // What lies behind a page is likely wanted next.
          end = first + 1;
          while (end < table.pages && end - first < AROUND && table.pack[end] !== 0) end++;
          const bytes = new Uint8Array((end - first) * PAGE);
          read(first, bytes);
          runs.push({ first, bytes });
        }
        return runs;
      },
    };
  }

  /** What the shared folder held; undefined when it is no part of the snapshot. */
  async share(id: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { share, name } = await this.record(id);
    if (share === undefined) return undefined;
    const file = await this.tables.open(shareOf(id), 'existing');
    try {
      const bytes = new Uint8Array(share.size);
      if (file.read(0, bytes) === share.size && checksum(bytes) === share.sum) return bytes;
    } finally {
      file.close();
    }
    throw new StorageError('damaged', `The shared folder of the snapshot "${name}" is damaged.`);
  }

  async #writeShare(id: string, bytes: Uint8Array | undefined) {
    if (bytes === undefined) return undefined;
    const file = await this.tables.open(shareOf(id), 'create');
    try {
      file.truncate(bytes.length);
      file.write(0, bytes);
      file.flush();
    } finally {
      file.close();
    }
    return { size: bytes.length, sum: checksum(bytes) };
  }

  /** Reads all of a snapshot; throws StorageError when anything of it is damaged. */
  async verify(id: string, progress?: (done: number, total: number) => void): Promise<void> {
    const record = await this.record(id);
    const source = await this.source(id);
    try {
      for await (const { first, bytes } of source.pages()) {
        progress?.(first * PAGE + bytes.length, record.memory);
      }
      await this.share(id);
    } finally {
      await source.close();
    }
    for (const chain of record.disks) {
      const disk = await this.disks.openChain(chain);
      try {
        const bytes = new Uint8Array(PAGE);
        for (const { offset, zero } of disk.clusters()) if (!zero) await disk.read(offset, bytes);
      } finally {
        await disk.close();
      }
    }
  }

  async rename(id: string, name: string, note?: string): Promise<void> {
    const record = await this.record(id);
    const renamed = v.safeParse(SnapshotRecordSchema, {
      ...record,
      name,
      note: note ?? record.note,
    });
    if (!renamed.success) throw new StorageError('failed', 'The name or the note is too long.');
    await this.#records.write(id, renamed.output);
  }

  /** Removes a snapshot; those made after it become its parent's children. */
  async remove(id: string): Promise<void> {
    const { parent } = await this.record(id);
    for (const child of await this.list()) {
      if (child.parent !== id) continue;
      const { parent: _, ...rest } = child;
      await this.#records.write(child.id, parent === undefined ? rest : { ...rest, parent });
    }
    await this.#records.remove(id);
    await this.collect();
  }

  /** Removes tables, pages and layers that nobody names. */
  async collect(): Promise<void> {
    const records = await this.list();
    const ids = new Set([...records.map(({ id }) => id), ...this.#writing]);
    for (const { name } of await this.tables.list()) {
      if (!ids.has(name.replace(/\.share$/, ''))) await this.tables.remove(name);
    }
    // A capture may be about to name any pack: then none goes.
    if (this.#writing.size === 0) {
      const reading = [...this.#reading].flat();
      await this.#packs.retain(new Set([...records.flatMap(({ packs }) => packs), ...reading]));
    }
    await this.disks.collect();
  }

  async close(): Promise<void> {
    await this.#packs.close();
  }

  async #has(id: string): Promise<boolean> {
    return (await this.#records.read(id)) !== undefined;
  }

  async #table(record: SnapshotRecord) {
    const file = await this.tables.open(record.id, 'existing');
    try {
      return readTable(file, record.table, record.name);
    } finally {
      file.close();
    }
  }

  async #byToken(token: string): Promise<SnapshotRecord> {
    const record = (await this.list()).find((one) => one.token === token);
    if (record) return record;
    throw new StorageError('missing', 'The snapshot that this one is based on is not there.');
  }

  async #merged(lower: string, upper: string, mark: JournalMark): Promise<void> {
    for (const record of await this.list()) {
      if (!record.disks.some(({ layers }) => layers.includes(upper))) continue;
      const disks = record.disks.map((disk) => {
        if (!disk.layers.includes(lower)) return disk;
        const { [upper]: _, ...journals } = disk.journals ?? {};
        const layers = disk.layers.filter((id) => id !== upper);
        return { ...disk, layers, journals: { ...journals, [lower]: mark } };
      });
      await this.#records.write(record.id, { ...record, disks });
    }
  }
}

/** The file that holds a snapshot's shared folder, beside its table. */
function shareOf(id: string): string {
  return `${id}.share`;
}
