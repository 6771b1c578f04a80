/**
 * Storage in memory, for tests: it can crash, be full, and fail. A crash keeps what was flushed; of
 * each write since then it keeps all, nothing or a part, at random. Faults are injected by a hook
 * that sees every operation before it happens.
 */
import { checkName, StorageError, type StorageFile, type StorageFolder } from '../files.ts';

export interface Operation {
  readonly kind: 'open' | 'read' | 'write' | 'truncate' | 'flush' | 'remove';
  readonly path: string;
}

/** Shared by all folders and files of one storage. */
interface Medium {
  /** Bytes that fit; writing beyond is "full". */
  capacity: number;
  /** Called before each operation; throws to make it fail. */
  fault: (operation: Operation) => void;
}

type Change = { at: number; bytes: Uint8Array } | { size: number };

interface Node {
  /** What is read now. */
  bytes: Uint8Array<ArrayBuffer>;
  size: number;
  /** What survives a crash for certain; undefined when not even the file does. */
  durable: Uint8Array<ArrayBuffer> | undefined;
  changes: Change[];
  open: boolean;
}

/** Numbers from 0 to below 1. */
export type Random = () => number;

export class MemoryFolder implements StorageFolder {
  readonly medium: Medium;
  readonly #path: string;
  readonly #files = new Map<string, Node>();
  readonly #folders = new Map<string, MemoryFolder>();

  constructor(medium: Partial<Medium> = {}, path = '') {
    this.medium = { capacity: Number.POSITIVE_INFINITY, fault: () => {}, ...medium };
    if (path !== '') this.medium = medium as Medium;
    this.#path = path;
  }

  async open(name: string, how: 'existing' | 'create'): Promise<StorageFile> {
    checkName(name);
    const path = `${this.#path}/${name}`;
    this.medium.fault({ kind: 'open', path });
    let node = this.#files.get(name);
    if (node === undefined) {
      if (how === 'existing') throw new StorageError('missing', `There is no file ${path}.`);
      node = {
        bytes: new Uint8Array(1024),
        size: 0,
        durable: undefined,
        changes: [],
        open: false,
      };
      this.#files.set(name, node);
    }
    if (node.open) throw new StorageError('busy', `${path} is open already.`);
    node.open = true;
    return this.#file(node, path);
  }

  async folder(name: string): Promise<MemoryFolder> {
    checkName(name);
    let folder = this.#folders.get(name);
    if (folder === undefined) {
      folder = new MemoryFolder(this.medium, `${this.#path}/${name}`);
      this.#folders.set(name, folder);
    }
    return folder;
  }

  async list() {
    return [
      ...[...this.#files.keys()].map((name) => ({ name, kind: 'file' as const })),
      ...[...this.#folders.keys()].map((name) => ({ name, kind: 'folder' as const })),
    ];
  }

  async remove(name: string): Promise<void> {
    this.medium.fault({ kind: 'remove', path: `${this.#path}/${name}` });
    if (this.#files.get(name)?.open) {
      throw new StorageError('busy', `${this.#path}/${name} is open.`);
    }
    this.#files.delete(name);
    this.#folders.delete(name);
  }

  /** Bytes of all files. */
  used(): number {
    let sum = 0;
    for (const { size } of this.#files.values()) sum += size;
    for (const folder of this.#folders.values()) sum += folder.used();
    return sum;
  }

  /** Files that are open. */
  openFiles(): number {
    let sum = 0;
    for (const { open } of this.#files.values()) if (open) sum++;
    for (const folder of this.#folders.values()) sum += folder.openFiles();
    return sum;
  }

  /** What is there after the power went: a storage of its own. */
  crash(random: Random, medium: Partial<Medium> = {}, path = ''): MemoryFolder {
    const after = path === '' ? new MemoryFolder(medium) : new MemoryFolder(medium, path);
    for (const [name, node] of this.#files) {
      const survivor = afterCrash(node, random);
      if (survivor) after.#files.set(name, survivor);
    }
    for (const [name, folder] of this.#folders) {
      after.#folders.set(name, folder.crash(random, after.medium, `${path}/${name}`));
    }
    return after;
  }

  #file(node: Node, path: string): StorageFile {
    const check = (kind: Operation['kind']) => {
      if (!node.open) throw new StorageError('failed', `${path} is closed.`);
      this.medium.fault({ kind, path });
    };
    return {
      size: () => node.size,
      read: (offset, into) => {
        check('read');
        const there = node.bytes.subarray(offset, Math.min(node.size, offset + into.length));
        into.set(there);
        return there.length;
      },
      write: (offset, from) => {
        check('write');
        let part = from;
        const grows = Math.max(0, offset + from.length - node.size);
        const room = grows === 0 ? grows : this.medium.capacity - this.#root().used();
        if (grows > room) part = from.subarray(0, Math.max(0, from.length - (grows - room)));
        if (part.length > 0) change(node, { at: offset, bytes: part.slice() });
        if (part.length < from.length) throw new StorageError('full', 'The storage is full.');
      },
      truncate: (size) => {
        check('truncate');
        change(node, { size });
      },
      flush: () => {
        check('flush');
        node.durable = node.bytes.slice(0, node.size);
        node.changes = [];
      },
      close: () => {
        node.open = false;
      },
    };
  }

  /** Capacity is that of the whole storage: the root registers itself. */
  #root(): MemoryFolder {
    return roots.get(this.medium) ?? this;
  }

  static withCapacity(capacity: number): MemoryFolder {
    const folder = new MemoryFolder({ capacity });
    roots.set(folder.medium, folder);
    return folder;
  }
}

const roots = new WeakMap<Medium, MemoryFolder>();

function change(node: Node, made: Change): void {
  node.changes.push(made);
  apply(node, made);
}

function apply(node: { bytes: Uint8Array<ArrayBuffer>; size: number }, made: Change): void {
  const end = 'size' in made ? made.size : made.at + made.bytes.length;
  if (end > node.bytes.length) {
    const larger = new Uint8Array(Math.max(end, node.bytes.length * 2));
    larger.set(node.bytes.subarray(0, node.size));
    node.bytes = larger;
  }
  if ('size' in made) {
    if (made.size < node.size) node.bytes.fill(0, made.size, node.size);
    node.size = made.size;
  } else {
    node.bytes.set(made.bytes, made.at);
    node.size = Math.max(node.size, end);
  }
}

function afterCrash(node: Node, random: Random): Node | undefined {
  if (node.durable === undefined && random() < 0.5) return undefined;
  const bytes = node.durable?.slice() ?? new Uint8Array(0);
  const after: Node = { bytes, size: bytes.length, durable: undefined, changes: [], open: false };
  const keeps = random();
  for (const made of node.changes) {
    if (random() < keeps) {
      apply(after, made);
    } else if (!('size' in made) && random() < 0.5) {
      // Torn: a part from somewhere in the middle.
      const from = Math.floor(random() * made.bytes.length);
      const to = from + Math.floor(random() * (made.bytes.length - from));
      if (to > from) apply(after, { at: made.at + from, bytes: made.bytes.subarray(from, to) });
    }
  }
  after.durable = after.bytes.slice(0, after.size);
  return after;
}
