/**
 * A disk of the command line that is made of an image in chunks and an overlay: `--image` and
 * `--overlay`. Relies on the storage layer for what survives; guarantees that the image is only read,
 * that one process at a time uses an overlay, and that a disk without an overlay leaves nothing
 * behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../machine/errors.ts';
import { type DiskChain, DiskStore } from '../storage/disk/disk-store.ts';
import type { OverlayDisk } from '../storage/disk/overlay-disk.ts';
import { StorageError } from '../storage/files.ts';
import { ChunkLibrary, type ChunkSource, ImageReader } from '../storage/image/chunks.ts';
import {
  chunkPath,
  type DiskImage,
  diskImageId,
  MANIFEST_MAX,
  parseDiskImage,
} from '../storage/image/manifest.ts';
import { NodeFolder } from './node-folder.ts';
import { readInput, reasonOf } from './repository.ts';

export interface OverlayArgument {
  /** Manifest of an image in chunks. */
  readonly image?: string | undefined;
  /** Folder that keeps what the guest writes; without one it is gone at the end. */
  readonly overlay?: string | undefined;
  /** Bytes of a disk without an image, when it is made. */
  readonly size?: number | undefined;
  /** True: the disk must be there; false: it must not. */
  readonly existing?: boolean;
}

export interface OpenedOverlay {
  readonly disk: OverlayDisk;
  /** Flushes, closes, and removes what is not to be kept. */
  close(): Promise<void>;
}

const DEFAULT_SIZE = 1024 ** 3;

export async function openOverlay(argument: OverlayArgument): Promise<OpenedOverlay> {
  const image = argument.image === undefined ? undefined : await loadDiskImage(argument.image);
  const scratch = argument.overlay === undefined ? mkdtempSync(join(tmpdir(), 'tabvisor-')) : '';
  try {
    const folder = new NodeFolder(argument.overlay ?? scratch);
    const lock = folder.lock();
    try {
      const reader = image && new ImageReader(image.image, image.source, new ChunkLibrary());
      const store = await DiskStore.open(folder, async ({ id, source }) => {
        if (reader && image?.chain.id === id) return reader;
        throw new UserError(
          `The overlay ${argument.overlay} belongs to the image ${source}. Give it with --image.`,
        );
      });
      const id = await diskIn(store, argument, image?.image.size, image?.chain);
      const disk = await store.openDisk(id);
      reader?.expectBoot();
      return {
        disk,
        async close() {
          try {
            await store.close(id);
          } finally {
            lock.release();
            if (scratch) rmSync(scratch, { recursive: true, force: true });
          }
        },
      };
    } catch (error) {
      lock.release();
      throw error;
    }
  } catch (error) {
    if (scratch) rmSync(scratch, { recursive: true, force: true });
    throw error instanceof StorageError ? new UserError(error.message) : error;
  }
}

/** The disk of an overlay folder: the one that is there, or a new one. */
async function diskIn(
  store: DiskStore,
  argument: OverlayArgument,
  imageSize: number | undefined,
  image: DiskChain['image'],
): Promise<string> {
  const [record] = await store.list();
  if (argument.existing === true && record === undefined) {
    throw new UserError(`There is no disk in ${argument.overlay}.`);
  }
  if (argument.existing === false && record !== undefined) {
    throw new UserError(`There is a disk in ${argument.overlay} already. Give another folder.`);
  }
  if (record === undefined) {
    const size = Math.max(argument.size ?? 0, imageSize ?? 0) || DEFAULT_SIZE;
    const made = await store.create({
      kind: 'persistent',
      size,
      ...(image === undefined ? {} : { image }),
    });
    return made.id;
  }
  if (image !== undefined && record.image?.id !== image.id) {
    throw new UserError(
      `The overlay ${argument.overlay} belongs to ${record.image ? 'another image' : 'no image'}, ` +
        `not to ${argument.image}. Give the image that it was made with, or another folder.`,
    );
  }
  if (argument.size !== undefined && argument.size !== record.size) {
    throw new UserError(
      `The overlay ${argument.overlay} is a disk of ${record.size} bytes already, not of ` +
        `${argument.size}. Leave the size out.`,
    );
  }
  return record.id;
}

export interface LoadedDiskImage {
  readonly image: DiskImage;
  readonly source: ChunkSource;
  readonly chain: NonNullable<DiskChain['image']>;
}

/** An image from its manifest; its chunks lie beside that. */
export async function loadDiskImage(path: string): Promise<LoadedDiskImage> {
  const image = await readManifest(path);
  return {
    image,
    source: new FileChunks(dirname(path)),
    chain: { id: await diskImageId(image), source: path.slice(0, 2000) },
  };
}

async function readManifest(path: string): Promise<DiskImage> {
  let bytes: Uint8Array = await readInput(path, 'The manifest');
  try {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      bytes = gunzipSync(bytes, { maxOutputLength: MANIFEST_MAX });
    }
    return parseDiskImage(new TextDecoder().decode(bytes), path);
  } catch (error) {
    if (error instanceof StorageError) throw new UserError(error.message);
    throw new UserError(`${path} is not the manifest of a disk image: it cannot be unpacked.`);
  }
}

/** Chunks in files below a folder. */
class FileChunks implements ChunkSource {
  constructor(private readonly folder: string) {}

  async get(sha256: string): Promise<Uint8Array<ArrayBuffer>> {
    const path = join(this.folder, chunkPath(sha256));
    try {
      return new Uint8Array(await readFile(path));
    } catch (error) {
      throw new StorageError('missing', `The chunk ${path} cannot be read: ${reasonOf(error)}.`);
    }
  }
}
