/** What the process of a guest in Node is told, as JSON in its only argument, and what it tells. */
import * as v from 'valibot';

export const OrderSchema = v.object({
  kernel: v.string(),
  initrd: v.string(),
  append: v.string(),
  disk: v.string(),
  /** Bytes. */
  memory: v.number(),
  tier: v.picklist(['interpreter', 'translator', 'both']),
});
export type Order = v.InferOutput<typeof OrderSchema>;

/** A line of the guest's script, and the instructions that had run by then. */
export const NoteSchema = v.object({ text: v.string(), instructions: v.number() });
export type Note = v.InferOutput<typeof NoteSchema>;
