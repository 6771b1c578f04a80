/**
 * What each message of 9P2000.L asks of the file system, and its answer. Relies on the server for the
 * session around it; guarantees that a message is read to its last byte before anything is done.
 */
import { BY_NUMBER } from '../../machine/devices/virtio/nine-p-session.ts';
import {
  HEADER,
  OPEN,
  T,
  WALK_MAX,
  type WireReader,
  WireWriter,
} from '../../machine/devices/virtio/nine-p-wire.ts';
import type { Fid } from './fids.ts';
import { type Attributes, type Changes, type Qid, ShareError } from './file-system.ts';
import {
  link,
  mkdir,
  mknod,
  readlink,
  rename,
  renameat,
  symlink,
  unlinkat,
} from './name-operations.ts';
import {
  accessOf,
  type Context,
  decode,
  end,
  NAME_MAX,
  nameOf,
  offsetOf,
  openFile,
  putQid,
  putTime,
  type Reply,
  timeOf,
  writable,
} from './values.ts';

/** Has `work` done after all that was given before. */
type Ordered = <R>(work: () => Promise<R>) => Promise<R>;

const MODE = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;
/** Types of directory entries (DT_REG, DT_DIR, DT_LNK). */
const ENTRY_TYPE = { file: 8, folder: 4, link: 10 } as const;
/** Tread and Twrite carry this much beside the data. */
const IO_HEADER = 24;
/** V9FS_MAGIC, as statfs(2) of a guest shows it. */
const STATFS_TYPE = 0x0102_1997;
const BLOCK = 4096;
/** P9_STATS_BASIC. */
const GETATTR_BASIC = 0x7ffn;
const SETATTR = {
  MODE: 1,
  UID: 2,
  GID: 4,
  SIZE: 8,
  ATIME: 16,
  MTIME: 32,
  ATIME_SET: 128,
  MTIME_SET: 256,
};
const LOCK_SUCCESS = 0;
const UNLOCKED = 2;

const encoder = new TextEncoder();

/** Types that have an answer here. */
const OPERATIONS = {
  [T.STATFS]: statfs,
  [T.LOPEN]: lopen,
  [T.LCREATE]: lcreate,
  [T.SYMLINK]: symlink,
  [T.MKNOD]: mknod,
  [T.RENAME]: rename,
  [T.READLINK]: readlink,
  [T.GETATTR]: getattr,
  [T.SETATTR]: setattr,
  [T.XATTRWALK]: xattrwalk,
  [T.XATTRCREATE]: unsupported,
  [T.READDIR]: readdir,
  [T.FSYNC]: fsync,
  [T.LOCK]: lock,
  [T.GETLOCK]: getlock,
  [T.LINK]: link,
  [T.MKDIR]: mkdir,
  [T.RENAMEAT]: renameat,
  [T.UNLINKAT]: unlinkat,
  [T.AUTH]: unsupported,
  [T.ATTACH]: attach,
  [T.WALK]: walk,
  [T.READ]: read,
  [T.WRITE]: write,
  [T.CLUNK]: clunk,
  [T.REMOVE]: remove,
} as const;
export type Operation = keyof typeof OPERATIONS;

/** They touch no names and may run beside each other. */
const UNORDERED: readonly number[] = [T.READ, T.WRITE, T.GETATTR, T.FSYNC, T.STATFS, T.READLINK];

const CHANGING: readonly number[] = [
  T.LCREATE,
  T.SYMLINK,
  T.RENAME,
  T.SETATTR,
  T.LINK,
  T.MKDIR,
  T.RENAMEAT,
  T.UNLINKAT,
  T.WRITE,
  T.REMOVE,
];

/** Whether a request changes files. */
export function changes(type: Operation): boolean {
  return CHANGING.includes(type);
}

export function isKnown(type: number): type is Operation {
  return Object.hasOwn(OPERATIONS, type);
}

/** The answer to one message whose header has been read. */
export async function answer<N>(
  context: Context<N>,
  type: Operation,
  tag: number,
  reader: WireReader,
  ordered: Ordered,
): Promise<Uint8Array<ArrayBuffer>> {
  const work = async () => {
    const writer = new WireWriter(type + 1, tag);
    await OPERATIONS[type](context, reader, writer);
    return writer.finish();
  };
  return UNORDERED.includes(type) ? work() : ordered(work);
}

async function attach<N>(
  { fs, fids }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  reader.u32(); // afid: nobody has to prove who he is
  reader.string();
  const where = decode(reader.string());
  reader.u32();
  end(reader);
  fids.checkFree(number);
  let node = fs.root;
  if (where.startsWith(BY_NUMBER)) {
    const digits = where.slice(BY_NUMBER.length);
    const found = /^[0-9a-f]{1,16}$/.test(digits)
      ? fs.byNumber?.(BigInt(`0x${digits}`))
      : undefined;
    if (found === undefined) throw new ShareError('ESTALE');
    node = found;
  } else if (where !== '' && where !== '/') {
    throw new ShareError('ENOENT');
  }
  putQid(reply, await fs.qid(node));
  fids.add(number, node);
}

