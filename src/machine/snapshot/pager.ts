/**
 * Brings RAM in while the guest runs already: after a restore the pages that a snapshot holds are
 * flagged Absent, come in the order in which a guest touches them, and at once when the hart, a
 * device or the firmware needs one. It relies on the core and on GuestMemory to reach for no page
 * that is flagged (they end their work and ask here instead); guarantees that a page is written
 * once, with what the snapshot held, before anything reads it, and that a page which cannot be had
 * is a failure with a sentence, when somebody needs it and not before.
 */
import { PAGE_SHIFT, PAGE_SIZE, PageFlag } from '../../core/layout.ts';
import { messageOf, UserError } from '../errors.ts';
import type { MachineHost } from '../host.ts';
import type { MemoryRange, Presence } from '../memory.ts';
import { StateError } from '../state.ts';
import type { PageRun, SnapshotSource } from './snapshot.ts';

/** Pauses before a page is asked for again that could not be had, in milliseconds. */
const RETRIES_MS = [100, 1000, 3000] as const;
/** Time of placing pages between two turns of the event loop, in milliseconds. */
const STEP_MS = 1.5;
/** Pages that are asked for at once when all are wanted. */
const BATCH = 256;

/** A source that can give single pages, and says which there are. */
export type LazySource = SnapshotSource & Required<Pick<SnapshotSource, 'held' | 'fetch'>>;

export function isLazy(source: SnapshotSource): source is LazySource {
  return source.held !== undefined && source.fetch !== undefined;
}

export interface PagerOptions {
  readonly source: LazySource;
  /** Page flags and RAM. */
  readonly flags: Uint8Array;
  readonly ram: Uint8Array;
  readonly host: MachineHost;
  /** A page that is needed cannot be had: a sentence. */
  readonly onFailure: (reason: string) => void;
  /** All is there. */
  readonly onComplete: () => void;
}

/** What coming in late has cost. */
export interface PagerStats {
  /** Pages that have not come yet. */
  readonly absent: number;
  /** Pages that somebody had to wait for. */
  readonly waitedFor: number;
}

interface Waiter {
  left: number;
  readonly resolve: () => void;
}

export class Pager implements Presence {
  readonly #options: PagerOptions;
  #absent = 0;
  #waitedFor = 0;
  #ended = false;
  /** Why a page cannot be had that somebody needs. */
  #failure: string | undefined;
  /** Pages that were asked for and have not come. */
  readonly #asked = new Set<number>();
  #batch: number[] = [];
  readonly #waiters = new Map<number, Waiter[]>();

  constructor(options: PagerOptions) {
    this.#options = options;
    const { source, flags } = options;
    for (const page of source.held) {
      if (!(page >= 0 && page < flags.length)) {
        throw new StateError(`The snapshot has a page ${page}, which does not fit.`);
      }
      if ((flags[page]! & PageFlag.Absent) === 0) this.#absent++;
      flags[page] = flags[page]! | PageFlag.Absent;
    }
  }

