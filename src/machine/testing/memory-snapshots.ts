/**
 * Snapshots in memory, for tests: what a store does, with nothing around it. Every state goes
 * through its bytes; pages that a snapshot has not got come from the one that it builds upon.
 */
import { PAGE_SIZE } from '../../core/layout.ts';
import { decodeSaved, encodeSaved } from '../snapshot/encode.ts';
import type { MachineImage, PageRun, SnapshotSink, SnapshotSource } from '../snapshot/snapshot.ts';

export interface MemorySnapshot extends SnapshotSource {
  readonly image: MachineImage;
  /** Pages that came with it. */
  readonly own: number;
  /** All of its pages, those of its base included. */
  readonly all: ReadonlyMap<number, Uint8Array<ArrayBuffer>>;
}

export interface SinkOptions {
  /** Called for each run: what it returns is waited for. */
  readonly onPages?: (run: PageRun) => void | Promise<void>;
}

export class MemoryStore {
  readonly #snapshots = new Map<string, MemorySnapshot>();

  /** A sink, and the snapshot once `end` has been called. */
  sink({ onPages }: SinkOptions = {}): SnapshotSink & { snapshot(): MemorySnapshot } {
    let image: MachineImage | undefined;
    let own = 0;
    let done: MemorySnapshot | undefined;
    const all = new Map<number, Uint8Array<ArrayBuffer>>();
    return {
      has: (token) => this.#snapshots.has(token),
      begin: (given) => {
        image = { ...given, state: decodeSaved(encodeSaved(given.state)) };
        const base = image.base === undefined ? undefined : this.#snapshots.get(image.base);
        for (const [page, bytes] of base?.all ?? []) all.set(page, bytes);
      },
      pages: (run) => {
        for (let i = 0; i < run.bytes.length; i += PAGE_SIZE) {
          all.set(run.first + i / PAGE_SIZE, run.bytes.slice(i, i + PAGE_SIZE));
          own++;
        }
        return onPages?.(run);
      },
      end: () => {
        if (!image) throw new Error('A snapshot ended before it began.');
        done = { image, own, all, pages: () => runs(all) };
        this.#snapshots.set(image.token, done);
        return Promise.resolve();
      },
      abort: () => {},
      snapshot() {
        if (!done) throw new Error('The snapshot is not whole.');
        return done;
      },
    };
  }
}

async function* runs(pages: ReadonlyMap<number, Uint8Array<ArrayBuffer>>) {
  for (const [first, bytes] of pages) {
    if (first % 64 === 0) await Promise.resolve();
    yield { first, bytes };
  }
}
