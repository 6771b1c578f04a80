/**
 * Disk images over HTTP for the storage worker: manifests are kept, so that a page without a network
 * goes on with the chunks that it has.
 */
import * as v from 'valibot';
import { Catalog } from '../../storage/catalog.ts';
import type { DiskChain } from '../../storage/disk/disk-store.ts';
import { StorageError, type StorageFolder } from '../../storage/files.ts';
import { sha256Hex } from '../../storage/hash.ts';
import {
  ChunkLibrary,
  type ChunkSource,
  FolderChunks,
  ImageReader,
} from '../../storage/image/chunks.ts';
import {
  chunkPath,
  type DiskImage,
  diskImageId,
  MANIFEST_MAX,
  parseDiskImage,
  Sha256Schema,
} from '../../storage/image/manifest.ts';

export class ImageLibrary {
  private constructor(
    private readonly manifests: Catalog,
    private readonly chunks: ChunkLibrary,
  ) {}

  static async open(folder: StorageFolder): Promise<ImageLibrary> {
    const cache = await folder.folder('image-cache');
    return new ImageLibrary(
      new Catalog(await folder.folder('images')),
      new ChunkLibrary(new FolderChunks(cache)),
    );
  }

  /**
   * Fetches a manifest and keeps it; returns what a disk has to know of the image. Without a network
   * it is the last one that was there.
   */
  async add(url: string): Promise<{ chain: NonNullable<DiskChain['image']>; size: number }> {
    const place = `at-${(await sha256Hex(new TextEncoder().encode(url))).slice(0, 32)}`;
    const text = await textOf(url).catch(async (error: unknown) => {
      const kept = v.safeParse(Sha256Schema, await this.manifests.read(place));
      const image = kept.success ? await this.manifests.read(kept.output) : undefined;
      if (image === undefined) throw error;
      return JSON.stringify(image);
    });
    const image = parseDiskImage(text, nameOf(url));
    const id = await diskImageId(image);
    if ((await this.manifests.read(id)) === undefined) await this.manifests.write(id, image);
    if ((await this.manifests.read(place)) !== id) await this.manifests.write(place, id);
    return { chain: { id, source: url }, size: image.size };
  }

  async find({ id, source }: NonNullable<DiskChain['image']>): Promise<ImageReader> {
    const reader = new ImageReader(
      await this.#manifest(id, source),
      new HttpChunks(source),
      this.chunks,
    );
    reader.expectBoot();
    return reader;
  }

  async #manifest(id: string, source: string): Promise<DiskImage> {
    const kept = await this.manifests.read(id);
    if (kept !== undefined) return parseDiskImage(JSON.stringify(kept), nameOf(source));
    const image = parseDiskImage(await textOf(source), nameOf(source));
    if ((await diskImageId(image)) === id) return image;
    throw new StorageError(
      'missing',
      `The disk image ${nameOf(source)} is another one now than the disk was made from.`,
    );
  }
}

class HttpChunks implements ChunkSource {
  constructor(private readonly manifest: string) {}

  async get(sha256: string, size: number): Promise<Uint8Array<ArrayBuffer>> {
    const url = new URL(chunkPath(sha256), this.manifest);
    const bytes = new Uint8Array(await (await fetched(url.href)).arrayBuffer());
    if (bytes.length === size) return bytes;
    throw new StorageError('damaged', `${nameOf(url.href)} has a wrong length.`);
  }
}

async function textOf(url: string): Promise<string> {
  const text = await (await fetched(url)).text();
  if (text.length <= MANIFEST_MAX) return text;
  throw new StorageError('damaged', `${nameOf(url)} is too large to be a manifest.`);
}

async function fetched(url: string): Promise<Response> {
  const response = await fetch(url).catch(() => {
    throw new StorageError(
      'missing',
      `${nameOf(url)} could not be downloaded: the network or the server is away.`,
    );
  });
  if (response.ok) return response;
  throw new StorageError(
    'missing',
    `${nameOf(url)} could not be downloaded: the server answered ${response.status}.`,
  );
}

function nameOf(url: string): string {
  return url.split('/').slice(-2).join('/').slice(0, 100);
}
