/** The messages that make, move and remove names in folders. */
import type { WireReader } from '../../machine/devices/virtio/nine-p-wire.ts';
import { type NewNode, ShareError } from './file-system.ts';
import { type Context, decode, end, nameOf, putQid, type Reply, writable } from './values.ts';

const TARGET_MAX = 4095;
const AT_REMOVEDIR = 0x200;

const encoder = new TextEncoder();

export async function mkdir<N>(
  { fs, fids }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  const bytes = reader.string();
  const how: NewNode = { mode: reader.u32() & 0o7777, uid: 0, gid: reader.u32() };
  end(reader);
  const { node } = fids.get(number);
  writable(fs);
  putQid(reply, await fs.qid(await fs.makeFolder(node, nameOf(bytes), how)));
}

export async function symlink<N>(
  { fs, fids }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  const bytes = reader.string();
  const target = reader.string();
  const how: NewNode = { mode: 0o777, uid: 0, gid: reader.u32() };
  end(reader);
  const { node } = fids.get(number);
  writable(fs);
  if (target.length === 0 || target.includes(0)) throw new ShareError('EINVAL');
  if (target.length > TARGET_MAX) throw new ShareError('ENAMETOOLONG');
  putQid(reply, await fs.qid(await fs.makeLink(node, nameOf(bytes), decode(target), how)));
}

/** Devices, pipes and sockets have no place in a shared folder. */
export async function mknod<N>({ fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  reader.string();
  reader.bytes(16);
  end(reader);
  fids.get(number);
  throw new ShareError('EPERM');
}

export async function readlink<N>(
  { fs, fids }: Context<N>,
  reader: WireReader,
  reply: Reply,
): Promise<void> {
  const number = reader.u32();
  end(reader);
  reply.string(encoder.encode(await fs.readLink(fids.get(number).node)));
}

export async function link<N>({ fs, fids }: Context<N>, reader: WireReader): Promise<void> {
  const folder = reader.u32();
  const file = reader.u32();
  const bytes = reader.string();
  end(reader);
  const into = fids.get(folder).node;
  writable(fs);
  await fs.addName(into, nameOf(bytes), fids.get(file).node);
}

export async function rename<N>({ fs, fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  const folder = reader.u32();
  const bytes = reader.string();
  end(reader);
  writable(fs);
  const place = fs.place(fids.get(number).node);
  if (!place) throw new ShareError('ENOENT');
  await fs.rename(place.folder, place.name, fids.get(folder).node, nameOf(bytes));
}

export async function renameat<N>({ fs, fids }: Context<N>, reader: WireReader): Promise<void> {
  const from = reader.u32();
  const name = reader.string();
  const to = reader.u32();
  const newName = reader.string();
  end(reader);
  writable(fs);
  await fs.rename(fids.get(from).node, nameOf(name), fids.get(to).node, nameOf(newName));
}

export async function unlinkat<N>({ fs, fids }: Context<N>, reader: WireReader): Promise<void> {
  const number = reader.u32();
  const bytes = reader.string();
  const flags = reader.u32();
  end(reader);
  writable(fs);
  const what = (flags & AT_REMOVEDIR) !== 0 ? 'folder' : 'other';
  await fs.remove(fids.get(number).node, nameOf(bytes), what);
}
