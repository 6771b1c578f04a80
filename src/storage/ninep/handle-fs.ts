/**
 * A folder of the person's disk, chosen in the browser (File System Access), as a shared folder. That
 * interface knows files, folders, sizes and times of change, and no more: modes, owners and other times
 * are kept in memory, links are refused, and a rename of a folder is left to the guest (EXDEV makes it
 * copy). What is written reaches the file when it is closed, synced or read: the browser swaps it in
 * then as a whole.
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

export interface HandleNode {
  readonly id: bigint;
  handle: FileSystemFileHandle | FileSystemDirectoryHandle;
  parent: HandleNode | undefined;
  name: string;
  /** Nodes in this folder that somebody holds or whose attributes differ from the usual. */
  readonly children: Map<string, HandleNode>;
  held: number;
  kept: Kept | undefined;
  /** Bytes that the file does not have yet. */
  writer: FileSystemWritableFileStream | undefined;
  /** Work on the contents of the file, one after the other. */
  last: Promise<unknown>;
}

/** What the browser does not keep. */
interface Kept {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: number;
  mtime?: number;
}

/** Nodes whose attributes are remembered. */
const KEPT_MAX = 50_000;

export class HandleFs implements ShareFileSystem<HandleNode> {
  readonly root: HandleNode;
  readonly readOnly: boolean;
  #nextId = 1n;
  #kept = 0;

  constructor(folder: FileSystemDirectoryHandle, readOnly: boolean) {
    this.readOnly = readOnly;
    this.root = this.#node(folder, undefined, '');
    this.root.held = 1;
  }

  async qid(node: HandleNode): Promise<Qid> {
    if (node.handle.kind === 'directory') return { kind: 'folder', version: 1, path: node.id };
    const { size, lastModified } = await this.#file(node);
    const version = Math.floor(lastModified) ^ Math.imul(size + 1, 0x9e37_79b1);
    return { kind: 'file', version: version >>> 0 || 1, path: node.id };
  }

  async attributes(node: HandleNode): Promise<Attributes> {
    const folder = node.handle.kind === 'directory';
    const file = folder ? undefined : await this.#file(node);
    const { mode, uid = 0, gid = 0, atime, mtime } = node.kept ?? {};
    const changed = file?.lastModified ?? 0;
    return {
      kind: folder ? 'folder' : 'file',
      mode: mode ?? (folder ? 0o755 : 0o644),
      uid,
      gid,
      size: file?.size ?? 4096,
      links: folder ? 2 : 1,
      atime: atime ?? changed,
      mtime: mtime ?? changed,
      ctime: changed,
    };
  }

