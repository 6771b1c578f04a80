/**
 * .tabvm files of the page: made of a snapshot piece by piece, as whoever writes them has room, and
 * taken in as a snapshot and disks. Relies on the storage layer for the format and its checks;
 * guarantees that no more than some pieces are in memory, and that a file that is damaged, or one
 * whose import is given up, leaves nothing behind.
 */
import type { DiskStore } from '../../storage/disk/disk-store.ts';
import { StorageError, type StorageFolder } from '../../storage/files.ts';
import { isZero, sha256Hex } from '../../storage/hash.ts';
import { newId } from '../../storage/id.ts';
import { stateCodec } from '../../storage/snapshots/codec.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import type { SnapshotStore } from '../../storage/snapshots/snapshot-store.ts';
import { exportTabvm } from '../../storage/tabvm/export.ts';
import { TabvmFile } from '../../storage/tabvm/file.ts';
import type { CopyProgress } from './api.ts';

export interface ExportRequest {
  readonly snapshot: string;
  /** What the VM is called there. */
  readonly name: string;
  readonly template: string;
  /** The kernel's command line, and what it boots at a reset. */
  readonly append: string;
  readonly kernel: ArrayBuffer;
  readonly initrd: ArrayBuffer | undefined;
}

/** Bytes of a file that is being made; none: it is whole. `done` and `total` are of what goes in. */
export interface ExportPiece {
  readonly bytes: ArrayBuffer | null;
  readonly done: number;
  readonly total: number;
}

export interface ImportRequest {
  /** Id that the snapshot will have. */
  readonly snapshot: string;
  /** What storage calls the VM. */
  readonly vm: string;
}

/** What was in a file. */
export interface Imported {
  readonly record: SnapshotRecord;
  readonly name: string;
  readonly template: string;
  /** The VM's disks, in the machine's order. */
  readonly disks: readonly { readonly id: string; readonly size: number }[];
  readonly program: { kernel: string; initrd?: string; append: string } | undefined;
}

/** Bytes of a piece of an export, about. */
const PIECE = 1 << 20;
/** Bytes of a file that are read at once: headers lie close to each other. */
const READ = 1 << 20;
/** Exports that may be under way. */
const EXPORTS_MAX = 8;

interface Export {
  readonly pieces: AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;
  readonly progress: { done: number; total: number };
  close(): Promise<void>;
}

export class Transfers {
  readonly #exports = new Map<number, Export>();
  readonly #imports = new Map<string, { cancelled: boolean }>();
  #next = 1;

  constructor(
    private readonly programs: StorageFolder,
    private readonly disks: DiskStore,
    private readonly shots: SnapshotStore,
  ) {}

  async openExport(request: ExportRequest): Promise<number> {
    if (this.#exports.size >= EXPORTS_MAX) {
      throw new StorageError('busy', 'Too many exports are under way. Wait until one is done.');
    }
    const record = await this.shots.record(request.snapshot);
    const closing: (() => Promise<void>)[] = [];
    const close = async () => {
      for (const step of closing.splice(0)) await step();
    };
    try {
      const source = await this.shots.source(record.id);
      closing.push(() => source.close());
      const disks = [];
      for (const chain of record.disks) {
        const disk = await this.disks.openChain(chain);
        closing.push(() => disk.close());
        disks.push(disk);
      }
      const share = await this.shots.share(record.id);
      const progress = { done: 0, total: record.memory };
      const pieces = exportTabvm({
        head: {
          name: request.name.slice(0, 200),
          note: record.note,
          template: request.template,
          append: request.append,
          time: record.time,
          thumbnail: record.thumbnail,
        },
        source,
        codec: stateCodec,
        kernel: new Uint8Array(request.kernel),
        initrd: request.initrd && new Uint8Array(request.initrd),
        share,
        disks,
        progress: (done, total) => Object.assign(progress, { done, total }),
      });
      const number = this.#next++;
      this.#exports.set(number, { pieces, progress, close });
      return number;
    } catch (error) {
      await close();
      throw error;
    }
  }

