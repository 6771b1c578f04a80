/**
 * .tabvm files of the command line: `run --save` writes one, `run --snapshot` goes on from one.
 * Relies on the storage layer for the format; guarantees that a file that cannot be used is refused
 * with a sentence, that a file appears whole or not at all, and that what a guest writes to a disk
 * of a file does not change the file.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { BlockBackend } from '../machine/devices/virtio/block-backend.ts';
import type { ShareBackend } from '../machine/devices/virtio/share-backend.ts';
import { UserError } from '../machine/errors.ts';
import { isElf } from '../machine/loader/elf.ts';
import type { BootConfig, Machine } from '../machine/machine.ts';
import { type Setup, setupOf } from '../machine/snapshot/setup.ts';
import type { MachineImage, PageRun, SnapshotSource } from '../machine/snapshot/snapshot.ts';
import { StateError } from '../machine/state.ts';
import { DiskStore } from '../storage/disk/disk-store.ts';
import { StorageError } from '../storage/files.ts';
import { MemoryFs } from '../storage/ninep/memory-fs.ts';
import { thaw } from '../storage/ninep/memory-image.ts';
import { localShare } from '../storage/ninep/share.ts';
import { stateCodec } from '../storage/snapshots/codec.ts';
import { exportTabvm } from '../storage/tabvm/export.ts';
import { TabvmFile } from '../storage/tabvm/file.ts';
import { NodeFolder } from './node-folder.ts';
import { reasonOf } from './repository.ts';

export interface OpenTabvm {
  readonly file: TabvmFile;
  readonly source: SnapshotSource;
  readonly setup: Setup;
  close(): Promise<void>;
}

/** Opens a file and checks all but the contents of RAM and disks. */
export async function openTabvm(path: string): Promise<OpenTabvm> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new UserError(`The snapshot ${path} cannot be read: ${reasonOf(error)}.`);
  });
  try {
    const { size } = await handle.stat();
    const access = {
      size: () => size,
      async read(offset: number, into: Uint8Array): Promise<number> {
        let done = 0;
        while (done < into.length) {
          const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return done;
      },
    };
    const file = await TabvmFile.open(access, stateCodec);
    const source = await file.source();
    const setup = setupOf(source.image.state);
    return { file, source, setup, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw unusable(path, error);
  }
}

/** What is wrong with a file, in a sentence that names it. */
export function unusable(path: string, error: unknown): unknown {
  if (!(error instanceof StorageError || error instanceof StateError)) return error;
  return new UserError(`The snapshot ${path} cannot be used: ${error.message}`);
}

/** What the machine of a file boots at a reset. */
export async function bootOf({ file, setup }: OpenTabvm): Promise<BootConfig> {
  const [kernel, initrd] = await Promise.all([file.kernel(), file.initrd()]);
  if (!kernel) throw new UserError('The snapshot holds no program: it needs a template.');
  if (setup.htif || isElf(kernel)) return { kind: 'elf', elf: kernel };
  return { kind: 'linux', kernel, ...(initrd && { initrd }), append: file.head.append };
}

/** The disks of a file, for a guest to write to: what it writes is gone at the end. */
export async function disksOf({ file, setup }: OpenTabvm) {
  if (file.head.disks.length !== setup.disks.length) {
    throw new UserError('The snapshot has not got the disks that its machine had.');
  }
  if (setup.disks.length === 0) return { disks: [], close: async () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'tabvisor-'));
  const close = async () => rmSync(folder, { recursive: true, force: true });
  try {
    const ids = file.head.disks.map((_, i) =>
      createHash('sha256').update(`${file.head.token} ${i}`).digest('hex'),
    );
    const store = await DiskStore.open(new NodeFolder(folder), async ({ id }) =>
      file.disk(ids.indexOf(id)),
    );
    const disks: BlockBackend[] = [];
    for (const [i, id] of ids.entries()) {
      const image = { id, source: 'snapshot' };
      const made = await store.create({ kind: 'scratch', size: file.head.disks[i]!.size, image });
      disks.push(await store.openDisk(made.id));
    }
    return { disks, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The shared folders of a file, in memory: what the guest changes in them is gone at the end. */
export async function sharesOf(
  { file, setup }: OpenTabvm,
  onError: (reason: string) => void,
): Promise<ShareBackend[]> {
  const held = await file.share();
  return setup.shares.map((tag, i) => {
    const fs = new MemoryFs();
    if (i === 0 && held) thaw(fs, held);
    return localShare(tag, fs, onError);
  });
}

export interface SaveOptions {
  readonly path: string;
  readonly boot: BootConfig;
  readonly template: string;
  readonly disks: readonly BlockBackend[];
}

/** Writes a machine that runs to a file, and leaves it paused. */
export async function saveTabvm(machine: Machine, options: SaveOptions): Promise<void> {
  const { path, boot, template, disks } = options;
  if (boot.kind === 'firmware') {
    throw new UserError('A machine with firmware of its own cannot be saved in a file.');
  }
  // Nothing changes while it stands still: neither RAM nor disks.
  if (machine.state.kind === 'running') machine.pause();
  const source = await captured(machine);
  const stream = exportTabvm({
    head: {
      name: basename(path)
        .replace(/\.tabvm$/, '')
        .slice(0, 200),
      note: '',
      template,
      append: boot.kind === 'linux' ? boot.append : '',
      time: Date.now(),
      thumbnail: '',
    },
    source,
    codec: stateCodec,
    kernel: boot.kind === 'linux' ? boot.kernel : boot.elf,
    initrd: boot.kind === 'linux' ? boot.initrd : undefined,
    disks,
  });
  const part = `${path}.part`;
  try {
    const handle = await open(part, 'w');
    try {
      for await (const bytes of stream) await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw new UserError(`The snapshot ${path} cannot be written: ${reasonOf(error)}.`);
  }
}

/** A machine that stands still, as a source: pages in order. */
async function captured(machine: Machine): Promise<SnapshotSource> {
  const runs: PageRun[] = [];
  let image: MachineImage | undefined;
  await machine.capture({
    begin: (given) => {
      image = given;
    },
    pages: (run) => void runs.push(run),
    end: () => Promise.resolve(),
    abort: () => {},
  });
  if (!image) throw new Error('The capture gave no image.');
  return {
    image,
    async *pages() {
      yield* runs;
    },
  };
}
