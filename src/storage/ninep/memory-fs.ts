/**
 * A shared folder in memory: files in chunks, so that one that grows is not copied and a snapshot
 * costs only what is written after it. Bounded in bytes and in nodes. Nothing here waits. What was
 * there at a `freeze` can be fetched as one piece of bytes and put into another folder in memory.
 */
import {
  type Access,
  type Attributes,
  type Capacity,
  type Changes,
  type Entry,
  type NewNode,
  type OpenFile,
  type Qid,
  ShareError,
  type ShareFileSystem,
} from './file-system.ts';

export const CHUNK = 64 * 1024;
const NODES_MAX = 1 << 17;
/** Counted for each node, so that empty ones are not free. */
export const NODE_BYTES = 256;
const SIZE_MAX = 2 ** 40;
const LINKS_MAX = 32_000;

interface Common {
  readonly id: number;
  mode: number;
  uid: number;
  gid: number;
  atime: number;
  mtime: number;
  ctime: number;
  /** Grows with each change: the guest's caches go by it. */
  version: number;
  /** Names that lead here. */
  readonly names: { folder: MemoryFolder; name: string }[];
  /** Fids that point here. */
  held: number;
}
export interface MemoryFile extends Common {
  readonly kind: 'file';
  size: number;
  /** A missing one is zeroes. `epoch` is that of its last copy: an older one may be frozen. */
  readonly chunks: Map<number, { bytes: Uint8Array<ArrayBuffer>; epoch: number }>;
}
export interface MemoryFolder extends Common {
  readonly kind: 'folder';
  readonly children: Map<string, MemoryNode>;
}
export interface MemoryLink extends Common {
  readonly kind: 'link';
  readonly target: string;
}
export type MemoryNode = MemoryFile | MemoryFolder | MemoryLink;

export interface MemoryFsOptions {
  /** Bytes of all files together, chunks counted whole. */
  readonly limit?: number;
  readonly readOnly?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Half a gigabyte: the page holds it. */
export const MEMORY_LIMIT = 512 << 20;

export class MemoryFs implements ShareFileSystem<MemoryNode> {
  readonly readOnly: boolean;
  readonly limit: number;
  root: MemoryFolder;
  /** Bytes in use. */
  used = 0;
  readonly now: () => number;
  readonly #nodes = new Map<number, MemoryNode>();
  #nextId = 1;
  #epoch = 0;

  constructor({ limit = MEMORY_LIMIT, readOnly = false, now = Date.now }: MemoryFsOptions = {}) {
    this.limit = limit;
    this.readOnly = readOnly;
    this.now = now;
    const root = this.#common({ mode: 0o755, uid: 0, gid: 0 });
    this.root = this.#keep({ ...root, kind: 'folder', children: new Map() });
  }

  get nodes(): ReadonlyMap<number, MemoryNode> {
    return this.#nodes;
  }

  get nextId(): number {
    return this.#nextId;
  }

  qid(node: MemoryNode): Qid {
    return { kind: node.kind, version: node.version, path: BigInt(node.id) };
  }

  attributes(node: MemoryNode): Attributes {
    const { kind, mode, uid, gid, atime, mtime, ctime } = node;
    const folders = kind === 'folder' ? [...node.children.values()].filter(isFolder).length : 0;
    return {
      kind,
      mode,
      uid,
      gid,
      atime,
      mtime,
      ctime,
      size: sizeOf(node),
      links: kind === 'folder' ? 2 + folders : node.names.length,
    };
  }

  change(node: MemoryNode, { mode, uid, gid, size, atime, mtime }: Changes): void {
    const now = this.now();
    if (size !== undefined) this.resize(fileOf(node), size);
    if (mode !== undefined) node.mode = mode & 0o7777;
    if (uid !== undefined) node.uid = uid;
    if (gid !== undefined) node.gid = gid;
    if (atime !== undefined) node.atime = atime === 'now' ? now : atime;
    if (mtime !== undefined) node.mtime = mtime === 'now' ? now : mtime;
    node.ctime = now;
    node.version++;
  }

  lookup(folder: MemoryNode, name: string): MemoryNode {
    const found = folderOf(folder).children.get(name);
    if (found === undefined) throw new ShareError('ENOENT');
    return found;
  }

  list(folder: MemoryNode): Entry[] {
    return Array.from(folderOf(folder).children, ([name, node]) => ({ name, qid: this.qid(node) }));
  }

  open(node: MemoryNode, _access: Access, truncate: boolean): OpenFile {
    const file = fileOf(node);
    if (truncate) this.change(file, { size: 0, mtime: 'now' });
    return {
      read: (offset, into) => this.read(file, offset, into),
      write: (offset, from) => this.write(file, offset, from),
      flush() {},
      close() {},
    };
  }

