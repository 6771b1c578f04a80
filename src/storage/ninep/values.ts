/** What the fields of 9P2000.L's messages hold, read with the bounds that a guest may not pass. */
import {
  OPEN,
  type WireReader,
  type WireWriter,
} from '../../machine/devices/virtio/nine-p-wire.ts';
import type { Fid, Fids } from './fids.ts';
import { type Access, type Qid, ShareError, type ShareFileSystem } from './file-system.ts';

/** What a message is about. */
export interface Context<N> {
  readonly fs: ShareFileSystem<N>;
  readonly fids: Fids<N>;
  readonly msize: number;
}

export type Reply = WireWriter;

export const NAME_MAX = 255;
const QID_TYPE = { file: 0, folder: 0x80, link: 0x02 } as const;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A message has no bytes behind its fields. */
export function end(reader: WireReader): void {
  if (reader.remaining > 0) throw new ShareError('EPROTO');
}

/** A name within a folder: nothing that could lead anywhere else. */
export function nameOf(bytes: Uint8Array): string {
  if (bytes.length > NAME_MAX) throw new ShareError('ENAMETOOLONG');
  const name = decode(bytes);
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new ShareError('EINVAL');
  }
  return name;
}

export function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ShareError('EILSEQ');
  }
}

export function offsetOf(reader: WireReader): number {
  const offset = reader.u64();
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new ShareError('EFBIG');
  return Number(offset);
}

/** Milliseconds of seconds and nanoseconds. */
export function timeOf(reader: WireReader): number {
  const seconds = Number(BigInt.asIntN(64, reader.u64()));
  return seconds * 1000 + Math.min(Number(reader.u64()), 999_999_999) / 1e6;
}

export function putTime(reply: WireWriter, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6));
  reply.u64(BigInt.asUintN(64, BigInt(seconds))).u64(nanoseconds);
}

export function putQid(reply: WireWriter, { kind, version, path }: Qid): WireWriter {
  return reply
    .u8(QID_TYPE[kind])
    .u32(version >>> 0)
    .u64(path);
}

export function accessOf(flags: number): Access {
  const access = flags & OPEN.ACCESS;
  if (access === OPEN.RDWR) return 'both';
  return access === OPEN.WRONLY ? 'write' : 'read';
}

export function openFile<N>(fid: Fid<N>) {
  if (fid.entries) throw new ShareError('EISDIR');
  if (!fid.file) throw new ShareError('EBADF');
  return fid.file;
}

export function writable<N>(fs: ShareFileSystem<N>): void {
  if (fs.readOnly) throw new ShareError('EROFS');
}
