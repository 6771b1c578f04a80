/**
 * What is known of a snapshot without reading it: the document that makes it exist. It is written
 * last, so a snapshot that is listed is whole.
 */
import * as v from 'valibot';
import type { Saved } from '../../machine/state.ts';
import { DiskChainSchema, IdSchema } from '../disk/disk-store.ts';

export const PAGE = 4096;
/** Pages of the largest RAM: 4 GB. */
export const PAGES_MAX = 1 << 20;

const Text = v.pipe(v.string(), v.maxLength(200));
const Natural = v.pipe(v.number(), v.integer(), v.minValue(0));

export const SnapshotKindSchema = v.picklist(['manual', 'backup', 'template', 'recovery']);

/** What a VM boots that has no template here: by SHA-256, and the kernel's command line. */
export const ProgramSchema = v.strictObject({
  kernel: Text,
  initrd: v.optional(Text),
  append: v.pipe(v.string(), v.maxLength(4096)),
});

export const SnapshotRecordSchema = v.strictObject({
  format: v.literal(1),
  id: IdSchema,
  /** The snapshot that the VM was restored from or captured to last. */
  parent: v.optional(IdSchema),
  /** Whose it is: what the fleet calls the VM. */
  vm: Text,
  name: Text,
  note: v.pipe(v.string(), v.maxLength(4000)),
  /** Milliseconds since 1970. */
  time: Natural,
  kind: SnapshotKindSchema,
  /** Bytes of RAM. */
  memory: v.pipe(Natural, v.maxValue(PAGES_MAX * PAGE), v.multipleOf(PAGE)),
  /** Bytes that it stored newly: pages and state. */
  bytes: Natural,
  /** The console's last lines. */
  thumbnail: v.pipe(v.string(), v.maxLength(16_000)),
  token: IdSchema,
  disks: v.pipe(v.array(DiskChainSchema), v.maxLength(8)),
  /** Files that its pages are in. */
  packs: v.pipe(v.array(IdSchema), v.maxLength(60_000)),
  /** Checksum of its table. */
  table: Natural,
  /** What its VM was made from: enough to make another one. */
  guest: v.optional(v.strictObject({ template: Text, program: v.optional(ProgramSchema) })),
  /** What the shared folder held, if it is part of the snapshot: bytes, and their checksum. */
  share: v.optional(v.strictObject({ size: Natural, sum: Natural })),
});
export type SnapshotRecord = v.InferOutput<typeof SnapshotRecordSchema>;

/** What whoever takes a snapshot says about it. */
export interface SnapshotMeta {
  readonly vm: string;
  readonly name: string;
  readonly kind: SnapshotRecord['kind'];
  readonly parent?: string | undefined;
  readonly note?: string;
  readonly thumbnail?: string;
  readonly guest?: SnapshotRecord['guest'];
  readonly time?: number;
  /** The disks as they were frozen under the token; asked when all pages have come. */
  readonly disks?: (token: string) => Promise<readonly SnapshotRecord['disks'][number][]>;
  /** What the shared folder held then; asked when all pages have come. */
  readonly share?: (token: string) => Promise<Uint8Array | undefined>;
}

/** Bytes of a machine's state, and back. Decoding checks what it reads. */
export interface StateCodec {
  encode(state: Saved): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array<ArrayBuffer>): Saved;
}
