/**
 * One virtio device with all that it needs and all that a test looks at: RAM with untouched bytes
 * on both sides of it, the transport, a mock driver, the interrupt line and the faults.
 */
import { GuestMemory } from '../memory.ts';
import type { VirtioDevice } from '../virtio/device.ts';
import { type VirtioFault, VirtioMmio } from '../virtio/transport.ts';
import { TestLine } from './line.ts';
import { MockDriver } from './mock-driver.ts';

const GUARD = 4096;
const GUARD_BYTE = 0xa5;

export interface VirtioRig<T extends VirtioDevice> {
  readonly device: T;
  readonly transport: VirtioMmio;
  readonly driver: MockDriver;
  readonly memory: GuestMemory;
  readonly irq: TestLine;
  readonly faults: VirtioFault[];
  /** Whether the bytes around RAM are as they were. */
  guardsIntact(): boolean;
}

export function virtioRig<T extends VirtioDevice>(device: T, ramBytes = 1 << 20): VirtioRig<T> {
  const buffer = new ArrayBuffer(ramBytes + 2 * GUARD);
  const all = new Uint8Array(buffer);
  all.fill(GUARD_BYTE, 0, GUARD);
  all.fill(GUARD_BYTE, GUARD + ramBytes);
  const memory = new GuestMemory({ buffer, offset: GUARD, size: ramBytes });
  const irq = new TestLine();
  const faults: VirtioFault[] = [];
  const transport = new VirtioMmio(device, { memory, irq, onFault: (fault) => faults.push(fault) });
  const guarded = (byte: number) => byte === GUARD_BYTE;
  return {
    device,
    transport,
    driver: new MockDriver(transport, memory),
    memory,
    irq,
    faults,
    guardsIntact: () =>
      all.subarray(0, GUARD).every(guarded) && all.subarray(GUARD + ramBytes).every(guarded),
  };
}
