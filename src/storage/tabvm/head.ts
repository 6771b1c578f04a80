/** The first block of a .tabvm file: what it is, before any of it is read. */
import * as v from 'valibot';
import { DISK_MAX, IdSchema } from '../disk/disk-store.ts';
import { PAGE, PAGES_MAX } from '../snapshots/record.ts';
import { DISKS } from './blocks.ts';

const Text = (length: number) => v.pipe(v.string(), v.maxLength(length));
const Natural = v.pipe(v.number(), v.integer(), v.minValue(0));
/** Bytes of the largest kernel, initrd or state. */
const PART_MAX = 512 << 20;
const Size = v.pipe(Natural, v.maxValue(PART_MAX));

export const TabvmHeadSchema = v.strictObject({
  format: v.literal(1),
  name: Text(200),
  note: Text(4000),
  /** Name of the template that the VM was made from. */
  template: Text(64),
  /** The kernel's command line. */
  append: Text(4096),
  /** Milliseconds since 1970. */
  time: Natural,
  /** Bytes of RAM. */
  memory: v.pipe(Natural, v.maxValue(PAGES_MAX * PAGE), v.multipleOf(PAGE)),
  token: IdSchema,
  thumbnail: Text(16_000),
  state: Size,
  /** Bytes of each; 0: it is not in the file. */
  kernel: Size,
  initrd: Size,
  /** Bytes of what the shared folder held, where that is a part of the snapshot. */
  share: v.optional(v.pipe(Natural, v.maxValue(2 * PART_MAX))),
  disks: v.pipe(
    v.array(
      v.strictObject({
        size: v.pipe(Natural, v.minValue(512), v.maxValue(DISK_MAX), v.multipleOf(512)),
      }),
    ),
    v.maxLength(DISKS),
  ),
});
export type TabvmHead = v.InferOutput<typeof TabvmHeadSchema>;
