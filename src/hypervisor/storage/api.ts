/**
 * What the page may ask of the storage worker, over comlink. Every call rejects with a sentence when
 * the storage cannot do it. Ids of disks are 32 hexadecimal digits (`newId`), and whoever makes a VM
 * chooses them, so that they can be written down before the disk exists.
 */
import type { DiskRecord } from '../../storage/disk/disk-store.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import type { ExportPiece, ExportRequest, Imported, ImportRequest } from './transfers.ts';

export type CopyProgress = (done: number, total: number) => void;

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

/** A snapshot that a VM's worker is about to send on a port of its own. */
export interface CaptureRequest {
  /** Id that the snapshot will have. */
  readonly id: string;
  /** What storage calls the VM. */
  readonly vm: string;
  readonly name: string;
  readonly note: string;
  readonly kind: SnapshotRecord['kind'];
  readonly parent: string | undefined;
  readonly thumbnail: string;
  readonly guest: SnapshotRecord['guest'];
  /** Bytes of the VM's RAM. */
  readonly memory: number;
  /** The VM's disks, in the machine's order. */
  readonly disks: readonly string[];
}

/** What the page does for a capture. */
export interface CaptureCallbacks {
  /** Bytes of pages that have come. */
  progress(bytes: number): void;
  /** The VM's worker broke the rules; its port is closed. */
  violation(what: string): void;
  /** What the shared folder held when it was frozen under that token; null: it is no part of it. */
  share(token: string): Promise<ArrayBuffer | null>;
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
  verifySnapshot(id: string, progress: CopyProgress): Promise<void>;
  /** Takes in what a VM's worker sends on `port`; resolves when the snapshot is whole and durable. */
  capture(
    request: CaptureRequest,
    port: MessagePort,
    callbacks: CaptureCallbacks,
  ): Promise<SnapshotRecord>;
  /** Ends a capture whose worker is gone, or that is not wanted; one that is over is no error. */
  cancelCapture(id: string, reason: string): Promise<void>;
  /** Makes disks, which no VM uses, what they were in a snapshot, in the machine's order. */
  placeDisks(snapshot: string, disks: readonly Pick<DiskRequest, 'id' | 'kind'>[]): Promise<void>;
  /**
   * Gives a snapshot out on `port` to the worker that restores it, until that has all it wants;
   * resolves with what the shared folder held.
   */
  openSnapshot(
    id: string,
    key: string,
    port: MessagePort,
    violation: (what: string) => void,
  ): Promise<ArrayBuffer | null>;
  /** The worker that was given `key`'s port is gone. */
  closeSnapshot(key: string): Promise<void>;

  /** Begins a .tabvm file of a snapshot; its pieces are asked for by the number that comes back. */
  openExport(request: ExportRequest): Promise<number>;
  readExport(number: number): Promise<ExportPiece>;
  closeExport(number: number): Promise<void>;
  /** Takes a .tabvm file in, as a snapshot and disks. A file that is damaged leaves nothing. */
  importFile(file: Blob, request: ImportRequest, progress: CopyProgress): Promise<Imported>;
  /** Ends the import that makes the snapshot of this id. */
  cancelImport(snapshot: string): Promise<void>;
  /** What an imported VM boots, by its SHA-256. */
  readProgram(sha256: string): Promise<ArrayBuffer>;
  /** Removes all programs but these. */
  retainPrograms(named: readonly string[]): Promise<void>;

  /** Small documents (the list of VMs, settings): JSON by name, replaced as a whole, durable. */
  readDocument(name: string): Promise<unknown>;
  writeDocument(name: string, value: unknown): Promise<void>;
  removeDocument(name: string): Promise<void>;
  documents(): Promise<readonly string[]>;

  /** Bytes that the browser's storage holds for this page, and how many it grants at most. */
  usage(): Promise<{ used: number; quota: number }>;
}
