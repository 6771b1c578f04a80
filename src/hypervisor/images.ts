/**
 * Guest images on the page's side: downloaded compressed with progress, verified against the manifest, kept in the Cache API for the next visit and for offline use. Relies on a folder of
 * images below the page; guarantees that nothing unverified is handed out.
 */
import {
  type ImageFile,
  type Manifest,
  parseCatalogue,
  parseManifest,
  type Template,
} from '../machine/manifest.ts';
import type { PackedImage } from '../worker/protocol.ts';

/** The cache of downloaded images. */
export const CACHE_NAME = 'tabvisor-images-1';
/** Images are kept this long for the next VM of the same template, in milliseconds. */
const KEEP_MS = 60_000;
/** Descriptions are taken as they are for so long: one start, and not the next after new images. */
const DESCRIPTION_MS = 5000;

export type Progress = (loaded: number, total: number) => void;

export interface LoadedImages {
  manifest: Manifest;
  kernel: PackedImage;
  initrd?: PackedImage;
}

interface Load {
  promise: Promise<LoadedImages>;
  listeners: Set<Progress>;
  loaded: number;
  total: number;
}

export class ImageStore {
  private readonly loads = new Map<string, Load>();
  /** By address: a start asks for its template's in several places. */
  private readonly manifests = new Map<string, Promise<Manifest>>();
  private readonly lists = new Map<string, Promise<Template[]>>();
  /** Opened at once: it takes a while, and what needs it comes soon. */
  private readonly cache = openCache();

  constructor(private readonly folder: URL) {}

  /** The templates that there are. `anew`: more may have been made since somebody asked. */
  templates(anew = false): Promise<Template[]> {
    const url = new URL('index.json', this.folder);
    if (anew) this.lists.clear();
    return briefly(this.lists, url.href, async () => {
      const { templates } = await this.described(url, parseCatalogue);
      return templates;
    });
  }

  manifest(template: Template): Promise<Manifest> {
    const url = this.manifestUrl(template);
    return briefly(this.manifests, url.href, () => this.described(url, parseManifest));
  }

  /** What a manifest names is relative to it. */
  manifestUrl(template: Template): URL {
    return new URL(template.manifest, this.folder);
  }

  /**
   * The images of a template. Several VMs that start together share one download; the buffers are
   * shared as well, so hand copies to whoever takes them over.
   */
  async load(template: Template, progress: Progress): Promise<LoadedImages> {
    let load = this.loads.get(template.name);
    if (load === undefined) {
      load = this.startLoad(template);
      this.loads.set(template.name, load);
    }
    load.listeners.add(progress);
    if (load.total > 0) progress(load.loaded, load.total);
    try {
      return await load.promise;
    } finally {
      load.listeners.delete(progress);
    }
  }

  private startLoad(template: Template): Load {
    const load: Load = {
      promise: Promise.resolve(null as never),
      listeners: new Set(),
      loaded: 0,
      total: 0,
    };
    load.promise = this.fetchImages(template, (loaded, total) => {
      load.loaded = loaded;
      load.total = total;
      for (const listener of load.listeners) listener(loaded, total);
    });
    const forget = () => {
      if (this.loads.get(template.name) === load) this.loads.delete(template.name);
    };
    load.promise.then(
      () => setTimeout(forget, KEEP_MS),
      () => {
        forget();
        // What did not match it may match a newer one.
        this.manifests.delete(this.manifestUrl(template).href);
      },
    );
    return load;
  }

