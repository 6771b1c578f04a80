/**
 * A folder of this computer as a shared folder. Relies on Node's file operations; guarantees that
 * nothing outside of the folder is touched, whatever a guest does: each operation looks its folder up
 * anew and refuses a way with a symbolic link in it, a last link is never followed, and what changes
 * names runs one after the other. Owners belong to the guest: they are kept in memory, and the files
 * stay their owner's here. Links that a guest makes are links here too.
 */
import { constants, type Stats } from 'node:fs';
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import { ERRNO } from '../machine/devices/virtio/nine-p-wire.ts';
import { UserError } from '../machine/errors.ts';
import {
  type Access,
  type Attributes,
  type Capacity,
  type Changes,
  type Entry,
  type NewNode,
  type NodeKind,
  type OpenFile,
  type Qid,
  ShareError,
  type ShareFileSystem,
} from '../storage/ninep/file-system.ts';
import { reasonOf } from './repository.ts';

/** A place in the folder. Who holds one follows it when the guest renames what is above it. */
export interface NodePlace {
  /** None: the root, or what has been removed. */
  parent: NodePlace | undefined;
  name: string;
  held: number;
  /** It is open: a handle outlives the name. */
  readonly handles: Set<FileHandle>;
  /** Made just now, and open for both already: its mode may forbid to open it again. */
  fresh?: FileHandle | undefined;
}

interface Owner {
  uid?: number;
  gid?: number;
}

/** A guest's set-user-id file would be one of this computer's user. */
const MODE_BITS = 0o1777;

/** Files whose owner was changed and is remembered. */
const OWNERS_MAX = 100_000;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY, O_RDWR, O_TRUNC, O_CREAT, O_EXCL } = constants;