  async change(node: HandleNode, { size, mode, uid, gid, atime, mtime }: Changes): Promise<void> {
    if (size !== undefined) {
      await this.#inTurn(node, async () => {
        const writer = await this.#writer(node);
        await writer.truncate(size);
      });
      await this.#commit(node);
    }
    const now = Date.now();
    const kept: Kept = {
      ...(mode !== undefined && { mode }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(atime !== undefined && { atime: atime === 'now' ? now : atime }),
      ...(mtime !== undefined && { mtime: mtime === 'now' ? now : mtime }),
    };
    if (Object.keys(kept).length === 0) return;
    if (node.kept === undefined && ++this.#kept > KEPT_MAX) {
      this.#kept--;
      throw new ShareError('ENOSPC');
    }
    node.kept = { ...node.kept, ...kept };
    node.parent?.children.set(node.name, node);
  }

  async lookup(folder: HandleNode, name: string): Promise<HandleNode> {
    const known = folder.children.get(name);
    const handle = await find(directory(folder), name);
    if (known && known.handle.kind === handle.kind) return known;
    return this.#node(handle, folder, name);
  }

  async list(folder: HandleNode): Promise<Entry[]> {
    return guarded(async () => {
      const entries: Entry[] = [];
      for await (const [name, handle] of directory(folder).entries()) {
        const known = folder.children.get(name);
        const kind = handle.kind === 'directory' ? 'folder' : 'file';
        entries.push({ name, qid: { kind, version: 1, path: known?.id ?? this.#nextId++ } });
      }
      return entries;
    });
  }

  async open(node: HandleNode, _access: Access, truncate: boolean): Promise<OpenFile> {
    if (node.handle.kind !== 'file') throw new ShareError('EISDIR');
    if (truncate) await this.change(node, { size: 0 });
    return {
      read: async (offset, into) => {
        const file = await this.#file(node);
        const part = file.slice(offset, offset + into.length);
        const bytes = await guarded(() => part.arrayBuffer());
        into.set(new Uint8Array(bytes));
        return bytes.byteLength;
      },
      write: (offset, from) =>
        this.#inTurn(node, async () => {
          const writer = await this.#writer(node);
          await writer.write({ type: 'write', position: offset, data: from.slice() });
          if (node.kept?.mtime !== undefined) delete node.kept.mtime;
        }),
      flush: () => this.#commit(node),
      close: () => this.#commit(node),
    };
  }

  async create(folder: HandleNode, name: string, how: NewNode): Promise<HandleNode> {
    await absent(directory(folder), name);
    const handle = await guarded(() => directory(folder).getFileHandle(name, { create: true }));
    return this.#made(handle, folder, name, how, 0o644);
  }

  async makeFolder(folder: HandleNode, name: string, how: NewNode): Promise<HandleNode> {
    await absent(directory(folder), name);
    const handle = await guarded(() =>
      directory(folder).getDirectoryHandle(name, { create: true }),
    );
    return this.#made(handle, folder, name, how, 0o755);
  }

  makeLink(): never {
    throw new ShareError('EPERM');
  }

  readLink(): never {
    throw new ShareError('EINVAL');
  }

  addName(): never {
    throw new ShareError('EPERM');
  }

  async remove(folder: HandleNode, name: string, what: 'folder' | 'other'): Promise<void> {
    const handle = await find(directory(folder), name);
    if (handle.kind === 'directory' && what !== 'folder') throw new ShareError('EISDIR');
    if (handle.kind === 'file' && what === 'folder') throw new ShareError('ENOTDIR');
    const known = folder.children.get(name);
    await this.#drop(known);
    await guarded(() => directory(folder).removeEntry(name));
    this.#detach(folder, name);
  }

  async rename(from: HandleNode, name: string, to: HandleNode, newName: string): Promise<void> {
    const node = await this.lookup(from, name);
    if (from === to && name === newName) return;
    if (node.handle.kind === 'directory') throw new ShareError('EXDEV');
    const there = await find(directory(to), newName).catch(() => undefined);
    if (there?.kind === 'directory') throw new ShareError('EISDIR');
    // A copy, and then the old one goes: no browser moves files of every folder.
    await this.#commit(node);
    const target = await guarded(() => directory(to).getFileHandle(newName, { create: true }));
    await guarded(async () => {
      const source = await handleOf(node).getFile();
      await source.stream().pipeTo(await target.createWritable());
    });
    await guarded(() => directory(from).removeEntry(name));
    this.#detach(to, newName);
    // Who holds the file goes on with the new one.
    from.children.delete(name);
    const moved = Object.assign(node, { handle: target, parent: to, name: newName });
    if (node.held > 0 || node.kept) to.children.set(newName, moved);
  }

  place(node: HandleNode): { folder: HandleNode; name: string } | undefined {
    return node.parent && { folder: node.parent, name: node.name };
  }

  async capacity(): Promise<Capacity> {
    // The browser does not say how much room a disk has.
    return { total: 2 ** 40, free: this.readOnly ? 0 : 2 ** 39 };
  }

  hold(node: HandleNode): void {
    if (node.held++ > 0 || !node.parent) return;
    node.parent.children.set(node.name, node);
    this.hold(node.parent);
  }

  release(node: HandleNode): void {
    if (--node.held > 0 || !node.parent) return;
    const { parent } = node;
    if (!node.kept && parent.children.get(node.name) === node) parent.children.delete(node.name);
    this.release(parent);
  }

  #node(handle: HandleNode['handle'], parent: HandleNode | undefined, name: string): HandleNode {
    return {
      id: this.#nextId++,
      handle,
      parent,
      name,
      children: new Map(),
      held: 0,
      kept: undefined,
      writer: undefined,
      last: Promise.resolve(),
    };
  }

  async #made(
    handle: HandleNode['handle'],
    folder: HandleNode,
    name: string,
    { mode, uid, gid }: NewNode,
    usual: number,
  ): Promise<HandleNode> {
    const node = this.#node(handle, folder, name);
    if (mode !== usual || uid !== 0 || gid !== 0) await this.change(node, { mode, uid, gid });
    return node;
  }

  /** What was at a name is nowhere. */
  #detach(folder: HandleNode, name: string): void {
    const node = folder.children.get(name);
    if (!node) return;
    folder.children.delete(name);
    if (node.kept) this.#kept--;
    node.kept = undefined;
    node.parent = undefined;
    if (node.held > 0) this.release(folder);
  }

  /** The file with all that was written to it. */
  async #file(node: HandleNode): Promise<File> {
    if (node.writer) await this.#commit(node);
    return guarded(() => handleOf(node).getFile());
  }

  /** Called in turn. */
  async #writer(node: HandleNode): Promise<FileSystemWritableFileStream> {
    node.writer ??= await handleOf(node).createWritable({ keepExistingData: true });
    return node.writer;
  }

  #commit(node: HandleNode): Promise<void> {
    return this.#inTurn(node, async () => {
      const { writer } = node;
      node.writer = undefined;
      await writer?.close();
    });
  }

  /** What was not written yet is of no interest any more. */
  async #drop(node: HandleNode | undefined): Promise<void> {
    if (!node) return;
    await this.#inTurn(node, async () => {
      const { writer } = node;
      node.writer = undefined;
      await writer?.abort();
    });
  }

  #inTurn(node: HandleNode, work: () => Promise<void>): Promise<void> {
    const done = node.last.then(() => guarded(work));
    node.last = done.catch(() => {});
    return done;
  }
}