  private async fetchImages(template: Template, progress: Progress): Promise<LoadedImages> {
    const manifest = await this.manifest(template);
    const base = new URL(template.manifest, this.folder);
    const files = manifest.initrd ? [manifest.kernel, manifest.initrd] : [manifest.kernel];
    const sizes = files.map((file) => file.gz?.size ?? file.size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const loaded = files.map(() => 0);
    progress(0, total);
    const [kernel, initrd] = await Promise.all(
      files.map((file, index) =>
        this.file(base, file, (bytes) => {
          loaded[index] = Math.min(bytes, sizes[index] ?? 0);
          progress(
            loaded.reduce((sum, size) => sum + size, 0),
            total,
          );
        }),
      ),
    );
    if (kernel === undefined) throw new Error('The template names no kernel.');
    return initrd === undefined ? { manifest, kernel } : { manifest, kernel, initrd };
  }

  /** A file that a manifest names, verified: from the cache, or downloaded and kept there. */
  async file(
    base: URL,
    file: ImageFile,
    progress: (bytes: number) => void = () => {},
  ): Promise<PackedImage> {
    const wire = file.gz ?? file;
    const url = new URL(wire.file, base);
    // The hash in the key: a newer image is never mistaken for an older one.
    const key = `${url.href}?sha256=${wire.sha256}`;
    const cache = await this.cache;
    const cached = await cache?.match(key);
    if (cached !== undefined) {
      const image = await verified(await cached.arrayBuffer(), file).catch(() => undefined);
      if (image !== undefined) {
        progress(wire.size);
        return image;
      }
      await cache?.delete(key);
    }
    const bytes = await download(url, wire.size, file.size, progress);
    const image = await verified(bytes, file);
    // Neither a full disk nor a slow one must keep the VM from starting.
    cache
      ?.put(key, new Response(bytes, { headers: { 'Content-Type': 'application/octet-stream' } }))
      .catch(() => {});
    return image;
  }

  /** Small descriptions: from the network when it is there, otherwise the last that was seen. */
  private async described<T>(url: URL, parse: (text: string, name: string) => T): Promise<T> {
    const cache = await this.cache;
    const response = await fetchOrThrow(url).catch(async (error: unknown) => {
      const cached = await cache?.match(url.href);
      if (cached === undefined) throw error;
      return cached;
    });
    const copy = response.clone();
    const description = parse(await response.text(), nameOf(url));
    cache?.put(url.href, copy).catch(() => {});
    return description;
  }

  /** Removes all that was kept for the next time. */
  async forget(): Promise<void> {
    await caches.delete(CACHE_NAME);
  }
}

/** What is there already, or is being made; what failed is made anew. */
function briefly<T>(
  kept: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  let made = kept.get(key);
  if (made === undefined) {
    made = make();
    kept.set(key, made);
    const forget = () => kept.delete(key);
    made.then(() => setTimeout(forget, DESCRIPTION_MS), forget);
  }
  return made;
}

function nameOf(url: URL): string {
  return url.pathname.split('/').slice(-2).join('/');
}

/** The Cache API is missing in insecure contexts, and may be forbidden. */
async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE_NAME);
  } catch {
    return undefined;
  }
}

async function fetchOrThrow(url: URL): Promise<Response> {
  const response = await fetch(url, { cache: 'no-cache' }).catch(() => {
    throw new Error(`${nameOf(url)} could not be downloaded: the network or the server is away.`);
  });
  if (!response.ok) {
    throw new Error(
      `${nameOf(url)} could not be downloaded: the server answered ${response.status} ${response.statusText}.`,
    );
  }
  return response;
}

/** Reads a body with progress; refuses to hold more than the manifest promised. */
async function download(
  url: URL,
  wireSize: number,
  unpackedSize: number,
  progress: (bytes: number) => void,
): Promise<ArrayBuffer> {
  const response = await fetchOrThrow(url);
  // A server may undo the compression by itself (Content-Encoding), hence the second limit.
  const limit = Math.max(wireSize, unpackedSize);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error(`${nameOf(url)} came without content.`);
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Error(`The download of ${nameOf(url)} broke off after ${received} bytes.`);
    });
    if (done) break;
    received += value.length;
    if (received > limit) {
      await reader.cancel();
      throw new Error(`${nameOf(url)} is larger than its manifest says.`);
    }
    chunks.push(value);
    progress(received);
  }
  return concatenate(chunks, received);
}

/** The file that `bytes` are, as the manifest has it: compressed, or undone by the server itself. */
async function verified(bytes: ArrayBuffer, file: ImageFile): Promise<PackedImage> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const name = (file.gz ?? file).file;
  const size = file.size;
  if (file.gz?.sha256 === sha256) return { name, bytes, packed: true, size };
  if (file.sha256 === sha256) return { name, bytes, packed: false, size };
  throw new Error(
    `${name} does not match its manifest: the server sent something else. Try again, or build the images anew.`,
  );
}

function concatenate(chunks: readonly Uint8Array[], size: number): ArrayBuffer {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole.buffer;
}
