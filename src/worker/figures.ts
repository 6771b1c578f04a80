/**
 * The figures of a VM that its worker reports once a second, as schemas: a worker may be taken over,
 * and what a guest says of itself is only what it says. Rates are of the time since the last report;
 * what the guest's driver or agent does not tell is left out.
 */
import * as v from 'valibot';
import { DISKS_MAX } from '../machine/memory-map.ts';

const Count = v.pipe(v.number(), v.finite(), v.minValue(0));
const Share = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1));
const NAME_MAX = 32;

const DiskFiguresSchema = v.strictObject({
  /** Operations a second. */
  reads: Count,
  writes: Count,
  flushes: Count,
  /** Bytes a second. */
  readBytes: Count,
  writtenBytes: Count,
  /** Milliseconds from request to answer: on average (0 without any), and of the slowest. */
  latency: Count,
  worstLatency: Count,
  /** Requests that failed, since the power-on. */
  errors: Count,
});
export type DiskFigures = v.InferOutput<typeof DiskFiguresSchema>;

const MemoryFiguresSchema = v.strictObject({
  /** Bytes that the VM was made with: the most that the guest can have. */
  size: Count,
  /** Bytes that the guest is asked to get by with. */
  target: Count,
  /** Bytes that the guest confirms to have: all of them without a driver of the balloon. */
  actual: Count,
  /** Whether a driver of the balloon runs, so that `target` has an effect. */
  balloon: v.boolean(),
  /** Bytes that the balloon holds, by the host's own count. */
  inflated: Count,
  /** Bytes of free memory that the guest has reported and the host has emptied, since the power-on. */
  reported: Count,
  /** What the guest's kernel says of its memory, in bytes. */
  guest: v.optional(v.strictObject({ total: Count, free: Count, available: Count, cached: Count })),
});
export type MemoryFigures = v.InferOutput<typeof MemoryFiguresSchema>;

/** What a program in the guest tells of it every few seconds. */
const AgentFiguresSchema = v.strictObject({
  /** Processes that wanted to run, averaged over one, five and fifteen minutes. */
  load: v.tuple([Count, Count, Count]),
  processes: Count,
  /** Seconds since the guest's boot. */
  uptime: Count,
  /** The guest's root file system, in bytes. */
  filesystem: v.strictObject({ size: Count, used: Count }),
  /** The process that used the processor most lately, and its share of one. */
  top: v.optional(
    v.strictObject({ name: v.pipe(v.string(), v.maxLength(NAME_MAX)), share: Share }),
  ),
});
export type AgentFigures = v.InferOutput<typeof AgentFiguresSchema>;

export const FiguresSchema = v.strictObject({
  /** Shares of one processor: what the VM used, what it wanted and was not given, what it left. */
  busy: Share,
  steal: Share,
  idle: Share,
  /** Guest RAM that has been touched, in bytes. */
  memoryInUse: Count,
  /** Since the power-on. */
  instructions: Count,
  /** Million instructions a second. */
  mips: Count,
  /** Times a second that the run loop was woken or given its turn. */
  wakeups: Count,
  /** A second: interrupts and traps that the guest took. */
  interrupts: Count,
  traps: Count,
  /** Bytes a second of console output. */
  consoleBytes: Count,
  /** In the order of the guest's disks. */
  disks: v.pipe(v.array(DiskFiguresSchema), v.maxLength(DISKS_MAX)),
  memory: MemoryFiguresSchema,
  agent: v.optional(AgentFiguresSchema),
});
export type Figures = v.InferOutput<typeof FiguresSchema>;
