/**
 * What every VM's worker is made of: its one bundled script and the CPU core's two builds. The
 * worker itself can fetch nothing, so the page fetches once and hands each VM a copy.
 */
export interface WorkerAssetUrls {
  worker: string;
  core: string;
  coreShared: string;
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

async function fetchWhole(url: string, what: string): Promise<ArrayBuffer> {
  const response = await fetch(url).catch(() => {
    throw new Error(`${what} could not be downloaded: the network or the server is away.`);
  });
  if (!response.ok) {
    throw new Error(`${what} could not be downloaded: the server answered ${response.status}.`);
  }
  return response.arrayBuffer();
}
