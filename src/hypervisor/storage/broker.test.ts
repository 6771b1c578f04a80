/** What the page asks of storage, over memory: disks of VMs, copies, documents, crashes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../../storage/files.ts';
import { newId } from '../../storage/id.ts';
import { MemoryFolder } from '../../storage/testing/memory-folder.ts';
import { PortDisk } from '../../worker/port-disk.ts';
import { Broker } from './broker.ts';

const SIZE = 1 << 20;
let folder: MemoryFolder;
let broker: Broker;
const ports: MessagePort[] = [];

const open = () => Broker.open(folder, async () => ({ usage: folder.used(), quota: 1000 }));

beforeEach(async () => {
  folder = new MemoryFolder();
  broker = await open();
});
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

async function attach(id: string, kind: 'persistent' | 'scratch', troubles: string[] = []) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const { size } = await broker.openDisk(
    { id, kind, size: SIZE },
    port1,
    (message) => troubles.push(message),
    () => {},
  );
  return new PortDisk({ port: port2, id, size, readOnly: false });
}

const bytes = (value: number, length = 4096) => new Uint8Array(length).fill(value);

describe('disks of VMs', () => {
  test('a persistent disk is there at the next power-on and after the page was killed', async () => {
    const id = newId();
    const disk = await attach(id, 'persistent');
    await disk.write(4096, bytes(5));
    await broker.closeDisk(id);
    const again = await attach(id, 'persistent');
    await again.write(8192, bytes(6));
    await again.flush();
    await again.write(0, bytes(7));
    folder = folder.crash(() => 0);
    broker = await open();
    const after = await attach(id, 'persistent');
    const read = new Uint8Array(12288);
    await after.read(0, read);
    expect([read[4096], read[8192]]).toEqual([5, 6]);
    expect(await broker.disks()).toMatchObject([
      { id, kind: 'persistent', size: SIZE, inUse: true },
    ]);
  });

  test('a scratch disk is gone at power-off, and at the next start when nobody closed it', async () => {
    const id = newId();
    await (await attach(id, 'scratch')).write(0, bytes(1));
    await broker.closeDisk(id);
    expect(await broker.disks()).toEqual([]);
    const left = await attach(newId(), 'scratch');
    await left.write(0, bytes(1));
    await left.flush();
    folder = folder.crash(() => 0.9);
    broker = await open();
    expect(await broker.disks()).toEqual([]);
    expect(folder.used()).toBe(0);
  });

  test('one VM at a time has a disk; closing one that is being opened waits for it', async () => {
    const id = newId();
    const opening = attach(id, 'persistent');
    await expect(attach(id, 'persistent')).rejects.toThrow(/in use/);
    await broker.closeDisk(id);
    await opening;
    await attach(id, 'persistent');
    await expect(broker.removeDisk(id)).rejects.toThrow(/in use/);
    await broker.closeDisk(id);
    await broker.removeDisk(id);
    expect(folder.used()).toBe(0);
  });

  test('a full storage is an I/O error for the guest and a sentence for the person', async () => {
    const troubles: string[] = [];
    const disk = await attach(newId(), 'persistent', troubles);
    await disk.write(0, bytes(1));
    await disk.flush();
    folder.medium.fault = ({ kind }) => {
      if (kind === 'write') throw new StorageError('full', 'The browser’s storage is full.');
    };
    await expect(disk.write(4096, bytes(2))).rejects.toThrow('storage is full');
    expect(troubles).toEqual(['The browser’s storage is full.']);
    folder.medium.fault = () => {};
    const read = new Uint8Array(8192);
    await disk.read(0, read);
    expect([read[0], read[4096]]).toEqual([1, 0]);
    await disk.write(4096, bytes(2));
    await disk.flush();
  });
});

test('disks are copied in and out by pieces; zeroes take no space', async () => {
  const id = newId();
  await broker.createDisk({ id, kind: 'persistent', size: 8 << 20 });
  await broker.writeDisk(id, 4 << 20, bytes(3, 65_536).buffer);
  await broker.writeDisk(id, 0, bytes(0, 1 << 20).buffer);
  await broker.finishDisk(id);
  expect((await broker.disks())[0]?.stored).toBe(65_536);
  expect(await broker.readDisk(id, 0, 1 << 20)).toBeNull();
  const piece = await broker.readDisk(id, 4 << 20, 1 << 20);
  expect(new Uint8Array(piece!).subarray(65_530, 65_540)).toEqual(
    new Uint8Array([3, 3, 3, 3, 3, 3, 0, 0, 0, 0]),
  );
  for (const [offset, length] of [
    [8 << 20, 512],
    [-512, 512],
    [0, 1 << 30],
    [1, 512],
    [0, 0],
  ] as const) {
    await expect(broker.readDisk(id, offset, length)).rejects.toThrow(/piece of a disk/);
  }
  await broker.finishDisk(id);
  expect(folder.openFiles()).toBe(0);
});

test('documents, and how much is stored', async () => {
  await broker.writeDocument('vms', [{ name: 'a' }]);
  expect(await broker.readDocument('vms')).toEqual([{ name: 'a' }]);
  expect(await broker.documents()).toEqual(['vms']);
  expect((await broker.usage()).used).toBeGreaterThan(0);
  await broker.removeDocument('vms');
  expect(await broker.documents()).toEqual([]);
  expect(await broker.snapshots()).toEqual([]);
});
