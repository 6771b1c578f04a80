/** The two ends of a disk's port: PortDisk in the VM's worker, DiskService in the broker. */
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryBackend } from '../../machine/devices/virtio/memory-backend.ts';
import { REQUESTS_IN_FLIGHT } from '../../worker/disk-protocol.ts';
import { PortDisk } from '../../worker/port-disk.ts';
import { eventually } from '../../worker/testing/eventually.ts';
import { DiskService } from './disk-service.ts';

const SIZE = 1 << 20;
const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A backend that is told to be slow or to fail, and counts what is under way. */
class TestDisk extends MemoryBackend {
  frozen: string[] = [];
  fails = '';
  most = 0;
  #underWay = 0;
  readonly log: string[] = [];

  override async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#slowly(() => super.read(offset, into));
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    this.log.push(`write ${offset}`);
    await this.#slowly(() => super.write(offset, from));
  }

  freeze(token: string): void {
    this.log.push('freeze');
    this.frozen.push(token);
  }

  async #slowly(action: () => void): Promise<void> {
    this.most = Math.max(this.most, ++this.#underWay);
    await new Promise((resolve) => setTimeout(resolve, 2));
    this.#underWay--;
    if (this.fails !== '') throw new Error(this.fails);
    action();
  }
}

function pair() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const backend = new TestDisk(SIZE);
  const troubles: string[] = [];
  const violations: string[] = [];
  const service = new DiskService(backend, port1, {
    trouble: (message) => troubles.push(message),
    violation: (what) => violations.push(what),
  });
  const disk = () => new PortDisk({ port: port2, id: 'd', size: SIZE, readOnly: false });
  return { backend, service, port: port2, troubles, violations, disk };
}

describe('a disk over a port', () => {
  test('reads what was written, with many requests under way', async () => {
    const { backend, disk } = pair();
    const remote = disk();
    const bytes = (i: number) => new Uint8Array(512).fill(i);
    await Promise.all(Array.from({ length: 1000 }, (_, i) => remote.write(i * 512, bytes(i))));
    const read = new Uint8Array(512);
    await remote.read(700 * 512, read);
    expect(read).toEqual(bytes(700));
    expect(backend.most).toBeGreaterThan(50);
    expect(backend.most).toBeLessThanOrEqual(REQUESTS_IN_FLIGHT);
    await remote.writeZeroes(0, 512);
    await remote.discard(0, 4096);
    await remote.flush();
    await remote.read(0, read);
    expect(read).toEqual(bytes(0));
  });

  test('a freeze comes after the writes that were made before it, and before the later ones', async () => {
    const { backend, disk } = pair();
    const remote = disk();
    const first = remote.write(0, new Uint8Array(512));
    remote.freeze('ab'.repeat(16));
    await Promise.all([first, remote.write(512, new Uint8Array(512))]);
    expect(backend.log).toEqual(['write 0', 'freeze', 'write 512']);
  });

  test('a failure is an error of that request, and a sentence for the person, once', async () => {
    const { backend, troubles, disk } = pair();
    const remote = disk();
    backend.fails = 'The browser’s storage is full.';
    await expect(remote.write(0, new Uint8Array(512))).rejects.toThrow('storage is full');
    await expect(remote.write(0, new Uint8Array(512))).rejects.toThrow('storage is full');
    backend.fails = '';
    await remote.write(0, new Uint8Array(512));
    expect(troubles).toEqual(['The browser’s storage is full.']);
  });

  test('closing waits for what is under way', async () => {
    const { backend, service, disk } = pair();
    disk()
      .write(0, new Uint8Array(512).fill(9))
      .catch(() => {});
    await eventually(() => expect(backend.most).toBe(1));
    await service.close();
    const read = new Uint8Array(512);
    await backend.read(0, read);
    expect(read[0]).toBe(9);
  });

  const write = { kind: 'write', id: 1, offset: 0, data: new ArrayBuffer(512) };
  test.each([
    ['no batch', { kind: 'flush', id: 1 }],
    ['an empty batch', []],
    ['an unknown kind', [{ kind: 'format', id: 1 }]],
    ['a huge read', [{ kind: 'read', id: 1, offset: 0, length: 2 ** 31 }]],
    ['a read outside of the disk', [{ kind: 'read', id: 1, offset: SIZE, length: 512 }]],
    ['a read over the end', [{ kind: 'read', id: 1, offset: SIZE - 512, length: 1024 }]],
    ['a discard over the end', [{ kind: 'discard', id: 1, offset: 0, length: 2 ** 40 }]],
    ['a negative offset', [{ kind: 'read', id: 1, offset: -512, length: 512 }]],
    ['no number', [{ kind: 'read', id: 1, offset: Number.NaN, length: 512 }]],
    ['an odd length', [{ kind: 'read', id: 1, offset: 0, length: 100 }]],
    ['a view instead of a buffer', [{ ...write, data: new Uint8Array(512) }]],
    ['shared memory', [{ ...write, data: new SharedArrayBuffer(512) }]],
    ['an odd write', [{ ...write, data: new ArrayBuffer(511) }]],
    ['one key more', [{ kind: 'flush', id: 1, extra: 1 }]],
    ['a wrong token', [{ kind: 'freeze', token: '../..' }]],
    [
      'too many at once',
      Array.from({ length: REQUESTS_IN_FLIGHT + 1 }, (_, id) => ({ kind: 'flush', id })),
    ],
  ])('%s ends the service', async (_, message) => {
    const { port, violations, backend } = pair();
    port.postMessage(message);
    await eventually(() => expect(violations).toHaveLength(1));
    port.postMessage([{ ...write }]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(backend.log).toEqual([]);
    expect(violations).toHaveLength(1);
  });

  test('a flood of requests is cut off at the bound', async () => {
    const { port, violations, backend } = pair();
    for (let i = 0; i < 600; i++) {
      port.postMessage([{ kind: 'read', id: i, offset: 0, length: 512 }]);
    }
    await eventually(() => expect(violations).toEqual(['it asked for too much at once']));
    expect(backend.most).toBeLessThanOrEqual(REQUESTS_IN_FLIGHT);
  });
});
