/**
 * The translator of one hart: takes hot addresses from the core, finds regions, compiles them in
 * batches, and puts their entries into the decode cache, where the interpreter and other regions
 * meet them. Drops what belongs to pages that were written, and everything when its budget is spent.
 * Relies on the core for decoding and for telling which pages lost their code, and on its caller for
 * `poll` between runs.
 *
 * Code lives in generations. Regions go on in each other through a table that belongs to their
 * generation, the links; the core's own table holds each function at the same index. V8 before 12
 * keeps every instance alive that imports a table as long as the table lives, so the bounds count
 * all that was compiled since the generation began, dropped or not; a new one begins with new links,
 * and the old modules go with the old ones. That is never done while translated code may run.
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
import { type Block, findRegion, type Region } from './region.ts';

/** Regions that share a module. */
const BATCH = 64;
/**
 * What a generation may hold: functions, bytes of modules, modules. Then all is dropped, and hot code
 * comes back by itself. An engine spends some six times the bytes, 150 MB at these bounds; V8 before
 * 12 also has a copy of the table for each module.
 */
const MAX_FUNCTIONS = 8192;
const MAX_BYTES = 24 << 20;
const MAX_MODULES = 1024;
/** Functions by which tables grow. */
const TABLE_STEP = 1024;
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
  /** Bytes of the modules of this generation. */
  code_bytes: number;
  /** Milliseconds spent on finding regions and emitting them, and by the engine on compiling. */
  translate_ms: number;
  compile_ms: number;
  /** Pages whose code was dropped, and times that everything was. */
  invalidations: number;
  evictions: number;
}

export interface TranslatorOptions {
  /** Jumps to an address after which it is hot. */
  readonly threshold?: number;
  /** Hot addresses that are compiled at once. */
  readonly batch?: number;
  /** Functions, bytes and modules after which all translated code is dropped. */
  readonly maxFunctions?: number;
  readonly maxBytes?: number;
  readonly maxModules?: number;
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
  readonly #maxFunctions: number;
  readonly #maxBytes: number;
  readonly #maxModules: number;
  readonly #features: EngineFeatures;
  readonly #record: ((entry: LibraryEntry) => void) | undefined;
  readonly #view: DataView;
  readonly #queue = new Map<number, Request>();
  /** Function indices by the page that they are in. */
  readonly #pages = new Map<number, number[]>();
  readonly #free: number[] = [];
  #next = 1;
  #functions = 0;
  /** Table of this generation, and how many modules it has. */
  #links: WebAssembly.Table;
  #modules = 0;
  #library: Library | undefined;
  /** Functions of the library that are in the core's table. */
  readonly #placed = new Set<number>();
  /** When the first request of the queue came. */
  #oldest = 0;
  readonly stats: TranslatorStats = {
    regions: 0,
    library_regions: 0,
    modules: 0,
    code_bytes: 0,
    translate_ms: 0,
    compile_ms: 0,
    invalidations: 0,
    evictions: 0,
  };

  /** `now`: milliseconds, for the statistics. */
  constructor(
    core: Core,
    shared: boolean,
    now: () => number,
    {
      threshold = HEAT_THRESHOLD,
      batch = BATCH,
      maxFunctions = MAX_FUNCTIONS,
      maxBytes = MAX_BYTES,
      maxModules = MAX_MODULES,
      without = [],
      record,
    }: TranslatorOptions = {},
  ) {
    this.#batch = batch;
    this.#maxFunctions = maxFunctions;
    this.#maxBytes = maxBytes;
    this.#maxModules = maxModules;
    this.#features = engineFeatures(without);
    this.#record = record;
    this.#core = core;
    this.#shared = shared;
    this.#now = now;
    this.#view = new DataView(core.memory.buffer);
    this.#links = newLinks(core.table.length);
    new HartView(core.memory, HART).setU32('heat_threshold', threshold);
  }

