/**
 * Workers that are ready to boot a machine: the isolated frame is there, the core compiled. One can be
 * made before anybody asks for it, for the frame takes a browser a good part of a second.
 */
import { Connection } from './connection.ts';
import { sharedMemoryAvailable } from './features.ts';
import type { WorkerAssets } from './worker-assets.ts';

export class Workers {
  private spare: Promise<Connection> | undefined;

  constructor(private readonly assets: WorkerAssets) {}

  /** Makes one ahead of time. Resolves when it runs and gets ready, or cannot. */
  warm(): Promise<void> {
    return new Promise((resolve) => {
      this.spare ??= this.make('Virtual machine', () => resolve());
      // Whoever takes one that failed makes another.
      this.spare.then(
        () => resolve(),
        () => resolve(),
      );
    });
  }

  /** A worker of one's own. `opened` is told of it as soon as it exists. Close it when it is done. */
  async take(name: string, opened: (connection: Connection) => void): Promise<Connection> {
    const { spare } = this;
    this.spare = undefined;
    const made = await spare?.catch(() => undefined);
    if (!made?.usable) return this.make(name, opened);
    opened(made);
    return made;
  }

  private async make(name: string, opened?: (connection: Connection) => void): Promise<Connection> {
    // All at once: whether memory will be shared is known for sure only when the worker is there.
    for (const asset of ['core', 'translations'] as const) {
      this.assets[asset](sharedMemoryAvailable()).catch(() => {});
    }
    const source = await this.assets.worker();
    const connection = await Connection.open(source.slice(0), name);
    opened?.(connection);
    try {
      const shared = connection.sharedMemory;
      void this.assets.translations(shared).then((library) => {
        if (library) connection.translations({ ...library, bytes: library.bytes.slice(0) });
      });
      const core = await this.assets.core(shared);
      await connection.prepare(core.slice(0));
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }
}
