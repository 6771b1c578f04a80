/**
 * The translator of one hart: takes hot addresses from the core, finds regions, compiles them in
 * batches, and puts their entries into the decode cache, where the interpreter and other regions
 * meet them. Drops what belongs to pages that were written, and everything when its budget of code
 * is spent. Relies on the core for decoding and for telling which pages lost their code.
 */
import type { Core } from '../core/core.ts';
import { HartView } from '../core/hart.ts';
import {
  DECODE_MAP_OFFSET,
  DECODE_PAGE_REGIONS,
  DECODE_PAGE_SIZE,
  DECODE_PAGES_OFFSET,
  HEAT_MASK,
  HEAT_OFFSET,
  RAM_OFFSET,
} from '../core/layout.ts';
import { OperationCode } from '../isa/table.ts';
import { type EngineFeature, type EngineFeatures, engineFeatures } from './features.ts';
import { Library, type LibraryEntry } from './library.ts';
import { buildModule } from './module.ts';
import { findRegion, type Region } from './region.ts';

/** Regions that share a module. */
const BATCH = 64;
/** Functions in the table at most: then all is dropped and hot code comes back by itself. */
const MAX_FUNCTIONS = 16384;
/** Bytes of modules at most. */
const MAX_BYTES = 48 << 20;
/**
 * The interpreter does some 400 million instructions a second, and an instruction takes the engine
 * as long to compile as to interpret some thousand times: what is translated must run often. Half or
 * twice of this made booting slower, with a library and without.
 */
export const HEAT_THRESHOLD = 6000;
const HART = 0;
/** How long a hot address waits for others, in milliseconds. */
const PATIENCE_MS = 15;
const PAGE = 4096;

export interface TranslatorStats {
  regions: number;
  /** Regions of the library that were put to use, again after their page was dropped. */
  library_regions: number;
  modules: number;
  /** Bytes of all modules since the last time that all was dropped. */
  code_bytes: number;
  /** Milliseconds spent on finding, emitting and compiling. */
  translate_ms: number;
  /** Pages whose code was dropped, and times that everything was. */
  invalidations: number;
  evictions: number;
}

export interface TranslatorOptions {
  /** Jumps to an address after which it is hot. */
  readonly threshold?: number;
  /** Hot addresses that are compiled at once. */
  readonly batch?: number;
  /** Features of the engine that are left unused. */
  readonly without?: readonly EngineFeature[];
  /** Told of each region that is translated, to make a library. */
  readonly record?: ((entry: LibraryEntry) => void) | undefined;
}

interface Request {
  readonly ramOffset: number;
  readonly offset: number;
}

export class Translator {
  readonly #core: Core;
  readonly #shared: boolean;
  readonly #now: () => number;
  readonly #batch: number;
  readonly #features: EngineFeatures;
  readonly #record: ((entry: LibraryEntry) => void) | undefined;
  readonly #view: DataView;
  readonly #queue = new Map<number, Request>();
  /** Function indices by the page that they are in. */
  readonly #pages = new Map<number, number[]>();
  readonly #free: number[] = [];
  #next = 1;
  #functions = 0;
  #library: Library | undefined;
  /** When the first request of the queue came. */
  #oldest = 0;
  readonly stats: TranslatorStats = {
    regions: 0,
    library_regions: 0,
    modules: 0,
    code_bytes: 0,
    translate_ms: 0,
    invalidations: 0,
    evictions: 0,
  };

  /** `now`: milliseconds, for the statistics. */
  constructor(
    core: Core,
    shared: boolean,
    now: () => number,
    { threshold = HEAT_THRESHOLD, batch = BATCH, without = [], record }: TranslatorOptions = {},
  ) {
    this.#batch = batch;
    this.#features = engineFeatures(without);
    this.#record = record;
    this.#core = core;
    this.#shared = shared;
    this.#now = now;
    this.#view = new DataView(core.memory.buffer);
    new HartView(core.memory, HART).setU32('heat_threshold', threshold);
  }

