/**
 * The shared folder of one VM on the page's side: its files, in memory or in a folder of the person's
 * disk, and the sessions that serve them to a worker. Relies on nothing that comes over a port: each
 * message is checked, requests under way are bounded, and the server of 9P reads them strictly. The
 * files outlive power-offs; they are the page's, not the worker's.
 */
import type { ShareFileSystem } from '../storage/ninep/file-system.ts';
import { type SharedFile, ShareFiles } from '../storage/ninep/files.ts';
import { MemoryFs, type MemoryFsOptions } from '../storage/ninep/memory-fs.ts';
import { FrozenMemory, thaw } from '../storage/ninep/memory-image.ts';
import type { Violation } from './guard.ts';
import type { Session, ShareEvents } from './share-session.ts';

/** Changes are told at most this often, in milliseconds. */
const CHANGE_MS = 200;
/** Snapshots that are under way or were just taken, whose contents wait to be fetched. */
const FROZEN_MAX = 8;

export class SharedFolder {
  /** `memory`, or the name of the folder of the person's disk. */
  readonly source: string;
  readonly #serve: (port: MessagePort, violation: Violation) => Session;
  readonly #files: ShareFiles<unknown>;
  readonly #memory: MemoryFs | undefined;
  readonly #frozen = new Map<string, FrozenMemory>();
  readonly #listeners = new Set<() => void>();
  #telling: ReturnType<typeof setTimeout> | undefined;

  private constructor(source: string, serving: Serving, memory?: MemoryFs) {
    this.source = source;
    this.#memory = memory;
    this.#files = serving.files(() => this.#changed());
    this.#serve = (port, violation) =>
      serving.serve(port, violation, {
        changed: () => this.#changed(),
        freeze: (token) => this.#freeze(token),
      });
  }

  /** A folder in the page's memory. */
  static inMemory(options: MemoryFsOptions = {}): SharedFolder {
    const fs = new MemoryFs(options);
    return new SharedFolder('memory', servingOf(fs), fs);
  }

  /** A folder of the person's disk: only read unless `writable`. */
  static async ofHandle(
    handle: FileSystemDirectoryHandle,
    writable: boolean,
  ): Promise<SharedFolder> {
    const { HandleFs } = await import('../storage/ninep/handle-fs.ts');
    return new SharedFolder(handle.name, servingOf(new HandleFs(handle, !writable)));
  }

  get readOnly(): boolean {
    return this.#files.readOnly;
  }

  /** Serves the folder on a port to a worker until disposed. */
  serve(port: MessagePort, violation: Violation): Session {
    return this.#serve(port, violation);
  }

  /** What is in a folder, by name. */
  list(path = ''): Promise<SharedFile[]> {
    return this.#files.list(path);
  }

  /** Puts a file, or takes the place of one; the guest sees it under its name when it is whole. */
  put(
    path: string,
    contents: Blob | ReadableStream<Uint8Array>,
    progress?: (bytes: number) => void,
  ) {
    const stream = contents instanceof Blob ? contents.stream() : contents;
    return this.#files.put(path, chunksOf(stream), progress);
  }

  makeFolder(path: string) {
    return this.#files.makeFolder(path);
  }

  /** Bytes of a file, for a download. */
  size(path: string) {
    return this.#files.size(path);
  }

  /** The contents of a file. */
  read(path: string): ReadableStream<Uint8Array<ArrayBuffer>> {
    const pieces = this.#files.read(path);
    return new ReadableStream({
      async pull(controller) {
        const { value, done } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return(undefined);
      },
    });
  }

  remove(path: string) {
    return this.#files.remove(path);
  }

  /** Hears, soon after, that something in the folder has changed. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * What belongs to the snapshot of that name, once: undefined for a folder of the person's disk,
   * which is no part of a snapshot.
   */
  takeFrozen(token: string): Uint8Array<ArrayBuffer> | undefined {
    const frozen = this.#frozen.get(token);
    this.#frozen.delete(token);
    return frozen?.bytes();
  }

  /** Becomes what a snapshot held. Call it before the worker that restores the snapshot is served. */
  restore(bytes: Uint8Array): void {
    if (this.#memory) thaw(this.#memory, bytes);
    this.#changed();
  }

  #freeze(token: string): void {
    if (!this.#memory) return;
    this.#frozen.set(token, new FrozenMemory(this.#memory));
    for (const old of [...this.#frozen.keys()].slice(0, -FROZEN_MAX)) this.#frozen.delete(old);
  }

  #changed(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      for (const listener of [...this.#listeners]) listener();
    }, CHANGE_MS);
  }
}

/** A file system of any kind, its nodes out of sight. */
interface Serving {
  files(changed: () => void): ShareFiles<unknown>;
  serve(port: MessagePort, violation: Violation, events: ShareEvents): Session;
}

function servingOf<N>(fs: ShareFileSystem<N>): Serving {
  return {
    files: (changed) => new ShareFiles<N>(fs, changed) as ShareFiles<unknown>,
    serve(port, violation, events) {
      let ended = false;
      let session: Session | undefined;
      // Fetched when the first VM starts: what its worker asks meanwhile waits in the port.
      import('./share-session.ts').then(
        ({ serveShare }) => {
          if (!ended) session = serveShare(fs, port, violation, events);
        },
        () => violation('the program of shared folders could not be loaded'),
      );
      return {
        dispose() {
          ended = true;
          if (session) session.dispose();
          else port.close();
        },
      };
    },
  };
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