export class NodeShare implements ShareFileSystem<NodePlace> {
  readonly root: NodePlace = { parent: undefined, name: '', held: 1, handles: new Set() };
  readonly readOnly: boolean;
  readonly #path: string;
  /** Places that somebody holds, by their parents: a rename moves them. */
  readonly #places = new Map<NodePlace, Map<string, NodePlace>>();
  readonly #owners = new Map<string, Owner>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, readOnly: boolean) {
    this.#path = path;
    this.readOnly = readOnly;
  }

  static async open(folder: string, readOnly: boolean): Promise<NodeShare> {
    try {
      const path = await realpath(folder);
      if (!(await lstat(path)).isDirectory()) throw new Error('it is no folder');
      await readdir(path);
      return new NodeShare(path, readOnly);
    } catch (error) {
      throw new UserError(`The folder ${folder} cannot be shared: ${reasonOf(error)}.`);
    }
  }

  qid(node: NodePlace): Promise<Qid> {
    return this.#do(async () => qidOf(await this.#stat(node)));
  }

  attributes(node: NodePlace): Promise<Attributes> {
    return this.#do(async () => {
      const stat = await this.#stat(node);
      const owner = this.#owners.get(keyOf(stat));
      return {
        kind: kindOf(stat),
        mode: stat.mode & 0o7777,
        uid: owner?.uid ?? 0,
        gid: owner?.gid ?? 0,
        size: stat.size,
        links: stat.nlink,
        atime: stat.atimeMs,
        mtime: stat.mtimeMs,
        ctime: stat.ctimeMs,
      };
    });
  }

  change(node: NodePlace, { mode, uid, gid, size, atime, mtime }: Changes): Promise<void> {
    return this.#do(async () => {
      const stat = await this.#stat(node);
      if (uid !== undefined || gid !== undefined) this.#own(stat, { uid, gid });
      if (size !== undefined) await this.#withHandle(node, O_WRONLY, (file) => file.truncate(size));
      // A link has no mode, and its target is none of ours.
      if (mode !== undefined && !stat.isSymbolicLink()) {
        await this.#withHandle(node, O_RDONLY, (file) => file.chmod(mode & MODE_BITS));
      }
      if (atime === undefined && mtime === undefined) return;
      const at = (time: number | 'now' | undefined, before: number) =>
        (time === 'now' ? Date.now() : (time ?? before)) / 1000;
      const [access, modification] = [at(atime, stat.atimeMs), at(mtime, stat.mtimeMs)];
      const [handle] = node.handles;
      if (handle) await handle.utimes(access, modification);
      else await lutimes(await this.#pathOf(node), access, modification);
    });
  }

  lookup(folder: NodePlace, name: string): Promise<NodePlace> {
    return this.#do(async () => {
      const stat = await lstat(join(await this.#folder(folder), name));
      kindOf(stat);
      return this.#place(folder, name);
    });
  }

  list(folder: NodePlace): Promise<Entry[]> {
    return this.#do(async () => {
      const path = await this.#folder(folder);
      const entries: Entry[] = [];
      for (const name of await readdir(path)) {
        try {
          entries.push({ name, qid: qidOf(await lstat(join(path, name))) });
        } catch {
          // It has gone meanwhile, or is a device or a pipe, which has no place in a shared folder.
        }
      }
      return entries;
    });
  }

  open(node: NodePlace, access: Access, truncate: boolean): Promise<OpenFile> {
    return this.#do(async () => {
      const how = access === 'both' ? O_RDWR : access === 'write' ? O_WRONLY : O_RDONLY;
      const file = node.fresh ?? (await this.#openFile(node, how | (truncate ? O_TRUNC : 0)));
      node.fresh = undefined;
      node.handles.add(file);
      return {
        read: (offset, into) => plainly(() => readAll(file, offset, into)),
        write: (offset, from) => plainly(() => writeAll(file, offset, from)),
        flush: () => plainly(() => file.sync()),
        close: () => {
          node.handles.delete(file);
          return plainly(() => file.close());
        },
      };
    });
  }

  create(folder: NodePlace, name: string, how: NewNode): Promise<NodePlace> {
    return this.#do(async () => {
      const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
      const file = await open(join(await this.#folder(folder), name), flags, 0o600);
      // The guest's own mask has been applied already, so this process's is not.
      await file.chmod(how.mode & MODE_BITS);
      this.#own(await file.stat(), how);
      const node = this.#place(folder, name);
      node.fresh = file;
      return node;
    });
  }

  makeFolder(folder: NodePlace, name: string, how: NewNode): Promise<NodePlace> {
    return this.#do(async () => {
      const path = join(await this.#folder(folder), name);
      await mkdir(path, 0o700);
      await chmod(path, how.mode & MODE_BITS);
      this.#own(await lstat(path), how);
      return this.#place(folder, name);
    });
  }

  makeLink(folder: NodePlace, name: string, target: string, how: NewNode): Promise<NodePlace> {
    return this.#do(async () => {
      const path = join(await this.#folder(folder), name);
      await symlink(target, path);
      this.#own(await lstat(path), how);
      return this.#place(folder, name);
    });
  }

  readLink(node: NodePlace): Promise<string> {
    return this.#do(async () => readlink(await this.#pathOf(node)));
  }

  addName(folder: NodePlace, name: string, node: NodePlace): Promise<void> {
    return this.#do(async () =>
      link(await this.#pathOf(node), join(await this.#folder(folder), name)),
    );
  }

  remove(folder: NodePlace, name: string, what: 'folder' | 'other'): Promise<void> {
    return this.#do(async () => {
      const path = join(await this.#folder(folder), name);
      const stat = await lstat(path);
      if (what === 'folder') await rmdir(path);
      else if (stat.isDirectory()) throw new ShareError('EISDIR');
      else await unlink(path);
      if (what === 'folder' || stat.nlink === 1) this.#owners.delete(keyOf(stat));
      this.#detach(folder, name);
    });
  }

  rename(from: NodePlace, name: string, to: NodePlace, newName: string): Promise<void> {
    return this.#do(async () => {
      const [source, target] = [await this.#folder(from), await this.#folder(to)];
      await rename(join(source, name), join(target, newName));
      if (from === to && name === newName) return;
      this.#detach(to, newName);
      const moved = this.#places.get(from)?.get(name);
      if (!moved) return;
      this.#forget(moved);
      moved.parent = to;
      moved.name = newName;
      this.#remember(moved);
    });
  }

  place(node: NodePlace): { folder: NodePlace; name: string } | undefined {
    return node.parent && { folder: node.parent, name: node.name };
  }

  capacity(): Promise<Capacity> {
    return this.#do(async () => {
      const { bsize, blocks, bavail } = await statfs(this.#path);
      return { total: blocks * bsize, free: bavail * bsize };
    });
  }

  hold(node: NodePlace): void {
    if (node.held++ > 0 || !node.parent) return;
    this.#remember(node);
    this.hold(node.parent);
  }

  release(node: NodePlace): void {
    if (--node.held > 0 || !node.parent) return;
    this.#forget(node);
    this.release(node.parent);
  }

  /** The one place for a name, so that all who hold it see it move. */
  #place(folder: NodePlace, name: string): NodePlace {
    return (
      this.#places.get(folder)?.get(name) ?? { parent: folder, name, held: 0, handles: new Set() }
    );
  }

  #remember(place: NodePlace): void {
    if (!place.parent) return;
    const siblings = this.#places.get(place.parent) ?? new Map<string, NodePlace>();
    siblings.set(place.name, place);
    this.#places.set(place.parent, siblings);
  }

  #forget(place: NodePlace): void {
    if (!place.parent) return;
    const siblings = this.#places.get(place.parent);
    if (siblings?.get(place.name) !== place) return;
    siblings.delete(place.name);
    if (siblings.size === 0) this.#places.delete(place.parent);
  }

  /** What was at a name is nowhere now. */
  #detach(folder: NodePlace, name: string): void {
    const place = this.#places.get(folder)?.get(name);
    if (!place) return;
    this.#forget(place);
    place.parent = undefined;
    this.release(folder);
  }

  /** The path of a folder, which is a folder and not reached through a link. */
  async #folder(node: NodePlace): Promise<string> {
    const names: string[] = [];
    let at = node;
    for (; at.parent; at = at.parent) names.unshift(at.name);
    if (at !== this.root) throw new ShareError('ENOENT');
    const path = join(this.#path, ...names);
    if ((await realpath(path)) !== path) throw new ShareError('ELOOP');
    return path;
  }

  /** The path of a node: its last name may be a link, the others are none. */
  async #pathOf(node: NodePlace): Promise<string> {
    if (node === this.root) return this.#path;
    if (!node.parent) throw new ShareError('ENOENT');
    return join(await this.#folder(node.parent), node.name);
  }

  async #stat(node: NodePlace): Promise<Stats> {
    const [handle] = node.handles;
    if (handle) return handle.stat();
    return lstat(await this.#pathOf(node));
  }

  async #openFile(node: NodePlace, flags: number): Promise<FileHandle> {
    // A pipe or a device that somebody put there must not be waited for, nor opened.
    const file = await open(await this.#pathOf(node), flags | O_NOFOLLOW | O_NONBLOCK);
    try {
      kindOf(await file.stat());
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #withHandle(
    node: NodePlace,
    flags: number,
    work: (file: FileHandle) => Promise<void>,
  ): Promise<void> {
    // A file that has no name any more is reached by the handle that is open.
    const [handle] = node.handles;
    if (handle && !node.parent) return work(handle);
    const file = await this.#openFile(node, flags);
    try {
      await work(file);
    } finally {
      await file.close();
    }
  }

  #own(stat: Stats, { uid, gid }: { uid?: number | undefined; gid?: number | undefined }): void {
    const key = keyOf(stat);
    const before = this.#owners.get(key);
    const owner: Owner = { uid: uid ?? before?.uid ?? 0, gid: gid ?? before?.gid ?? 0 };
    if (owner.uid === 0 && owner.gid === 0) this.#owners.delete(key);
    else if (before || this.#owners.size < OWNERS_MAX) this.#owners.set(key, owner);
    else throw new ShareError('ENOSPC');
  }

  /** Has an operation done when those before it have ended: no folder changes while it is looked up. */
  #do<R>(operation: () => Promise<R>): Promise<R> {
    const done = this.#last.then(() => plainly(operation));
    this.#last = done.catch(() => {});
    return done;
  }
}

