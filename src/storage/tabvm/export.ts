/**
 * Writes a .tabvm file: a snapshot, its disks and its kernel in one stream of blocks. Relies on the
 * source for pages that are checked; guarantees that the memory that it needs does not grow with
 * the snapshot, and that zeroes cost nothing.
 */
import type { SnapshotSource } from '../../machine/snapshot/snapshot.ts';
import { isZero, sha256 } from '../hash.ts';
import { PAGE, type StateCodec } from '../snapshots/record.ts';
import { BLOCK_HEADER, BLOCK_MAX, encodeBlock, MAGIC, Part } from './blocks.ts';
import type { TabvmHead } from './head.ts';

/** A disk to export. */
export interface ReadableDisk {
  readonly size: number;
  read(offset: number, into: Uint8Array): void | Promise<void>;
  /** Whether a range is known to be zeroes without being read. */
  isBlank?(offset: number, length: number): boolean;
}

export interface TabvmContents {
  readonly head: Omit<
    TabvmHead,
    'format' | 'memory' | 'token' | 'state' | 'kernel' | 'initrd' | 'share' | 'disks'
  >;
  readonly source: SnapshotSource;
  readonly codec: StateCodec;
  readonly kernel?: Uint8Array | undefined;
  readonly initrd?: Uint8Array | undefined;
  readonly share?: Uint8Array | undefined;
  readonly disks: readonly ReadableDisk[];
  /** Bytes of RAM and disks that have been looked at, of all. */
  readonly progress?: (done: number, total: number) => void;
}

export async function* exportTabvm(
  contents: TabvmContents,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const { source, kernel, initrd, share, disks, progress } = contents;
  const { memory, token } = source.image;
  const state = contents.codec.encode(source.image.state);
  const head: TabvmHead = {
    ...contents.head,
    format: 1,
    memory,
    token,
    state: state.length,
    kernel: kernel?.length ?? 0,
    initrd: initrd?.length ?? 0,
    ...(share === undefined ? {} : { share: share.length }),
    disks: disks.map(({ size }) => ({ size })),
  };
  const total = disks.reduce((sum, { size }) => sum + size, memory);
  let done = 0;
  const headers: Uint8Array[] = [];
  const block = async (part: number, offset: number, bytes: Uint8Array<ArrayBuffer>) => {
    const encoded = await encodeBlock(part, offset, bytes);
    headers.push(encoded.slice(0, BLOCK_HEADER));
    return encoded;
  };

  yield MAGIC.slice();
  yield await block(Part.HEAD, 0, new TextEncoder().encode(JSON.stringify(head)));
  for (const [part, bytes] of [
    [Part.STATE, state],
    [Part.KERNEL, kernel],
    [Part.INITRD, initrd],
    [Part.SHARE, share],
  ] as const) {
    for (let at = 0; bytes && at < bytes.length; at += BLOCK_MAX) {
      yield await block(part, at, bytes.slice(at, at + BLOCK_MAX));
    }
  }
  for await (const { first, bytes } of source.pages()) {
    for (let at = 0; at < bytes.length; at += BLOCK_MAX) {
      yield await block(Part.RAM, first * PAGE + at, bytes.slice(at, at + BLOCK_MAX));
    }
    progress?.(first * PAGE + bytes.length, total);
  }
  done = memory;
  for (const [i, disk] of disks.entries()) {
    for (let at = 0; at < disk.size; at += BLOCK_MAX) {
      const length = Math.min(BLOCK_MAX, disk.size - at);
      done += length;
      if (disk.isBlank?.(at, length)) continue;
      const bytes = new Uint8Array(length);
      await disk.read(at, bytes);
      if (!isZero(bytes)) yield await block(Part.DISK + i, at, bytes);
      progress?.(done, total);
    }
  }
  yield await encodeBlock(Part.END, 0, await digestOf(headers));
  progress?.(total, total);
}

/** One digest over all blocks, by their headers, which have each block's own. */
export async function digestOf(headers: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(headers.length * BLOCK_HEADER);
  for (const [i, header] of headers.entries()) all.set(header, i * BLOCK_HEADER);
  return sha256(all);
}
