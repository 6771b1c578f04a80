/**
 * What every VM's worker is made of: its one bundled script, the CPU core's two builds, and the
 * translations that go with them. The
 * worker itself can fetch nothing, so the page fetches once and hands each VM a copy.
 */
import type { PackedImage } from '../worker/protocol.ts';

const GZIP_MAGIC = 0x1f8b;

export interface WorkerAssetUrls {
  worker: string;
  core: string;
  coreShared: string;
  /** Translations made ahead of time, compressed by gzip; a build may have none. */
  translations?: string;
  translationsShared?: string;
}

export class WorkerAssets {
  private readonly loaded = new Map<string, Promise<ArrayBuffer>>();

  constructor(private readonly urls: WorkerAssetUrls) {}

  worker(): Promise<ArrayBuffer> {
    return this.load(this.urls.worker, 'The program of the virtual machines');
  }

  core(shared: boolean): Promise<ArrayBuffer> {
    return this.load(shared ? this.urls.coreShared : this.urls.core, 'The CPU core');
  }

  /** Undefined where there are none, or none can be had: they only save time. */
  async translations(shared: boolean): Promise<PackedImage | undefined> {
    const url = shared ? this.urls.translationsShared : this.urls.translations;
    if (url === undefined) return undefined;
    return this.load(url, 'What was translated ahead of time')
      .then(described)
      .catch(() => undefined);
  }

  private load(url: string, what: string): Promise<ArrayBuffer> {
    let load = this.loaded.get(url);
    if (load === undefined) {
      load = fetchWhole(url, what);
      this.loaded.set(url, load);
      // A failure is not remembered: the next start tries again.
      load.catch(() => this.loaded.delete(url));
    }
    return load;
  }
}

/** For the worker to unpack; a server may have undone the compression by itself. */
function described(bytes: ArrayBuffer): PackedImage {
  const view = new DataView(bytes);
  const packed = bytes.byteLength > 18 && view.getUint16(0) === GZIP_MAGIC;
  // A gzip file ends with the size of what is in it (RFC 1952 §2.3.1).
  const size = packed ? view.getUint32(bytes.byteLength - 4, true) : bytes.byteLength;
  return { name: 'What was translated ahead of time', bytes, packed, size };
}

async function fetchWhole(url: string, what: string): Promise<ArrayBuffer> {
  const response = await fetch(url).catch(() => {
    throw new Error(`${what} could not be downloaded: the network or the server is away.`);
  });
  if (!response.ok) {
    throw new Error(`${what} could not be downloaded: the server answered ${response.status}.`);
  }
  return response.arrayBuffer();
}
