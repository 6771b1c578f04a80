/** When backups are taken and which stay, on a clock that the test moves. */
import { beforeEach, expect, test } from 'vitest';
import { vmView } from '../testing/vm-view.ts';
import type { VmView } from '../vm.ts';
import { type BackedUpVm, Backups } from './backups.ts';
import type { SnapshotRequest } from './types.ts';

const MINUTE = 60_000;
let now: number;
let vms: { view: VmView }[];
let taken: { vm: string; id: string; time: number; request: SnapshotRequest }[];
let failures: string[];
let storage: () => Promise<void>;
let backups: Backups<BackedUpVm>;

beforeEach(() => {
  now = 1e12;
  vms = [];
  taken = [];
  failures = [];
  storage = async () => {};
  backups = new Backups<BackedUpVm>(
    {
      vms: () => vms,
      take: async ({ view }, request) => {
        const id = `${view.id}:${taken.length}`;
        await storage();
        taken.push({ vm: view.id, id, time: now, request });
      },
      backups: ({ view }) => taken.filter(({ vm }) => vm === view.id),
      remove: async (id) => {
        taken = taken.filter((one) => one.id !== id);
      },
      failed: (_, reason) => failures.push(reason),
    },
    () => now,
  );
});

function vm(everyMinutes: number, keep: number, change: Partial<VmView> = {}) {
  const made = {
    view: vmView({ status: 'running', backups: { everyMinutes, keep }, ...change }),
  };
  vms.push(made);
  return made;
}

async function pass(minutes: number): Promise<void> {
  for (const end = now + minutes * MINUTE; now < end; ) {
    now += MINUTE / 2;
    await backups.look();
  }
}

test('every so many minutes, of which the newest stay', async () => {
  vm(10, 3);
  vm(60, 2, { id: '2' });
  await backups.look();
  expect(taken).toEqual([]);
  await pass(9);
  expect(taken).toEqual([]);
  await pass(52);
  expect(taken.filter(({ vm }) => vm === '1').map(({ time }) => (now - time) / MINUTE)).toEqual([
    21, 11, 1,
  ]);
  expect(taken.filter(({ vm }) => vm === '2')).toHaveLength(1);
  expect(taken[0]?.request.kind).toBe('backup');
});

test('not while the VM is off, nor while a snapshot of it is under way', async () => {
  const one = vm(10, 3);
  await backups.look();
  one.view = { ...one.view, saving: true };
  await pass(15);
  one.view = { ...one.view, saving: false, status: 'off' };
  await pass(15);
  expect(taken).toEqual([]);
  one.view = { ...one.view, status: 'running' };
  await backups.look();
  expect(taken).toHaveLength(1);
});

test('never two at once, however long one takes', async () => {
  vm(1, 5);
  await backups.look();
  let underWay = 0;
  let most = 0;
  let release = () => {};
  storage = async () => {
    most = Math.max(most, ++underWay);
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    underWay--;
  };
  now += 2 * MINUTE;
  const looks = [backups.look()];
  for (let i = 0; i < 5; i++) {
    now += MINUTE;
    looks.push(backups.look());
  }
  release();
  await Promise.all(looks);
  expect(most).toBe(1);
  expect(taken).toHaveLength(1);
});

test('one that fails is told; earlier ones stay, and the next is tried at its time', async () => {
  vm(10, 2);
  await pass(21);
  expect(taken).toHaveLength(2);
  const before = taken.map(({ id }) => id);
  storage = () => Promise.reject(new Error('The storage is full.'));
  await pass(10);
  expect(failures).toEqual(['The storage is full.']);
  expect(taken.map(({ id }) => id)).toEqual(before);
  storage = async () => {};
  await pass(9);
  expect(failures).toHaveLength(1);
  await pass(2);
  expect(taken.map(({ id }) => id)).not.toEqual(before);
  expect(taken).toHaveLength(2);
});

test('the time since the last one counts on when the page was closed meanwhile', async () => {
  taken.push({ vm: '1', id: 'old', time: now - 11 * MINUTE, request: { name: '' } });
  vm(10, 3);
  await backups.look();
  expect(taken).toHaveLength(2);
});
