/**
 * What snapshots, clones, backups and kept VMs look like to who shows them. A kept VM is one that
 * storage knows: it is there again after a reload, a killed tab or a crashed worker, and offers its
 * last state. A VM becomes kept by its first snapshot, by a persistent disk, or by being a clone or
 * an import; until then storage is not even opened for it.
 */
import * as v from 'valibot';
import { LimitsSchema } from '../../resources/limits.ts';
import { IdSchema } from '../../storage/disk/disk-store.ts';
import { ProgramSchema, type SnapshotRecord } from '../../storage/snapshots/record.ts';
import type { CopyProgress } from '../storage/api.ts';

const Count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));
const Text = (length: number) => v.pipe(v.string(), v.maxLength(length));

/** A backup every so many minutes, of which the newest `keep` stay. */
export const BackupPolicySchema = v.strictObject({
  everyMinutes: v.pipe(Count(7 * 24 * 60), v.minValue(1)),
  keep: v.pipe(Count(1000), v.minValue(1)),
});
export type BackupPolicy = v.InferOutput<typeof BackupPolicySchema>;

/** A kept VM, as the list in storage has it. */
export const KeptVmSchema = v.strictObject({
  /** The same for ever; its snapshots name it. */
  id: IdSchema,
  name: v.pipe(Text(200), v.minLength(1)),
  /** Name of its template. */
  template: Text(64),
  /** Bytes of RAM; the template's default when left out. */
  memory: v.optional(Count(2 ** 40)),
  disks: v.pipe(
    v.array(
      v.strictObject({
        id: IdSchema,
        kind: v.picklist(['persistent', 'scratch']),
        size: v.optional(Count(2 ** 40)),
        /** Address of the manifest of its image. */
        image: v.optional(Text(2000)),
      }),
    ),
    v.maxLength(8),
  ),
  /** Of an imported VM: what it boots, by SHA-256 in storage, instead of its template. */
  program: v.optional(ProgramSchema),
  /** The snapshot that it was taken to or restored from last: "you are here". */
  current: v.optional(IdSchema),
  backups: v.optional(BackupPolicySchema),
  limits: v.optional(LimitsSchema),
  /**
   * How it was when this was written; `live` when the page comes up: it was cut off. `saved`: it is
   * off, and a start goes on from `current`.
   */
  last: v.picklist(['off', 'live', 'crashed', 'saved']),
  /** Milliseconds since 1970. */
  made: Count(Number.MAX_SAFE_INTEGER),
});
export type KeptVm = v.InferOutput<typeof KeptVmSchema>;

/** The list of kept VMs in storage. */
export const KeptVmsSchema = v.object({ format: v.literal(1), vms: v.array(v.unknown()) });

/** Whether this page has the storage. A second tab works without: it shows `message`. */
export type StorageState =
  | { readonly kind: 'closed' | 'opening' | 'ready' }
  | { readonly kind: 'unavailable'; readonly message: string };

export interface SnapshotsState {
  readonly storage: StorageState;
  /** All snapshots of all VMs, oldest first. `parent` makes the tree; it may be another VM's. */
  readonly list: readonly SnapshotRecord[];
}

export interface SnapshotRequest {
  readonly name: string;
  readonly note?: string;
  /** `manual` when left out. */
  readonly kind?: SnapshotRecord['kind'];
  /** Bytes of RAM that have been looked at, of all. */
  readonly progress?: CopyProgress;
  readonly signal?: AbortSignal;
}

/** What a snapshot cost. */
export interface SnapshotReport {
  readonly id: string;
  /** Milliseconds in which the guest stood still. */
  readonly pause_ms: number;
  /** Milliseconds until it was durable. */
  readonly total_ms: number;
  /** Bytes that it stored newly. */
  readonly bytes: number;
}

export interface RestoreChoice {
  /** A snapshot of what would be lost, before. */
  readonly first?: 'snapshot';
}

export interface CloneRequest {
  /** Id of a snapshot, or of a VM that runs. */
  readonly from: string;
  /** Of each clone. */
  readonly names: readonly string[];
  /** False: they are made and stay off; a start goes on from the snapshot. */
  readonly start?: boolean;
}

/** Long work that is shown and can be ended. */
export interface CopyOptions {
  readonly progress?: CopyProgress;
  readonly signal?: AbortSignal;
}

/** A file that is made while it is read. */
export interface ExportStream {
  /** What the file should be called. */
  readonly name: string;
  /** Bytes of the file, where they are known beforehand. */
  readonly size: number | undefined;
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
}