  get stats(): PagerStats {
    return { absent: this.#absent, waitedFor: this.#waitedFor };
  }

  has(offset: number, length: number): boolean {
    const { flags } = this.#options;
    const last = (offset + length - 1) >>> PAGE_SHIFT;
    for (let page = offset >>> PAGE_SHIFT; page <= last; page++) {
      if ((flags[page]! & PageFlag.Absent) !== 0) return false;
    }
    return true;
  }

  want(ranges: readonly MemoryRange[]): Promise<void> {
    const pages = new Set<number>();
    for (const { offset, length } of ranges) {
      const last = (offset + length - 1) >>> PAGE_SHIFT;
      for (let page = offset >>> PAGE_SHIFT; page <= last; page++) {
        if (this.#isAbsent(page)) pages.add(page);
      }
    }
    return this.#wait(pages);
  }

  discard(page: number): boolean {
    if (!this.#isAbsent(page)) return false;
    const { flags } = this.#options;
    // Other than in the snapshot from now on.
    flags[page] = flags[page]! & ~PageFlag.Clean;
    this.#came(page);
    this.#completed();
    return true;
  }

  /** Brings in what snapshots usually need, in its order; what fails is met by whoever needs it. */
  async stream(): Promise<void> {
    const { source, host } = this.#options;
    try {
      let since = host.now();
      for await (const run of source.pages()) {
        if (this.#ended) return;
        this.#place(run);
        if (host.now() - since < STEP_MS) continue;
        await host.turn();
        since = host.now();
      }
    } catch {
      // The pages that are missing are asked for one by one.
    }
  }

  /** Resolves when all pages are there; a capture of everything needs that. */
  async complete(): Promise<void> {
    const { flags } = this.#options;
    let from = 0;
    while (this.#absent > 0 && !this.#ended) {
      const pages = new Set<number>();
      for (; from < flags.length && pages.size < BATCH; from++) {
        if (this.#isAbsent(from)) pages.add(from);
      }
      await this.#wait(pages);
      if (this.#failure !== undefined) throw new UserError(this.#failure);
      if (pages.size === 0) return;
    }
  }

  /** RAM is another one now: nothing more is placed, and nobody waits. */
  end(): void {
    this.#ended = true;
    this.#release();
  }

  #release(): void {
    for (const waiters of this.#waiters.values()) for (const { resolve } of waiters) resolve();
    this.#waiters.clear();
  }

  #isAbsent(page: number): boolean {
    return (this.#options.flags[page]! & PageFlag.Absent) !== 0;
  }

  #wait(pages: ReadonlySet<number>): Promise<void> {
    if (pages.size === 0 || this.#ended) return Promise.resolve();
    // The machine has crashed for it: nothing goes on.
    if (this.#failure !== undefined) return new Promise(() => {});
    this.#waitedFor += pages.size;
    return new Promise((resolve) => {
      const waiter = { left: pages.size, resolve };
      for (const page of pages) {
        const others = this.#waiters.get(page);
        if (others) others.push(waiter);
        else this.#waiters.set(page, [waiter]);
        this.#ask(page);
      }
    });
  }

  /** What is asked for in one turn goes together. */
  #ask(page: number): void {
    if (this.#asked.has(page)) return;
    this.#asked.add(page);
    this.#batch.push(page);
    if (this.#batch.length > 1) return;
    void Promise.resolve().then(() => {
      const pages = this.#batch;
      this.#batch = [];
      void this.#fetch(pages);
    });
  }

  async #fetch(pages: readonly number[]): Promise<void> {
    const { source, host, onFailure } = this.#options;
    let reason = '';
    for (const pause of [0, ...RETRIES_MS]) {
      if (pause > 0) await host.sleep(pause).done;
      const missing = pages.filter((page) => this.#isAbsent(page));
      if (this.#ended || missing.length === 0) return;
      try {
        for (const run of await source.fetch(missing)) if (!this.#ended) this.#place(run);
        if (this.#ended || !missing.some((page) => this.#isAbsent(page))) return;
        reason = 'the snapshot did not give it.';
      } catch (error) {
        reason = messageOf(error);
      }
    }
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = `A page of the snapshot could not be loaded: ${reason}`;
    onFailure(this.#failure);
    this.#release();
  }

  #place({ first, bytes }: PageRun): void {
    const { flags, ram } = this.#options;
    const count = bytes.length / PAGE_SIZE;
    if (!(first >= 0 && Number.isInteger(count) && first + count <= flags.length)) {
      throw new StateError(`The snapshot has ${bytes.length} bytes for page ${first}: no page.`);
    }
    for (let i = 0; i < count; i++) {
      const page = first + i;
      // What is there already may have changed since.
      if (!this.#isAbsent(page)) continue;
      ram.set(bytes.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), page * PAGE_SIZE);
      this.#came(page);
    }
    this.#completed();
  }

  #came(page: number): void {
    const { flags } = this.#options;
    flags[page] = flags[page]! & ~PageFlag.Absent;
    this.#absent--;
    this.#asked.delete(page);
    const waiters = this.#waiters.get(page);
    if (!waiters) return;
    this.#waiters.delete(page);
    for (const waiter of waiters) if (--waiter.left === 0) waiter.resolve();
  }

  #completed(): void {
    if (this.#absent > 0 || this.#ended) return;
    this.end();
    this.#options.onComplete();
  }
}