async function walk<N>({ fs, fids }: Context<N>, reader: WireReader, reply: Reply): Promise<void> {
  const number = reader.u32();
  const newNumber = reader.u32();
  const count = reader.u16();
  if (count > WALK_MAX) throw new ShareError('EINVAL');
  const names = Array.from({ length: count }, () => reader.string());
  end(reader);
  const from = fids.get(number);
  if (from.file || from.entries) throw new ShareError('EBUSY');
  fids.checkFree(newNumber, number);
  let { node } = from;
  const qids: Qid[] = [];
  for (const bytes of names) {
    try {
      node = await fs.lookup(node, nameOf(bytes));
      qids.push(await fs.qid(node));
    } catch (error) {
      // Only the first name's failure is an error; a walk may end on its way.
      if (qids.length === 0 || !(error instanceof ShareError)) throw error;
      break;
    }
  }
  reply.u16(qids.length);
  for (const qid of qids) putQid(reply, qid);
  if (qids.length < names.length) return;
  if (newNumber === number) fids.move(from, node);
  else fids.add(newNumber, node);
}

async function clunk<N>({ fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  end(reader);
  await fids.remove(number);
}

async function remove<N>({ fs, fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  end(reader);
  const { node } = fids.get(number);
  try {
    writable(fs);
    const place = fs.place(node);
    if (!place) throw new ShareError('ENOENT');
    const { kind } = await fs.qid(node);
    await fs.remove(place.folder, place.name, kind === 'folder' ? 'folder' : 'other');
  } finally {
    await fids.remove(number);
  }
}

async function statfs<N>(
  { fs, fids }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  end(reader);
  fids.get(number);
  const { total, free } = await fs.capacity();
  const blocks = (bytes: number) => Math.floor(bytes / BLOCK);
  reply.u32(STATFS_TYPE).u32(BLOCK).u64(blocks(total)).u64(blocks(free)).u64(blocks(free));
  reply
    .u64(1 << 20)
    .u64(1 << 19)
    .u64(0)
    .u32(NAME_MAX);
}

async function lopen<N>(context: Context<N>, reader: WireReader, reply: Reply): Promise<void> {
  const number = reader.u32();
  const flags = reader.u32();
  end(reader);
  const { fs, fids, msize } = context;
  const fid = fids.get(number);
  const qid = await fs.qid(fid.node);
  await openFid(context, fid, qid, flags);
  putQid(reply, qid).u32(msize - IO_HEADER);
}

async function openFid<N>({ fs, fids }: Context<N>, fid: Fid<N>, { kind }: Qid, flags: number) {
  if (fid.file || fid.entries) throw new ShareError('EBUSY');
  const access = accessOf(flags);
  const truncate = (flags & OPEN.TRUNC) !== 0;
  if (kind === 'link') throw new ShareError('ELOOP');
  if (access !== 'read' || truncate) {
    if (kind === 'folder') throw new ShareError('EISDIR');
    writable(fs);
  }
  if (kind === 'folder') {
    fid.entries = 'unread';
    return;
  }
  fids.checkOpen();
  fids.opened(fid, await fs.open(fid.node, access, truncate), access);
}

async function lcreate<N>(context: Context<N>, reader: WireReader, reply: Reply): Promise<void> {
  const number = reader.u32();
  const bytes = reader.string();
  const flags = reader.u32();
  const how = { mode: reader.u32() & 0o7777, uid: 0, gid: reader.u32() };
  end(reader);
  const { fs, fids, msize } = context;
  const fid = fids.get(number);
  if (fid.file || fid.entries) throw new ShareError('EBUSY');
  writable(fs);
  const name = nameOf(bytes);
  fids.checkOpen();
  const access = accessOf(flags);
  let node: N;
  let made = true;
  try {
    node = await fs.create(fid.node, name, how);
  } catch (error) {
    const there = error instanceof ShareError && error.code === 'EEXIST';
    if (!there || (flags & OPEN.EXCL) !== 0) throw error;
    node = await fs.lookup(fid.node, name);
    made = false;
  }
  const qid = await fs.qid(node);
  if (qid.kind !== 'file') throw new ShareError(qid.kind === 'folder' ? 'EISDIR' : 'ELOOP');
  const file = await fs.open(node, access, !made && (flags & OPEN.TRUNC) !== 0);
  fids.move(fid, node);
  fids.opened(fid, file, access);
  putQid(reply, qid).u32(msize - IO_HEADER);
}

async function read<N>(
  { fids, msize }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  const offset = offsetOf(reader);
  const count = Math.min(reader.u32(), msize - HEADER - 4);
  end(reader);
  const { file, access } = openFile(fids.get(number));
  if (access === 'write') throw new ShareError('EBADF');
  reply.u32(0);
  const start = reply.length;
  const done = await file.read(offset, reply.space(count));
  reply.cut(HEADER);
  reply.u32(done);
  reply.cut(start + done);
}

async function write<N>({ fids }: Context<N>, reader: WireReader, reply: Reply): Promise<void> {
  const number = reader.u32();
  const offset = offsetOf(reader);
  const data = reader.bytes(reader.u32());
  end(reader);
  const { file, access } = openFile(fids.get(number));
  if (access === 'read') throw new ShareError('EBADF');
  await file.write(offset, data);
  reply.u32(data.length);
}

async function fsync<N>({ fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  // Older drivers do not say whether times matter.
  if (reader.remaining > 0) reader.u32();
  end(reader);
  const fid = fids.get(number);
  if (fid.file) await fid.file.file.flush();
  else if (!fid.entries) throw new ShareError('EBADF');
}

async function readdir<N>(
  { fs, fids, msize }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  const offset = offsetOf(reader);
  const count = Math.min(reader.u32(), msize - HEADER - 4);
  end(reader);
  const fid = fids.get(number);
  if (!fid.entries) throw new ShareError('EBADF');
  // From the beginning: the folder as it is now. Further on: as it was then, so that nothing is missed.
  if (offset === 0 || fid.entries === 'unread') fid.entries = await fs.list(fid.node);
  const { entries } = fid;
  reply.u32(0);
  const start = reply.length;
  const limit = start + count;
  const put = (index: number, qid: Qid, name: string) => {
    const bytes = encoder.encode(name);
    if (reply.length + 24 + bytes.length > limit) return false;
    putQid(reply, qid)
      .u64(index + 1)
      .u8(ENTRY_TYPE[qid.kind])
      .string(bytes);
    return true;
  };
  for (let index = offset; index < entries.length + 2; index++) {
    if (index < 2) {
      if (!put(index, await fs.qid(fid.node), index === 0 ? '.' : '..')) break;
      continue;
    }
    const { name, qid } = entries[index - 2]!;
    if (!put(index, qid, name)) break;
  }
  const size = reply.length - start;
  reply.cut(HEADER);
  reply.u32(size);
  reply.cut(start + size);
}

async function getattr<N>(
  { fs, fids }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  reader.u64();
  end(reader);
  const { node } = fids.get(number);
  const qid = await fs.qid(node);
  const attributes: Attributes = await fs.attributes(node);
  const { kind, mode, uid, gid, links, size } = attributes;
  putQid(reply.u64(GETATTR_BASIC), qid)
    .u32(MODE[kind] | mode)
    .u32(uid)
    .u32(gid);
  reply
    .u64(links)
    .u64(0)
    .u64(size)
    .u64(BLOCK)
    .u64(Math.ceil(size / 512));
  for (const time of [attributes.atime, attributes.mtime, attributes.ctime, 0])
    putTime(reply, time);
  reply.u64(0).u64(0);
}

async function setattr<N>({ fs, fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  const valid = reader.u32();
  const mode = reader.u32();
  const uid = reader.u32();
  const gid = reader.u32();
  const size = offsetOf(reader);
  const atime = timeOf(reader);
  const mtime = timeOf(reader);
  end(reader);
  const { node } = fids.get(number);
  writable(fs);
  const has = (bit: number) => (valid & bit) !== 0;
  if (has(SETATTR.SIZE) && (await fs.qid(node)).kind !== 'file') throw new ShareError('EINVAL');
  const changes: Changes = {
    ...(has(SETATTR.MODE) && { mode: mode & 0o7777 }),
    ...(has(SETATTR.UID) && { uid }),
    ...(has(SETATTR.GID) && { gid }),
    ...(has(SETATTR.SIZE) && { size }),
    ...(has(SETATTR.ATIME) && { atime: has(SETATTR.ATIME_SET) ? atime : 'now' }),
    ...(has(SETATTR.MTIME) && { mtime: has(SETATTR.MTIME_SET) ? mtime : 'now' }),
  };
  await fs.change(node, changes);
}

/** Extended attributes: there are none. */
async function xattrwalk<N>({ fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  reader.u32();
  const name = reader.string();
  end(reader);
  fids.get(number);
  throw new ShareError(name.length === 0 ? 'EOPNOTSUPP' : 'ENODATA');
}

/** The guest's kernel arbitrates between its processes before it asks; between guests nobody does. */
async function lock<N>({ fids }: Context<N>, reader: WireReader, reply: Reply): Promise<void> {
  const number = reader.u32();
  reader.bytes(1 + 4 + 8 + 8 + 4);
  reader.string();
  end(reader);
  fids.get(number);
  reply.u8(LOCK_SUCCESS);
}

async function getlock<N>({ fids }: Context<N>, reader: WireReader, reply: Reply): Promise<void> {
  const number = reader.u32();
  reader.u8();
  const start = reader.u64();
  const length = reader.u64();
  const process = reader.u32();
  const client = reader.string();
  end(reader);
  fids.get(number);
  reply.u8(UNLOCKED).u64(start).u64(length).u32(process).string(client);
}

async function unsupported(): Promise<void> {
  throw new ShareError('EOPNOTSUPP');
}
