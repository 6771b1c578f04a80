/**
 * The storage worker: the one place where the page's origin private file system is open. A lock keeps
 * a second tab from opening it too, which would only find files in use.
 */
import * as Comlink from 'comlink';
import { StorageError } from '../../storage/files.ts';
import { Broker } from './broker.ts';
import { FOLDER } from './folder.ts';
import { OpfsFolder } from './opfs-folder.ts';

const LOCK = 'tabvisor-storage';

/** A page that was just closed or reloaded gives its lock back within this time, in milliseconds. */
const LOCK_WAIT_MS = 3000;

/** Takes the storage for this tab until the tab ends. */
async function lock(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const held = navigator.locks.request(
      LOCK,
      { signal: AbortSignal.timeout(LOCK_WAIT_MS) },
      () => {
        resolve();
        return new Promise(() => {});
      },
    );
    held.catch(() =>
      reject(
        new StorageError(
          'busy',
          'Tabvisor is open in another tab, which has the disks and snapshots. Close that tab, then reload this one.',
        ),
      ),
    );
  });
}

async function open(): Promise<Broker> {
  const storage = navigator.storage as StorageManager | undefined;
  if (storage?.getDirectory === undefined) {
    throw new StorageError('failed', 'This browser gives pages no file storage (OPFS).');
  }
  await lock();
  const root = new OpfsFolder(await storage.getDirectory());
  return Broker.open(await root.folder(FOLDER), () => storage.estimate());
}

let broker: Promise<Broker> | undefined;

/** The page's first call opens the storage; after a failure the next one tries again. */
Comlink.expose({
  async ready(): Promise<unknown> {
    broker ??= open();
    broker.catch(() => {
      broker = undefined;
    });
    return Comlink.proxy(await broker);
  },
});
