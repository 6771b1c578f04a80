/** What in storage belongs to which VM, and what to none. Bytes that are shared count once, with whom stored them. */
import type { DiskListing } from '../../hypervisor/storage/api.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';

interface Machine {
  readonly id: string;
  readonly name: string;
  readonly keptId: string | undefined;
  readonly current: string | undefined;
  readonly disks: readonly { readonly id: string }[];
}

export interface Use {
  readonly id: string;
  readonly name: string;
  readonly disks: number;
  readonly diskCount: number;
  readonly snapshots: number;
  readonly snapshotCount: number;
}

export function usesOf(
  machines: readonly Machine[],
  disks: readonly DiskListing[],
  snapshots: readonly SnapshotRecord[],
) {
  const uses: Use[] = [];
  const owned = new Set<string>();
  for (const { id, name, keptId, disks: own } of machines) {
    const of = disks.filter((disk) => own.some((one) => one.id === disk.id));
    const taken = snapshots.filter(({ vm }) => vm === keptId);
    for (const { id } of own) owned.add(id);
    if (of.length === 0 && taken.length === 0) continue;
    uses.push({
      id,
      name,
      disks: of.reduce((sum, { stored }) => sum + stored, 0),
      diskCount: of.length,
      snapshots: taken.reduce((sum, { bytes }) => sum + bytes, 0),
      snapshotCount: taken.length,
    });
  }
  // What a VM comes from stays, whoever took it.
  const needed = new Set<string>();
  const byId = new Map(snapshots.map((record) => [record.id, record]));
  for (const start of [
    ...machines.map(({ current }) => current),
    ...snapshots
      .filter(({ vm }) => machines.some(({ keptId }) => keptId === vm))
      .map(({ id }) => id),
  ]) {
    for (let at = start; at !== undefined && !needed.has(at); at = byId.get(at)?.parent) {
      needed.add(at);
    }
  }
  return {
    uses,
    looseDisks: disks.filter(({ id, inUse }) => !inUse && !owned.has(id)),
    looseSnapshots: snapshots.filter(({ id }) => !needed.has(id)),
  };
}