  create(folder: MemoryNode, name: string, how: NewNode): MemoryFile {
    const parent = this.#parentFor(folder, name);
    const node = { ...this.#common(how), kind: 'file' as const, size: 0, chunks: new Map() };
    return this.#put(parent, name, node);
  }

  makeFolder(folder: MemoryNode, name: string, how: NewNode): MemoryFolder {
    const parent = this.#parentFor(folder, name);
    const node = { ...this.#common(how), kind: 'folder' as const, children: new Map() };
    return this.#put(parent, name, node);
  }

  makeLink(folder: MemoryNode, name: string, target: string, how: NewNode): MemoryLink {
    const parent = this.#parentFor(folder, name);
    return this.#put(parent, name, {
      ...this.#common({ ...how, mode: 0o777 }),
      kind: 'link',
      target,
    });
  }

  readLink(node: MemoryNode): string {
    if (node.kind !== 'link') throw new ShareError('EINVAL');
    return node.target;
  }

  addName(folder: MemoryNode, name: string, node: MemoryNode): void {
    if (node.kind === 'folder') throw new ShareError('EPERM');
    if (node.names.length === 0) throw new ShareError('ENOENT');
    if (node.names.length >= LINKS_MAX) throw new ShareError('EMLINK');
    this.#name(folderOf(folder), name, node);
    this.#touch(node, 'ctime');
  }

  remove(folder: MemoryNode, name: string, what: 'folder' | 'other'): void {
    const node = this.lookup(folder, name);
    if (node.kind === 'folder') {
      if (what !== 'folder') throw new ShareError('EISDIR');
      if (node.children.size > 0) throw new ShareError('ENOTEMPTY');
    } else if (what === 'folder') {
      throw new ShareError('ENOTDIR');
    }
    this.#unname(folderOf(folder), name);
    this.#collect(node);
  }

  rename(from: MemoryNode, name: string, to: MemoryNode, newName: string): void {
    const node = this.lookup(from, name);
    const target = folderOf(to);
    this.#alive(target);
    for (let above: MemoryFolder | undefined = target; above; above = above.names[0]?.folder) {
      if (above === node) throw new ShareError('EINVAL');
    }
    const there = target.children.get(newName);
    if (there === node) return;
    if (there !== undefined) {
      if (there.kind === 'folder' && node.kind !== 'folder') throw new ShareError('EISDIR');
      if (there.kind !== 'folder' && node.kind === 'folder') throw new ShareError('ENOTDIR');
      this.remove(target, newName, there.kind === 'folder' ? 'folder' : 'other');
    }
    this.#unname(folderOf(from), name);
    this.#name(target, newName, node);
    this.#touch(node, 'ctime');
  }

  place(node: MemoryNode): { folder: MemoryFolder; name: string } | undefined {
    return node.names[0];
  }

  capacity(): Capacity {
    return { total: this.limit, free: Math.max(0, this.limit - this.used) };
  }

  byNumber(path: bigint): MemoryNode | undefined {
    return this.#nodes.get(Number(path));
  }

  hold(node: MemoryNode): void {
    node.held++;
  }

  release(node: MemoryNode): void {
    node.held--;
    this.#collect(node);
  }

  /** From now on chunks are copied before they change. */
  share(): void {
    this.#epoch++;
  }

  /** Becomes the tree that `nodes` are, whose first is the root. */
  adopt(nodes: readonly MemoryNode[], nextId: number): void {
    const [root] = nodes;
    if (root?.kind !== 'folder') throw new TypeError('A tree begins with its root.');
    this.#nodes.clear();
    this.used = 0;
    for (const node of nodes) {
      this.#nodes.set(node.id, node);
      this.used += NODE_BYTES + (node.kind === 'file' ? node.chunks.size * CHUNK : 0);
    }
    this.root = root;
    this.#nextId = nextId;
    this.#epoch++;
  }