  /** Uses what was translated ahead of time, once it is compiled. */
  async loadLibrary(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // Its regions go on in each other by tail calls.
    if (!this.#features.tailCalls) return;
    const library = await Library.load(bytes);
    const base = this.#core.table.grow(library.size);
    this.#links.grow(library.size);
    this.#next = base + library.size;
    library.link(this.#core, this.#links, base);
    this.#library = library;
  }

  /** CoreHost.hot: remembers a hot address; compiles when a batch is full. */
  hot(ramOffset: number, offset: number): void {
    if (this.#fromLibrary(ramOffset, offset)) return;
    if (this.#queue.size === 0) this.#oldest = this.#now();
    this.#queue.set(ramOffset + offset, { ramOffset, offset });
    if (this.#queue.size >= this.#batch && !this.#isFull()) this.flush();
  }

  /** Puts the library's region of a hot address in place. */
  #fromLibrary(ramOffset: number, offset: number): boolean {
    const decodePage = this.#decodePage(ramOffset);
    if (!this.#library || decodePage === 0) return false;
    const page = new Uint8Array(this.#core.memory.buffer, RAM_OFFSET + ramOffset, PAGE);
    const found = this.#library.find(page, offset);
    if (!found) return false;
    if (!this.#placed.has(found.index)) {
      this.#placed.add(found.index);
      this.#core.table.set(found.index, this.#links.get(found.index));
    }
    if (!this.#pages.has(ramOffset)) this.#pages.set(ramOffset, []);
    this.#place(decodePage, found.index, found.entries, offset);
    this.#cool(this.#slot(decodePage, offset));
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
    this.#links.set(index, null);
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

  /** Counts its jumps from 0 again: once its code was dropped, it gets hot as it did before. */
  #cool(slot: number): void {
    this.#view.setUint16(HEAT_OFFSET + ((slot >>> 2) & HEAT_MASK), 0, true);
  }

  #isTranslated(slot: number): boolean {
    return (this.#view.getUint32(slot, true) & 0x1ff) === OperationCode.Translated;
  }

  #isFull(): boolean {
    return (
      this.#functions >= this.#maxFunctions ||
      this.stats.code_bytes >= this.#maxBytes ||
      this.#modules >= this.#maxModules
    );
  }

  /**
   * Between runs of the core: compiles what has waited long enough for others to share its module,
   * and begins a new generation when this one is full.
   */
  poll(): void {
    if (this.#isFull()) this.#evict();
    if (this.#queue.size > 0 && this.#now() - this.#oldest > PATIENCE_MS) this.flush();
  }

  /** Compiles what is waiting. */
  flush(): void {
    if (this.#queue.size === 0) return;
    const started = this.#now();
    const compiledBefore = this.stats.compile_ms;
    const requests = [...this.#queue.values()];
    this.#queue.clear();
    const found: { request: Request; region: Region }[] = [];
    for (const request of requests) {
      const decodePage = this.#decodePage(request.ramOffset);
      if (decodePage === 0) continue;
      const slot = this.#slot(decodePage, request.offset);
      this.#cool(slot);
      if (this.#isTranslated(slot)) continue;
      const bytes = new DataView(this.#core.memory.buffer, RAM_OFFSET + request.ramOffset, PAGE);
      const region = findRegion(bytes, request.offset, (offset) =>
        this.#isTranslated(this.#slot(decodePage, offset)),
      );
      // The hot address itself may be the interpreter's: what follows it is not.
      if (![...region.blocks.values()].some(isPlace)) continue;
      found.push({ request, region });
    }
    if (found.length > 0) this.#install(found);
    const compiled = this.stats.compile_ms - compiledBefore;
    this.stats.translate_ms += this.#now() - started - compiled;
  }

  #install(found: readonly { request: Request; region: Region }[]): void {
    const { bytes, regions } = buildModule(
      found.map(({ region }) => region),
      { shared: this.#shared, features: this.#features, linkage: 'exports' },
    );
    const started = this.#now();
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory: this.#core.memory, table: this.#links },
      core: this.#core.exports as unknown as Record<string, WebAssembly.ImportValue>,
    });
    this.stats.compile_ms += this.#now() - started;
    this.stats.modules++;
    this.#modules++;
    this.stats.code_bytes += bytes.length;
    regions.forEach(({ entries }, i) => {
      const item = found[i];
      if (!item) return;
      const { ramOffset, offset: hotOffset } = item.request;
      const decodePage = this.#decodePage(ramOffset);
      const index = this.#allocate();
      this.#core.table.set(index, exports[`r${i}`]);
      this.#links.set(index, exports[`r${i}`]);
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
    const index = this.#free.pop() ?? this.#next++;
    const { table } = this.#core;
    if (index >= table.length) table.grow(TABLE_STEP);
    if (index >= this.#links.length) this.#links.grow(table.length - this.#links.length);
    return index;
  }

  /** Offsets in the page at `ramOffset` at which translated code can be entered. */
  entries(ramOffset: number): number[] {
    const decodePage = this.#decodePage(ramOffset);
    if (decodePage === 0) return [];
    return Array.from({ length: PAGE / 2 }, (_, i) => 2 * i).filter((offset) =>
      this.#isTranslated(this.#slot(decodePage, offset)),
    );
  }

  /** Drops all translated code and begins a new generation. */
  #evict(): void {
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
    for (const index of this.#placed) this.#core.table.set(index, null);
    this.#placed.clear();
    this.#links = newLinks(this.#core.table.length);
    this.#library?.link(this.#core, this.#links);
    this.stats.code_bytes = 0;
    this.#modules = 0;
    this.stats.evictions++;
  }
}

function newLinks(length: number): WebAssembly.Table {
  return new WebAssembly.Table({ element: 'anyfunc', initial: length });
}

/** Entries at which something is translated. */
function entriesOf(
  region: Region,
  entries: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  return new Map([...entries].filter(([offset]) => isPlace(region.blocks.get(offset))));
}

/** Whether a function can be entered at this block. */
function isPlace(block: Block | undefined): boolean {
  return block?.entry === true && block.instructions.length > 0;
}
