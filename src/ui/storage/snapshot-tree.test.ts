import { expect, test } from 'vitest';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { sharedBytes, snapshotsOf, snapshotTree } from './snapshot-tree.ts';

function record(id: string, parent?: string, more: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    format: 1,
    id,
    ...(parent === undefined ? {} : { parent }),
    vm: 'a',
    name: id,
    note: '',
    time: Number.parseInt(id, 36),
    kind: 'manual',
    memory: 4096,
    bytes: 100,
    thumbnail: '',
    token: id,
    disks: [],
    packs: [],
    table: 0,
    ...more,
  };
}

const shape = (list: readonly SnapshotRecord[], current?: string, collapsed?: Set<string>) =>
  snapshotTree(list, current, collapsed).map(({ id, level, column }) => `${id} ${level}/${column}`);

test('a chain stays in one column, with the VM at its end', () => {
  const list = [record('1'), record('2', '1'), record('3', '2')];
  expect(shape(list, '3')).toEqual(['1 1/0', '2 2/0', '3 3/0', 'here 4/0']);
});

test('what branches off is set in; what leads to the VM goes on', () => {
  const list = [record('1'), record('2', '1'), record('3', '1'), record('4', '3')];
  expect(shape(list, '2')).toEqual(['1 1/0', '3 2/1', '4 3/1', '2 2/0', 'here 3/0']);
  expect(snapshotTree(list, '2').find(({ id }) => id === '2')).toMatchObject({
    position: 2,
    siblings: 2,
    parent: '1',
    hasChildren: true,
  });
});

test('a VM without a snapshot stands for itself, and collapsed ones hide what is below', () => {
  const list = [record('1'), record('2', '1')];
  expect(shape(list)).toEqual(['1 1/0', '2 2/0', 'here 1/0']);
  expect(shape(list, '2', new Set(['1']))).toEqual(['1 1/0']);
});

test('parents that are gone or that go round make roots, once each', () => {
  expect(shape([record('2', 'gone')], '2')).toEqual(['2 1/0', 'here 2/0']);
  const ids = shape([record('1', '2'), record('2', '1')], '1').map((row) => row.split(' ')[0]);
  expect(ids.toSorted()).toEqual(['1', '2', 'here']);
});

test('a VM’s snapshots come with the ancestors of other VMs, and without their other branches', () => {
  const list = [
    record('1', undefined, { vm: 'b' }),
    record('2', '1', { vm: 'b' }),
    record('3', '1'),
    record('4', undefined, { vm: 'c' }),
  ];
  expect(snapshotsOf(list, 'a', undefined).map(({ id }) => id)).toEqual(['1', '3']);
  expect(snapshotsOf(list, 'new', '2').map(({ id }) => id)).toEqual(['1', '2']);
});

test('shared is what earlier ones stored in files that it reads', () => {
  const list = [
    record('1', undefined, { packs: ['p'], bytes: 50 }),
    record('2', '1', { packs: ['p', 'q'], bytes: 7 }),
    record('3', undefined, { packs: ['r'], bytes: 9 }),
  ];
  expect(list.map((one) => sharedBytes(list, one))).toEqual([0, 50, 0]);
});
