/**
 * What belongs to no machine any more: snapshots whose machine was deleted, and downloaded images of
 * templates that no machine uses. Clearing them is safe: images can be downloaded again.
 */
import { CACHE_NAME } from '../../hypervisor/images.ts';
import type { VmView } from '../../hypervisor/vm.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { fleet } from '../services.ts';
import { formatSize } from './units.ts';

export function orphansOf(
  snapshots: readonly SnapshotRecord[],
  vms: readonly VmView[],
): SnapshotRecord[] {
  const kept = new Set(vms.map(({ keptId }) => keptId));
  return snapshots.filter(({ vm }) => !kept.has(vm));
}

/** Bytes of downloaded images; undefined where there is no cache. */
export async function cachedBytes(): Promise<number | undefined> {
  const cache = await openCache();
  if (cache === undefined) return undefined;
  let bytes = 0;
  for (const request of await cache.keys()) bytes += await sizeOf(cache, request);
  return bytes;
}

/** What was freed, in words. A snapshot that cannot be removed ends it with its sentence. */
export async function clearOrphans(): Promise<string> {
  const orphans = orphansOf(fleet.snapshots.getState().list, fleet.store.getState().vms);
  for (const { id } of orphans) await fleet.removeSnapshot(id);
  const images = await clearImages();
  const snapshots = orphans.length === 1 ? 'one snapshot' : `${orphans.length} snapshots`;
  return `${snapshots} and ${formatSize(images)} of images`;
}

async function clearImages(): Promise<number> {
  const cache = await openCache();
  if (cache === undefined) return 0;
  const used = fleet.store
    .getState()
    .vms.map(({ template }) => new URL('.', fleet.images.manifestUrl(template)).href);
  let bytes = 0;
  for (const request of await cache.keys()) {
    if (used.some((folder) => request.url.startsWith(folder))) continue;
    bytes += await sizeOf(cache, request);
    await cache.delete(request);
  }
  return bytes;
}

async function sizeOf(cache: Cache, request: Request): Promise<number> {
  const response = await cache.match(request);
  return response === undefined ? 0 : (await response.blob()).size;
}

async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE_NAME);
  } catch {
    return undefined;
  }
}
