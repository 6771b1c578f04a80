/** What `tabvisor up` and the thread of each of its VMs say to each other. */
import * as v from 'valibot';
import { LimitsSchema } from '../../resources/limits.ts';

/** What a thread is given at its start. */
export const ThreadSetupSchema = v.strictObject({
  tabvisor: v.literal('vm'),
  name: v.string(),
  /** As for `tabvisor run`. */
  words: v.array(v.string()),
  limits: LimitsSchema,
});
export type ThreadSetup = v.InferOutput<typeof ThreadSetupSchema>;

const Id = v.pipe(v.number(), v.integer());
const Bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'These are bytes.');

/** To a thread. */
export const RequestSchema = v.variant('type', [
  v.strictObject({ type: v.literal('exec'), id: Id, text: v.string(), stdin: Bytes }),
  v.strictObject({ type: v.literal('quota'), quota: v.optional(v.number()) }),
  v.strictObject({ type: v.literal('pause'), paused: v.boolean() }),
  v.strictObject({ type: v.literal('figures') }),
  v.strictObject({ type: v.literal('end') }),
]);
export type Request = v.InferOutput<typeof RequestSchema>;

const Count = v.pipe(v.number(), v.minValue(0));
const DiskSchema = v.object({
  reads: Count,
  writes: Count,
  flushes: Count,
  discards: Count,
  read_bytes: Count,
  written_bytes: Count,
  latency_ms: Count,
  errors: Count,
});
const GuestMemorySchema = v.object({ total: Count, free: Count, available: Count, cached: Count });

/** A machine's own figures, or as many of them as are of use outside. */
export const FiguresSchema = v.object({
  wall_s: Count,
  used_s: Count,
  steal_s: Count,
  idle_s: Count,
  instructions: Count,
  ram_bytes: Count,
  memory_bytes: Count,
  interrupts: Count,
  traps: Count,
  console_bytes: Count,
  /** In the order of the disks. */
  disks: v.array(DiskSchema),
  /** What the guest's kernel or its agent says; absent where neither does. */
  memory: v.object({ guest: v.optional(GuestMemorySchema) }),
  agent: v.optional(
    v.object({ processes: Count, filesystem: v.object({ size: Count, used: Count }) }),
  ),
});
export type ThreadFigures = v.InferOutput<typeof FiguresSchema>;

/** From a thread. */
export const ReportSchema = v.variant('type', [
  v.strictObject({ type: v.literal('console'), data: Bytes }),
  v.strictObject({ type: v.literal('event'), text: v.string() }),
  v.strictObject({ type: v.literal('listening') }),
  v.strictObject({ type: v.literal('demand'), demand: Count }),
  v.strictObject({ type: v.literal('figures'), figures: FiguresSchema }),
  v.strictObject({
    type: v.literal('state'),
    state: v.picklist(['running', 'paused', 'off', 'crashed']),
    reason: v.string(),
  }),
  v.strictObject({
    type: v.literal('output'),
    id: Id,
    stream: v.picklist(['stdout', 'stderr']),
    data: Bytes,
  }),
  v.strictObject({ type: v.literal('exit'), id: Id, code: Count }),
  v.strictObject({ type: v.literal('failure'), id: Id, reason: v.string() }),
  v.strictObject({ type: v.literal('ended') }),
]);
export type Report = v.InferOutput<typeof ReportSchema>;
