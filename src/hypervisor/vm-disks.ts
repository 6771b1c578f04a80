/**
 * The disks of storage that one VM has: opened for a power-on, closed when it ends. Relies on the
 * broker to flush what is closed; guarantees that a disk is not opened again before that is done.
 */
import type { PortDiskConfig } from '../worker/port-disk.ts';
import type { DiskRequest } from './storage/api.ts';
import type { Storage } from './storage/client.ts';
import type { DiskServiceEvents } from './storage/disk-service.ts';

export class VmDisks {
  /** Ids of the disks that are open, or about to be. */
  #opened: string[] = [];
  /** Disks of a former power-on are being flushed. */
  #closing: Promise<void> = Promise.resolve();

  constructor(
    private readonly storage: Storage,
    private readonly failed: (message: string) => void,
  ) {}

  /** In the machine's order. */
  get ids(): readonly string[] {
    return this.#opened;
  }

  /** Resolves when none is open any more. */
  get closed(): Promise<void> {
    return this.#closing;
  }

  /** Opens disks for the power-on for which `current` holds. */
  async open(
    requests: readonly DiskRequest[],
    events: DiskServiceEvents,
    current: () => boolean,
  ): Promise<PortDiskConfig[]> {
    await this.#closing;
    const opened: PortDiskConfig[] = [];
    for (const request of requests) {
      if (!current()) break;
      this.#opened.push(request.id);
      opened.push(await this.storage.openDisk(request, events));
    }
    // The VM ended meanwhile: nobody else would close them.
    if (!current()) this.close();
    return opened;
  }

  close(): void {
    const ids = this.#opened.splice(0);
    if (ids.length === 0) return;
    const former = this.#closing;
    const close = async () => {
      await former;
      const api = await this.storage.api();
      await Promise.all(ids.map((id) => api.closeDisk(id)));
    };
    this.#closing = close().catch((error: unknown) => {
      this.failed(error instanceof Error ? error.message : String(error));
    });
  }
}
