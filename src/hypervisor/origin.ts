/**
 * Where a VM goes on from instead of booting: a snapshot of this browser's storage, or one that a
 * template brings. The VM asks in this order: `prepare`, while none of its disks is open; then
 * `open`, for a worker that is about to take the state in.
 */
import type { DiskRequest } from './storage/api.ts';

export interface Origin {
  /** For a note in the console. */
  readonly name: string;
  /** Bytes of RAM that a VM must have to go on from here. */
  readonly memory: number;
  /** `new`: another VM may go on from here, too. */
  readonly generation: 'same' | 'new';
  /** What the console showed. */
  readonly picture: string;
  /** Makes the VM's disks what they were then. */
  prepare(disks: readonly DiskRequest[]): Promise<void>;
  /** A port on which the state is given, and what the shared folder held. */
  open(violation: (what: string) => void): Promise<OpenOrigin>;
}

export interface OpenOrigin {
  readonly source: MessagePort;
  readonly share: Uint8Array | undefined;
  /** Nobody goes on from it any more. */
  close(): void;
}