/** Has an operation done, its failure as Linux's number. */
async function plainly<R>(operation: () => Promise<R>): Promise<R> {
  try {
    return await operation();
  } catch (error) {
    throw shareError(error);
  }
}

function shareError(error: unknown): unknown {
  if (error instanceof ShareError || !(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  if (isKnown(code)) return new ShareError(code);
  return OTHERS[code] ? new ShareError(OTHERS[code]) : error;
}

/** Codes of other systems, and rarer ones, by what the guest understands best. */
const OTHERS: Readonly<Record<string, keyof typeof ERRNO>> = {
  EDQUOT: 'ENOSPC',
  ENOTSUP: 'EOPNOTSUPP',
  EMFILE: 'EMFILE',
  ENFILE: 'EMFILE',
  ETXTBSY: 'EBUSY',
};

function isKnown(code: string): code is keyof typeof ERRNO {
  return Object.hasOwn(ERRNO, code);
}

function kindOf(stat: Stats): NodeKind {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'folder';
  if (stat.isSymbolicLink()) return 'link';
  throw new ShareError('EPERM');
}

function keyOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** The version goes with size and time of change, so that the guest sees what was changed here. */
function qidOf(stat: Stats): Qid {
  const version = Math.floor(stat.mtimeMs) ^ Math.imul(stat.size + 1, 0x9e37_79b1);
  return {
    kind: kindOf(stat),
    version: version >>> 0 || 1,
    path: BigInt.asUintN(64, BigInt(stat.ino)),
  };
}

async function readAll(file: FileHandle, offset: number, into: Uint8Array): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function writeAll(file: FileHandle, offset: number, from: Uint8Array): Promise<void> {
  for (let done = 0; done < from.length; ) {
    const { bytesWritten } = await file.write(from, done, from.length - done, offset + done);
    done += bytesWritten;
  }
}
