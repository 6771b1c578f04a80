/** Removes from storage what no machine has: disks, snapshots, and images that were kept for the next time. */
import { useCallback, useEffect, useState } from 'react';
import type { DiskListing } from '../../hypervisor/storage/api.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { formatBytes } from '../format.ts';
import { fleet } from '../services.ts';
import { askRoom } from './hooks.ts';

/** Bytes of the page and of images that are kept for the next time; undefined until it is known. */
export function useCached(): { cached: number | undefined; refresh: () => void } {
  const [cached, setCached] = useState<number>();
  const refresh = useCallback(() => {
    cachedBytes().then(setCached, () => setCached(0));
  }, []);
  useEffect(refresh, [refresh]);
  return { cached, refresh };
}

async function cachedBytes(): Promise<number> {
  let bytes = 0;
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      bytes += Number(response?.headers.get('Content-Length') ?? 0);
    }
  }
  return bytes;
}

export function forgetImages() {
  return fleet.tasks.run('Remove downloaded images', {}, async (task) => {
    await fleet.images.forget();
    task.says('They are fetched again when they are needed.');
  });
}

export function cleanUp(disks: readonly DiskListing[], snapshots: readonly SnapshotRecord[]) {
  return fleet.tasks.run('Clean up the storage', {}, async (task) => {
    const before = await askRoom();
    const total = disks.length + snapshots.length;
    let done = 0;
    for (const { id } of snapshots) {
      task.signal.throwIfAborted();
      await fleet.removeSnapshot(id);
      task.progress(++done, total, 'items');
    }
    const api = await fleet.storage.api();
    for (const { id } of disks) {
      task.signal.throwIfAborted();
      await api.removeDisk(id);
      task.progress(++done, total, 'items');
    }
    const after = await askRoom();
    const freed = Math.max(0, before.used - after.used);
    task.says(
      total === 0
        ? 'There was nothing to remove.'
        : `${total} removed, ${formatBytes(freed)} given back.`,
    );
  });
}
