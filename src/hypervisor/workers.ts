/**
 * Workers that are ready to boot a machine: the isolated frame is there, the core compiled. One can be
 * made before anybody asks for it, for the frame takes a browser a good part of a second.
 */
import { Connection } from './connection.ts';
import type { WorkerAssets } from './worker-assets.ts';

export class Workers {
  private spare: Promise<Connection> | undefined;

  constructor(private readonly assets: WorkerAssets) {}

  /** Makes one ahead of time. */
  warm(): void {
    if (this.spare !== undefined) return;
    this.spare = this.make('Virtual machine');
    // Whoever takes it makes another one.
    this.spare.catch(() => {});
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
    const source = await this.assets.worker();
    const connection = await Connection.open(source.slice(0), name);
    opened?.(connection);
    try {
      const [core, translations] = await Promise.all([
        this.assets.core(connection.sharedMemory),
        this.assets.translations(connection.sharedMemory),
      ]);
      await connection.prepare(core.slice(0), translations?.slice(0));
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }
}
