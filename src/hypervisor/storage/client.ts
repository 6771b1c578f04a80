/**
 * The page's side of storage: starts the storage worker when it is first needed, and copies whole
 * disks in and out as streams. Nothing here holds more of a disk in memory than a piece.
 */
import * as Comlink from 'comlink';
import type { PortDiskConfig } from '../../worker/port-disk.ts';
import type { CopyProgress, DiskRequest, StorageApi } from './api.ts';
import type { DiskServiceEvents } from './disk-service.ts';
import { FOLDER } from './folder.ts';

/** Bytes of one piece of a copy. */
const PIECE = 1 << 20;

export class Storage {
  #api: Promise<StorageApi> | undefined;

  constructor(private readonly start: () => Worker = startWorker) {}

  /** The storage; rejects with a sentence where there is none, or another tab has it. */
  api(): Promise<StorageApi> {
    this.#api ??= this.#open();
    this.#api.catch(() => {
      this.#api = undefined;
    });
    return this.#api;
  }

  /** Asks the browser not to clear this page's storage by itself; whether it agreed. */
  async persist(): Promise<boolean> {
    return (await navigator.storage?.persist?.()) ?? false;
  }

  /** Opens a disk for one VM; returns what its worker has to know of it. */
  async openDisk(request: DiskRequest, events: DiskServiceEvents): Promise<PortDiskConfig> {
    const api = await this.api();
    const { port1, port2 } = new MessageChannel();
    const { size } = await api.openDisk(
      request,
      Comlink.transfer(port1, [port1]),
      Comlink.proxy((message: string) => events.trouble(message)),
      Comlink.proxy((what: string) => events.violation(what)),
    );
    return { port: port2, id: request.id.slice(0, 20), size, readOnly: false };
  }

  /** The raw image of a disk that no VM uses. Cancelling it is allowed at any time. */
  async exportRaw(
    id: string,
    progress: CopyProgress = () => {},
    signal?: AbortSignal,
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const api = await this.api();
    const disk = (await api.disks()).find((one) => one.id === id);
    if (disk === undefined) throw new Error('There is no such disk.');
    if (disk.inUse) throw new Error('The disk is in use: power its VM off to export it.');
    let at = 0;
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const length = Math.min(PIECE, disk.size - at);
          const reading = signal?.aborted
            ? Promise.reject(signal.reason)
            : api.readDisk(id, at, length);
          const piece = await reading.catch(async (error: unknown) => {
            await api.finishDisk(id);
            throw error;
          });
          controller.enqueue(piece === null ? new Uint8Array(length) : new Uint8Array(piece));
          at += length;
          progress(at, disk.size);
          if (at < disk.size) return;
          await api.finishDisk(id);
          controller.close();
        },
        cancel: () => api.finishDisk(id),
      },
      { highWaterMark: 1 },
    );
  }

  /** Makes a persistent disk of a raw image; zeroes take no space. A failure leaves no disk behind. */
  async importRaw(
    id: string,
    image: Blob,
    progress: CopyProgress = () => {},
    signal?: AbortSignal,
  ): Promise<void> {
    if (image.size === 0) throw new Error('The file is empty: it is no disk image.');
    const api = await this.api();
    if ((await api.disks()).some((disk) => disk.id === id)) {
      throw new Error('There is such a disk already.');
    }
    const size = Math.ceil(image.size / 512) * 512;
    await api.createDisk({ id, kind: 'persistent', size });
    try {
      for (let at = 0; at < image.size; at += PIECE) {
        signal?.throwIfAborted();
        const part = new Uint8Array(await image.slice(at, at + PIECE).arrayBuffer());
        if (part.some((byte) => byte !== 0)) {
          const piece = new Uint8Array(Math.ceil(part.length / 512) * 512);
          piece.set(part);
          await api.writeDisk(id, at, Comlink.transfer(piece.buffer, [piece.buffer]));
        }
        progress(Math.min(at + PIECE, image.size), image.size);
      }
      await api.finishDisk(id);
    } catch (error) {
      await api.finishDisk(id).catch(() => {});
      await api.removeDisk(id).catch(() => {});
      throw error;
    }
  }

  async #open(): Promise<StorageApi> {
    const worker = this.start();
    const entry = Comlink.wrap<{ ready(): Promise<StorageApi> }>(worker);
    const failed = new Promise<never>((_, reject) => {
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        reject(new Error(`The storage could not be started: ${event.message || 'it failed'}.`));
      });
    });
    try {
      return await Promise.race([entry.ready(), failed]);
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }
}

/** Whether anything was ever stored here: a look that starts no worker. */
export async function hasStorage(): Promise<boolean> {
  try {
    await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
    return true;
  } catch {
    return false;
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'Storage' });
}
