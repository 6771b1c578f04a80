/**
 * The chunks of disk images, from wherever they are: a server, a folder, a cache in storage. A source
 * gives frames; what is handed on is unpacked and verified. One library serves all disks: it keeps
 * the chunks that were used last, and never fetches one twice at the same time.
 */
import { StorageError, type StorageFolder } from '../files.ts';
import { chunkLength, type DiskImage } from './manifest.ts';
import { unpackChunk } from './zstd.ts';

/** Where frames come from. */
export interface ChunkSource {
  /** The frame of a chunk, not yet verified; StorageError when it cannot be had. */
  get(sha256: string, size: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** What a disk reads from below its own layers. */
export interface BaseImage {
  readonly size: number;
  readonly chunkSize: number;
  isZero(chunk: number): boolean;
  /** The contents of a chunk that is in memory. */
  peek(chunk: number): Uint8Array | undefined;
  load(chunk: number): Promise<Uint8Array>;
}

/** Unpacked chunks in memory, over all disks, in bytes. */
const MEMORY = 48 << 20;
/** Chunks that are fetched ahead at the same time. */
const AHEAD_PARALLEL = 4;
/** Chunks ahead of a sequential reader, at most. */
const AHEAD_MAX = 4;

export class ChunkLibrary {
  /** In the order of their last use. */
  readonly #memory = new Map<string, Uint8Array>();
  #bytes = 0;
  readonly #loading = new Map<string, Promise<Uint8Array>>();

  readonly #writing = new Set<string>();

  /** `cache` keeps frames that came from elsewhere. */
  constructor(
    private readonly cache?: FolderChunks,
    private readonly memory = MEMORY,
  ) {}

  peek(sha256: string): Uint8Array | undefined {
    const contents = this.#memory.get(sha256);
    if (contents !== undefined) {
      this.#memory.delete(sha256);
      this.#memory.set(sha256, contents);
    }
    return contents;
  }

  load(source: ChunkSource, sha256: string, size: number, length: number): Promise<Uint8Array> {
    const there = this.peek(sha256);
    if (there !== undefined) return Promise.resolve(there);
    let loading = this.#loading.get(sha256);
    if (loading === undefined) {
      loading = this.#load(source, sha256, size, length).finally(() =>
        this.#loading.delete(sha256),
      );
      this.#loading.set(sha256, loading);
    }
    return loading;
  }

  async #load(source: ChunkSource, sha256: string, size: number, length: number) {
    const contents =
      (await this.#cached(sha256, size, length)) ??
      (await this.#fetch(source, sha256, size, length));
    this.#memory.set(sha256, contents);
    this.#bytes += contents.length;
    for (const [oldest, bytes] of this.#memory) {
      if (this.#bytes <= this.memory) break;
      this.#memory.delete(oldest);
      this.#bytes -= bytes.length;
    }
    return contents;
  }

  async #cached(sha256: string, size: number, length: number) {
    if (this.cache === undefined || this.#writing.has(sha256)) return undefined;
    try {
      return await unpackChunk(await this.cache.get(sha256, size), length, sha256);
    } catch {
      // Missing, cut short or rotten: all the same, it is fetched.
      return undefined;
    }
  }

  async #fetch(source: ChunkSource, sha256: string, size: number, length: number) {
    const frame = await source.get(sha256, size);
    const contents = await unpackChunk(frame, length, sha256);
    if (this.cache !== undefined && !this.#writing.has(sha256)) {
      this.#writing.add(sha256);
      // A cache that is full keeps no chunk from the guest.
      this.cache
        .put(sha256, frame)
        .catch(() => {})
        .finally(() => this.#writing.delete(sha256));
    }
    return contents;
  }
}

/** An image as disks read it: fetches ahead of sequential readers, and in the order of a boot. */
export class ImageReader implements BaseImage {
  #last = -2;
  #run = 0;
  /** Chunks to fetch ahead, and how many are on their way. */
  #ahead: number[] = [];
  #fetching = 0;
  #read: number[] | undefined;

  constructor(
    readonly image: DiskImage,
    private readonly source: ChunkSource,
    private readonly library: ChunkLibrary,
  ) {}

  get size(): number {
    return this.image.size;
  }

  get chunkSize(): number {
    return this.image.chunkSize;
  }

  isZero(chunk: number): boolean {
    return !this.image.chunks[chunk];
  }

  peek(chunk: number): Uint8Array | undefined {
    const named = this.image.chunks[chunk];
    const contents = named ? this.library.peek(named.sha256) : undefined;
    if (contents) this.#seen(chunk);
    return contents;
  }

  load(chunk: number): Promise<Uint8Array> {
    // Before all that is fetched ahead.
    const loading = this.#fetch(chunk);
    this.#seen(chunk);
    return loading;
  }

  /** Fetches what a boot reads, in that order, while the guest does other things. */
  expectBoot(): void {
    this.#ahead.push(...(this.image.bootOrder ?? []));
    this.#pump();
  }

  /** From now on notes which chunks are read first, in order: a boot order. */
  record(): readonly number[] {
    this.#read ??= [];
    return this.#read;
  }

  #fetch(chunk: number): Promise<Uint8Array> {
    const named = this.image.chunks[chunk];
    if (!named) return Promise.reject(new StorageError('failed', 'A chunk of zeroes is nowhere.'));
    const length = chunkLength(this.image, chunk);
    return this.library.load(this.source, named.sha256, named.size, length);
  }

  #seen(chunk: number): void {
    if (this.#read !== undefined && !this.#read.includes(chunk)) this.#read.push(chunk);
    if (chunk === this.#last) return;
    this.#run = chunk === this.#last + 1 ? Math.min(this.#run + 1, AHEAD_MAX) : 0;
    this.#last = chunk;
    // The nearest first.
    for (let i = this.#run; i > 0; i--) {
      const next = chunk + i;
      if (next < this.image.chunks.length) this.#ahead.unshift(next);
    }
    if (this.#run > 0) this.#pump();
  }

  #pump(): void {
    while (this.#fetching < AHEAD_PARALLEL) {
      const chunk = this.#ahead.shift();
      if (chunk === undefined) return;
      const named = this.image.chunks[chunk];
      if (!named || this.library.peek(named.sha256)) continue;
      this.#fetching++;
      // Whoever needs it will meet the failure.
      this.#fetch(chunk)
        .catch(() => {})
        .finally(() => {
          this.#fetching--;
          this.#pump();
        });
    }
  }
}

/** Chunks in a folder, as `chunkPath` lays them out. */
export class FolderChunks implements ChunkSource {
  constructor(private readonly folder: StorageFolder) {}

  async get(sha256: string, size: number): Promise<Uint8Array<ArrayBuffer>> {
    const file = await (await this.#parent(sha256)).open(`${sha256}.zst`, 'existing');
    try {
      // One byte more, so that a file that is too long shows.
      const bytes = new Uint8Array(size + 1);
      const count = file.read(0, bytes);
      if (count !== size) {
        throw new StorageError('damaged', `The chunk ${sha256.slice(0, 12)} has a wrong length.`);
      }
      return bytes.subarray(0, count);
    } finally {
      file.close();
    }
  }

  async put(sha256: string, frame: Uint8Array): Promise<void> {
    const file = await (await this.#parent(sha256)).open(`${sha256}.zst`, 'create');
    try {
      file.truncate(frame.length);
      file.write(0, frame);
    } finally {
      file.close();
    }
  }

  async #parent(sha256: string): Promise<StorageFolder> {
    return (await this.folder.folder('chunks')).folder(sha256.slice(0, 2));
  }
}
