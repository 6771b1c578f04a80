import { expect, test } from 'vitest';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { usesOf } from './uses.ts';

const disk = (id: string, stored: number, inUse = false) => ({
  id,
  kind: 'persistent' as const,
  size: 1 << 20,
  stored,
  inUse,
});
const snapshot = (id: string, vm: string, bytes: number, parent?: string): SnapshotRecord => ({
  format: 1,
  id,
  ...(parent === undefined ? {} : { parent }),
  vm,
  name: id,
  note: '',
  time: 1,
  kind: 'manual',
  memory: 4096,
  bytes,
  thumbnail: '',
  token: id,
  disks: [],
  packs: [],
  table: 0,
});

test('disks and snapshots are their machine’s; what belongs to none is loose', () => {
  const machines = [
    { id: '1', name: 'one', keptId: 'a', current: 's2', disks: [{ id: 'd1' }] },
    { id: '2', name: 'two', keptId: undefined, current: undefined, disks: [] },
  ];
  const { uses, looseDisks, looseSnapshots } = usesOf(
    machines,
    [disk('d1', 10), disk('d2', 5), disk('d3', 7, true)],
    [
      snapshot('s0', 'gone', 1),
      snapshot('s1', 'a', 100, 's0'),
      snapshot('s2', 'a', 20, 's1'),
      snapshot('s3', 'gone', 3, 's0'),
    ],
  );
  expect(uses).toEqual([
    { id: '1', name: 'one', disks: 10, diskCount: 1, snapshots: 120, snapshotCount: 2 },
  ]);
  // One in use belongs to a VM that was just deleted, or is being copied.
  expect(looseDisks.map(({ id }) => id)).toEqual(['d2']);
  // s0 is of a deleted VM, but what the machine has comes from it.
  expect(looseSnapshots.map(({ id }) => id)).toEqual(['s3']);
});

test('a clone that has no snapshot of its own yet needs what it comes from', () => {
  const clone = { id: '9', name: 'clone', keptId: 'c', current: 's1', disks: [] };
  const { uses, looseSnapshots } = usesOf([clone], [], [snapshot('s1', 'gone', 4)]);
  expect(uses).toEqual([]);
  expect(looseSnapshots).toEqual([]);
});