  async readExport(number: number): Promise<ExportPiece> {
    const one = this.#exports.get(number);
    if (!one) throw new StorageError('failed', 'The export has ended.');
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < PIECE) {
      const { value, done } = await one.pieces.next();
      if (done) break;
      parts.push(value);
      length += value.length;
    }
    if (length === 0) return { bytes: null, ...one.progress };
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return { bytes: bytes.buffer, ...one.progress };
  }

  async closeExport(number: number): Promise<void> {
    const one = this.#exports.get(number);
    this.#exports.delete(number);
    await one?.pieces.return();
    await one?.close();
  }

  cancelImport(snapshot: string): void {
    const one = this.#imports.get(snapshot);
    if (one) one.cancelled = true;
  }

  async importFile(file: Blob, request: ImportRequest, progress: CopyProgress): Promise<Imported> {
    const state = { cancelled: false };
    const check = () => {
      if (state.cancelled) throw new StorageError('failed', 'The import was given up.');
    };
    this.#imports.set(request.snapshot, state);
    const made: string[] = [];
    try {
      const opened = await TabvmFile.open(new BlobAccess(file), stateCodec);
      return await this.#import(opened, request, made, progress, check);
    } catch (error) {
      for (const id of made) {
        await this.disks.close(id).catch(() => {});
        await this.disks.remove(id).catch(() => {});
      }
      throw error;
    } finally {
      this.#imports.delete(request.snapshot);
    }
  }

  async #import(
    file: TabvmFile,
    request: ImportRequest,
    made: string[],
    progress: CopyProgress,
    check: () => void,
  ): Promise<Imported> {
    const { head } = file;
    const total = head.disks.reduce((sum, { size }) => sum + size, head.memory);
    let done = 0;
    const source = await file.source();
    const program = await this.#keepProgram(file);
    for (const { size } of head.disks) {
      // Scratch until all is there: were the page closed now, it would be gone.
      const { id } = await this.disks.create({ kind: 'scratch', size });
      made.push(id);
    }
    const share = await file.share();
    const sink = this.shots.sink(
      {
        vm: request.vm,
        name: head.name || 'Imported',
        kind: 'manual',
        note: head.note,
        thumbnail: head.thumbnail,
        time: head.time,
        guest: { template: head.template, ...(program === undefined ? {} : { program }) },
        ...(share === undefined ? {} : { share: async () => share }),
        disks: (token) => Promise.all(made.map((id) => this.#frozen(id, token))),
      },
      request.snapshot,
    );
    try {
      // A token of its own: two imports of one file are two snapshots.
      await sink.begin({ memory: head.memory, state: source.image.state, token: newId() });
      for await (const run of source.pages()) {
        check();
        await sink.pages(run);
        progress(run.first * 4096 + run.bytes.length, total);
      }
      done = head.memory;
      for (const [i, id] of made.entries()) {
        const disk = await this.disks.openDisk(id);
        const from = file.disk(i);
        for (let chunk = 0; chunk * from.chunkSize < from.size; chunk++) {
          check();
          done += Math.min(from.chunkSize, from.size - chunk * from.chunkSize);
          if (from.isZero(chunk)) continue;
          const bytes = await from.load(chunk);
          for (let at = 0; at < bytes.length; at += GRAIN) {
            const part = bytes.subarray(at, at + GRAIN);
            if (!isZero(part)) await disk.write(chunk * from.chunkSize + at, part);
          }
          progress(done, total);
        }
      }
      await sink.end();
    } catch (error) {
      sink.abort('The import failed.');
      throw error;
    }
    const record = await this.shots.record(request.snapshot);
    for (const [i, id] of made.entries()) {
      await this.disks.close(id);
      await this.disks.place(id, 'persistent', record.disks[i]!);
    }
    progress(total, total);
    return {
      record,
      name: head.name,
      template: head.template,
      disks: made.map((id, i) => ({ id, size: head.disks[i]!.size })),
      program,
    };
  }

  async readProgram(sha256: string): Promise<ArrayBuffer> {
    const file = await this.programs.open(sha256, 'existing');
    try {
      const bytes = new Uint8Array(file.size());
      file.read(0, bytes);
      if ((await sha256Hex(bytes)) === sha256) return bytes.buffer;
    } finally {
      file.close();
    }
    throw new StorageError('damaged', 'The kernel that was kept with the VM is damaged.');
  }

  async retainPrograms(named: readonly string[]): Promise<void> {
    for (const { name } of await this.programs.list()) {
      if (!named.includes(name)) await this.programs.remove(name);
    }
  }

  async #keepProgram(file: TabvmFile): Promise<Imported['program']> {
    const [kernel, initrd] = [await file.kernel(), await file.initrd()];
    if (kernel === undefined) return undefined;
    return {
      kernel: await this.#keep(kernel),
      ...(initrd === undefined ? {} : { initrd: await this.#keep(initrd) }),
      append: file.head.append,
    };
  }

  async #keep(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const name = await sha256Hex(bytes);
    const file = await this.programs.open(name, 'create');
    try {
      file.truncate(bytes.length);
      file.write(0, bytes);
      file.flush();
    } finally {
      file.close();
    }
    return name;
  }

  async #frozen(id: string, token: string) {
    const disk = this.disks.opened(id);
    if (!disk) throw new StorageError('failed', 'A disk of the import is not open.');
    disk.freeze(token);
    return { size: disk.size, ...(await disk.frozen(token)) };
  }
}

/** Zeroes of a disk are left out in steps of so many bytes: whole clusters. */
const GRAIN = 32 << 10;

/** A file of the person's disk, read in large pieces: most reads lie close behind each other. */
class BlobAccess {
  #at = 0;
  #bytes = new Uint8Array(0);

  constructor(private readonly blob: Blob) {}

  size(): number {
    return this.blob.size;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const within = offset >= this.#at && offset + into.length <= this.#at + this.#bytes.length;
    if (!within) {
      const length = Math.max(into.length, READ);
      this.#bytes = new Uint8Array(await this.blob.slice(offset, offset + length).arrayBuffer());
      this.#at = offset;
    }
    const from = this.#bytes.subarray(offset - this.#at, offset - this.#at + into.length);
    into.set(from);
    return from.length;
  }
}