  /** Uses what was translated ahead of time, once it is compiled. */
  async loadLibrary(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // Its regions go on in each other by tail calls.
    if (!this.#features.tailCalls) return;
    const { table } = this.#core;
    this.#library = await Library.load(bytes, this.#core, (count) => {
      // At once: more may be translated before they are there.
      const base = table.grow(count);
      this.#next = base + count;
      return base;
    });
  }

  /** CoreHost.hot: remembers a hot address; compiles when a batch is full. */
  hot(ramOffset: number, offset: number): void {
    if (this.#fromLibrary(ramOffset, offset)) return;
    if (this.#queue.size === 0) this.#oldest = this.#now();
    this.#queue.set(ramOffset + offset, { ramOffset, offset });
    if (this.#queue.size >= this.#batch) this.flush();
  }

  /** Puts the library's region of a hot address in place. */
  #fromLibrary(ramOffset: number, offset: number): boolean {
    const decodePage = this.#decodePage(ramOffset);
    if (!this.#library || decodePage === 0) return false;
    const page = new Uint8Array(this.#core.memory.buffer, RAM_OFFSET + ramOffset, PAGE);
    const found = this.#library.find(page, offset);
    if (!found) return false;
    this.#place(decodePage, found.index, found.entries, offset);
    this.stats.library_regions++;
    return true;
  }

  /** CoreHost.code_dropped: the page's functions can no longer be reached. */
  dropped(ramOffset: number): void {
    this.stats.invalidations++;
    for (const index of this.#pages.get(ramOffset) ?? []) this.#release(index);
    this.#pages.delete(ramOffset);
  }

  #release(index: number): void {
    this.#core.table.set(index, null);
    this.#free.push(index);
    this.#functions--;
  }

  /** Decode page of a page of RAM, as offset in the memory; 0: none. */
  #decodePage(ramOffset: number): number {
    const index = this.#view.getUint16(DECODE_MAP_OFFSET + (ramOffset >>> 12) * 2, true);
    return index === 0 ? 0 : DECODE_PAGES_OFFSET + index * DECODE_PAGE_SIZE;
  }

  #slot(decodePage: number, offset: number): number {
    return decodePage + offset * 4;
  }

  #isTranslated(slot: number): boolean {
    return (this.#view.getUint32(slot, true) & 0x1ff) === OperationCode.Translated;
  }

  /** Compiles what has waited long enough for others to share its module. */
  poll(): void {
    if (this.#queue.size > 0 && this.#now() - this.#oldest > PATIENCE_MS) this.flush();
  }

  /** Compiles what is waiting. */
  flush(): void {
    if (this.#queue.size === 0) return;
    const started = this.#now();
    const requests = [...this.#queue.values()];
    this.#queue.clear();
    if (this.#functions > MAX_FUNCTIONS || this.stats.code_bytes > MAX_BYTES) {
      this.evict();
    }
    const found: { request: Request; region: Region }[] = [];
    for (const request of requests) {
      const decodePage = this.#decodePage(request.ramOffset);
      if (decodePage === 0) continue;
      const slot = this.#slot(decodePage, request.offset);
      this.#view.setUint16(HEAT_OFFSET + ((slot >>> 2) & HEAT_MASK), 0, true);
      if (this.#isTranslated(slot)) continue;
      const bytes = new DataView(this.#core.memory.buffer, RAM_OFFSET + request.ramOffset, PAGE);
      const region = findRegion(bytes, request.offset, (offset) =>
        this.#isTranslated(this.#slot(decodePage, offset)),
      );
      if ((region.blocks.get(request.offset)?.instructions.length ?? 0) === 0) continue;
      found.push({ request, region });
    }
    if (found.length > 0) this.#install(found);
    this.stats.translate_ms += this.#now() - started;
  }

  #install(found: readonly { request: Request; region: Region }[]): void {
    const { bytes, regions } = buildModule(
      found.map(({ region }) => region),
      { shared: this.#shared, features: this.#features, linkage: 'exports' },
    );
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory: this.#core.memory, table: this.#core.table },
      core: this.#core.exports as unknown as Record<string, WebAssembly.ImportValue>,
    });
    this.stats.modules++;
    this.stats.code_bytes += bytes.length;
    regions.forEach(({ entries }, i) => {
      const item = found[i];
      if (!item) return;
      const { ramOffset, offset: hotOffset } = item.request;
      const decodePage = this.#decodePage(ramOffset);
      const index = this.#allocate();
      this.#core.table.set(index, exports[`r${i}`]);
      const list = this.#pages.get(ramOffset) ?? [];
      list.push(index);
      this.#pages.set(ramOffset, list);
      const placed = entriesOf(item.region, entries);
      this.#place(decodePage, index, placed, hotOffset);
      this.stats.regions++;
      this.#record?.({
        region: item.region,
        entries: placed,
        page: new Uint8Array(this.#core.memory.buffer, RAM_OFFSET + ramOffset, PAGE).slice(),
      });
    });
  }

  /** Makes the decode cache lead to a function. */
  #place(
    decodePage: number,
    index: number,
    entries: Iterable<readonly [offset: number, node: number]>,
    hotOffset: number,
  ): void {
    let installed = 0;
    for (const [offset, node] of entries) {
      const slot = this.#slot(decodePage, offset);
      // An older region keeps its entry, but for the address that is hot now.
      if (offset !== hotOffset && this.#isTranslated(slot)) continue;
      this.#view.setUint32(slot + 4, (index << 8) | node, true);
      this.#view.setUint32(slot, OperationCode.Translated, true);
      installed++;
    }
    const regionsAt = decodePage + DECODE_PAGE_REGIONS;
    this.#view.setUint32(regionsAt, this.#view.getUint32(regionsAt, true) + installed, true);
  }

  #allocate(): number {
    this.#functions++;
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const index = this.#next++;
    if (index >= this.#core.table.length) this.#core.table.grow(1024);
    return index;
  }

  /** Drops all translated code. */
  evict(): void {
    for (const [ramOffset, indices] of this.#pages) {
      const decodePage = this.#decodePage(ramOffset);
      if (decodePage !== 0) {
        for (let offset = 0; offset < PAGE; offset += 2) {
          const slot = this.#slot(decodePage, offset);
          if (this.#isTranslated(slot)) {
            this.#view.setBigUint64(slot, 0n, true);
          }
        }
        this.#view.setUint32(decodePage + DECODE_PAGE_REGIONS, 0, true);
      }
      for (const index of indices) this.#release(index);
    }
    this.#pages.clear();
    this.stats.code_bytes = 0;
    this.stats.evictions++;
  }
}

/** Entries at which something is translated. */
function entriesOf(
  region: Region,
  entries: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  return new Map([...entries].filter(([offset]) => region.blocks.get(offset)?.instructions.length));
}