  read(file: MemoryFile, offset: number, into: Uint8Array): number {
    const end = Math.min(file.size, offset + into.length);
    if (offset >= end) return 0;
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / CHUNK);
      const inside = at - index * CHUNK;
      const length = Math.min(CHUNK - inside, end - at);
      const chunk = file.chunks.get(index)?.bytes;
      if (chunk) into.set(chunk.subarray(inside, inside + length), at - offset);
      else into.fill(0, at - offset, at - offset + length);
      at += length;
    }
    return end - offset;
  }

  write(file: MemoryFile, offset: number, from: Uint8Array): void {
    const end = offset + from.length;
    if (end > SIZE_MAX) throw new ShareError('EFBIG');
    let missing = 0;
    for (let i = Math.floor(offset / CHUNK); i * CHUNK < end; i++)
      if (!file.chunks.has(i)) missing++;
    this.#need(missing * CHUNK);
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / CHUNK);
      const inside = at - index * CHUNK;
      const length = Math.min(CHUNK - inside, end - at);
      this.#own(file, index).set(from.subarray(at - offset, at - offset + length), inside);
      at += length;
    }
    if (end > file.size) file.size = end;
    this.#touch(file, 'mtime');
  }

  resize(file: MemoryFile, size: number): void {
    if (size > SIZE_MAX) throw new ShareError('EFBIG');
    if (size < file.size) {
      const last = Math.ceil(size / CHUNK);
      for (const index of [...file.chunks.keys()]) {
        if (index < last) continue;
        file.chunks.delete(index);
        this.used -= CHUNK;
      }
      const index = Math.floor(size / CHUNK);
      if (file.chunks.has(index)) this.#own(file, index).fill(0, size - index * CHUNK);
    }
    file.size = size;
    this.#touch(file, 'mtime');
  }

  /** A chunk of the file that may be written: never one that is frozen. */
  #own(file: MemoryFile, index: number): Uint8Array<ArrayBuffer> {
    const chunk = file.chunks.get(index);
    if (chunk?.epoch === this.#epoch) return chunk.bytes;
    if (!chunk) this.used += CHUNK;
    const bytes = chunk ? chunk.bytes.slice() : new Uint8Array(CHUNK);
    file.chunks.set(index, { bytes, epoch: this.#epoch });
    return bytes;
  }

  #need(bytes: number): void {
    if (this.used + bytes > this.limit) throw new ShareError('ENOSPC');
  }

  #parentFor(folder: MemoryNode, name: string): MemoryFolder {
    const parent = folderOf(folder);
    this.#alive(parent);
    if (parent.children.has(name)) throw new ShareError('EEXIST');
    if (this.#nodes.size >= NODES_MAX) throw new ShareError('ENOSPC');
    this.#need(NODE_BYTES);
    return parent;
  }

  #put<T extends MemoryNode>(parent: MemoryFolder, name: string, node: T): T {
    this.#keep(node);
    this.#name(parent, name, node);
    return node;
  }

  #keep<T extends MemoryNode>(node: T): T {
    this.used += NODE_BYTES;
    this.#nodes.set(node.id, node);
    return node;
  }

  #common({ mode, uid, gid }: NewNode): Common {
    const now = this.now();
    const id = this.#nextId++;
    return {
      id,
      mode: mode & 0o7777,
      uid,
      gid,
      atime: now,
      mtime: now,
      ctime: now,
      version: 1,
      names: [],
      held: 0,
    };
  }

  /** A folder that was removed takes nothing in. */
  #alive(folder: MemoryFolder): void {
    if (folder !== this.root && folder.names.length === 0) throw new ShareError('ENOENT');
  }

  #name(folder: MemoryFolder, name: string, node: MemoryNode): void {
    if (folder.children.has(name)) throw new ShareError('EEXIST');
    this.#alive(folder);
    folder.children.set(name, node);
    node.names.push({ folder, name });
    this.#touch(folder, 'mtime');
  }

  #unname(folder: MemoryFolder, name: string): void {
    const node = folder.children.get(name);
    folder.children.delete(name);
    const at = node?.names.findIndex((one) => one.folder === folder && one.name === name) ?? -1;
    if (at >= 0) node?.names.splice(at, 1);
    this.#touch(folder, 'mtime');
  }

  #touch(node: MemoryNode, what: 'mtime' | 'ctime'): void {
    const now = this.now();
    if (what === 'mtime') node.mtime = now;
    node.ctime = now;
    node.version++;
  }

  /** What nothing names and nobody holds is gone. */
  #collect(node: MemoryNode): void {
    if (node.held > 0 || node.names.length > 0 || node === this.root) return;
    // A session of the tree that was there before `adopt` may end late.
    if (this.#nodes.get(node.id) !== node) return;
    this.#nodes.delete(node.id);
    this.used -= NODE_BYTES + (node.kind === 'file' ? node.chunks.size * CHUNK : 0);
  }
}

function isFolder(node: MemoryNode): node is MemoryFolder {
  return node.kind === 'folder';
}

function sizeOf(node: MemoryNode): number {
  if (node.kind === 'file') return node.size;
  return node.kind === 'link' ? node.target.length : 4096;
}

function folderOf(node: MemoryNode): MemoryFolder {
  if (node.kind !== 'folder') throw new ShareError('ENOTDIR');
  return node;
}

function fileOf(node: MemoryNode): MemoryFile {
  if (node.kind === 'folder') throw new ShareError('EISDIR');
  if (node.kind === 'link') throw new ShareError('ELOOP');
  return node;
}
