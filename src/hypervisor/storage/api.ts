/**
 * What the page may ask of the storage worker, over comlink. Every call rejects with a sentence when
 * the storage cannot do it. Ids of disks are 32 hexadecimal digits (`newId`), and whoever makes a VM
 * chooses them, so that they can be written down before the disk exists.
 */
import type { DiskRecord } from '../../storage/disk/disk-store.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';

/** A disk that a VM wants. It is made when it is not there yet. */
export interface DiskRequest {
  readonly id: string;
  /** `scratch` is gone when it is closed, and in any case when the page opens the storage again. */
  readonly kind: 'persistent' | 'scratch';
  /** Bytes; a disk of an image is at least as large as that. */
  readonly size?: number | undefined;
  /** Address of the manifest of an image in chunks; blank when left out. */
  readonly image?: string | undefined;
}

export interface DiskListing extends Pick<DiskRecord, 'id' | 'kind' | 'size'> {
  /** Bytes that it takes in storage. Layers that it shares with others count for each. */
  readonly stored: number;
  readonly inUse: boolean;
}

export interface StorageApi {
  disks(): Promise<readonly DiskListing[]>;
  /**
   * Opens a disk for one VM and serves it on `port`. `trouble` gets sentences for the person (the
   * storage is full, a chunk cannot be downloaded); `violation` says that the VM's worker broke the
   * rules, and that its port is closed.
   */
  openDisk(
    request: DiskRequest,
    port: MessagePort,
    trouble: (message: string) => void,
    violation: (what: string) => void,
  ): Promise<{ size: number }>;
  /** The VM is off: what is under way ends, everything is flushed. One that is not open is no error. */
  closeDisk(id: string): Promise<void>;
  removeDisk(id: string): Promise<void>;

  /** A piece of a disk that no VM uses; null for zeroes. `length` is at most 4 MiB. For exports. */
  readDisk(id: string, offset: number, length: number): Promise<ArrayBuffer | null>;
  /** A piece of a disk that no VM uses is written, for imports; `finishDisk` flushes and closes it. */
  writeDisk(id: string, offset: number, data: ArrayBuffer): Promise<void>;
  createDisk(request: DiskRequest): Promise<void>;
  /** Ends a row of `readDisk` or `writeDisk`. */
  finishDisk(id: string): Promise<void>;

  snapshots(): Promise<readonly SnapshotRecord[]>;
  renameSnapshot(id: string, name: string, note?: string): Promise<void>;
  /** Removes a snapshot and all that nobody else needs of it. */
  removeSnapshot(id: string): Promise<void>;
  /** Reads all of a snapshot; rejects when any of it is damaged. */
  verifySnapshot(id: string): Promise<void>;

  /** Small documents (the list of VMs, settings): JSON by name, replaced as a whole, durable. */
  readDocument(name: string): Promise<unknown>;
  writeDocument(name: string, value: unknown): Promise<void>;
  removeDocument(name: string): Promise<void>;
  documents(): Promise<readonly string[]>;

  /** Bytes that the browser's storage holds for this page, and how many it grants at most. */
  usage(): Promise<{ used: number; quota: number }>;
}
