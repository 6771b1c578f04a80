/** What the process of a guest in Node is told, as JSON in its only argument, and what it tells. */
import * as v from 'valibot';

const DiskSchema = v.union([
  v.object({ raw: v.string() }),
  /** A manifest of chunks, and the folder that keeps what is written. */
  v.object({ image: v.optional(v.string()), overlay: v.string(), size: v.optional(v.number()) }),
]);
export type OrderedDisk = v.InferOutput<typeof DiskSchema>;

export const OrderSchema = v.object({
  kernel: v.string(),
  initrd: v.string(),
  append: v.string(),
  disk: DiskSchema,
  /** Bytes. */
  memory: v.number(),
  tier: v.picklist(['interpreter', 'translator', 'both']),
});
export type Order = v.InferOutput<typeof OrderSchema>;

/** A line of the guest's script, and the instructions that had run by then. */
export const NoteSchema = v.object({ text: v.string(), instructions: v.number() });
export type Note = v.InferOutput<typeof NoteSchema>;