function directory(node: HandleNode): FileSystemDirectoryHandle {
  if (node.handle.kind !== 'directory') throw new ShareError('ENOTDIR');
  return node.handle as FileSystemDirectoryHandle;
}

function handleOf(node: HandleNode): FileSystemFileHandle {
  if (node.handle.kind !== 'file') throw new ShareError('EISDIR');
  return node.handle as FileSystemFileHandle;
}

/** The file or folder of a name: the interface asks to know beforehand which it is. */
async function find(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemFileHandle | FileSystemDirectoryHandle> {
  try {
    return await folder.getFileHandle(name);
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'TypeMismatchError')
      throw failure(error);
    return guarded(() => folder.getDirectoryHandle(name));
  }
}

async function absent(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await find(folder, name);
  } catch (error) {
    if (error instanceof ShareError && error.code === 'ENOENT') return;
    throw error;
  }
  throw new ShareError('EEXIST');
}

/** Has an operation done, the browser's failure as Linux's number. */
async function guarded<R>(operation: () => Promise<R>): Promise<R> {
  try {
    return await operation();
  } catch (error) {
    throw failure(error);
  }
}

function failure(error: unknown): unknown {
  if (error instanceof ShareError) return error;
  // A name that this disk does not take.
  if (error instanceof TypeError) return new ShareError('EINVAL');
  if (!(error instanceof DOMException)) return error;
  switch (error.name) {
    case 'NotFoundError':
      return new ShareError('ENOENT');
    case 'TypeMismatchError':
      return new ShareError('ENOTDIR');
    case 'NotAllowedError':
    case 'SecurityError':
      return new ShareError('EACCES');
    case 'NoModificationAllowedError':
      return new ShareError('EBUSY');
    case 'QuotaExceededError':
      return new ShareError('ENOSPC');
    case 'InvalidModificationError':
      return new ShareError('ENOTEMPTY');
    default:
      return error;
  }
}
