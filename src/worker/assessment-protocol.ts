/**
 * What the page and the worker that measures the host say to each other. Both are the page's own
 * code; the schema keeps the two in step, and what was remembered from an older version apart.
 */
import * as v from 'valibot';

const Count = v.pipe(v.number(), v.finite(), v.minValue(0));

export interface AssessmentRequest {
  /** Bytes of memory to ask for at the most. */
  readonly memoryBound: number;
  /** The CPU core for plain memory, and for how long a guest is to run; no measurement without. */
  readonly speed?: { readonly core: ArrayBuffer; readonly seconds: number };
}

export const MemoryProbeSchema = v.object({
  /** Bytes that the browser gave. */
  bytes: Count,
  /** It refused more; false: that was the bound. */
  ends: v.boolean(),
});
export type MemoryProbe = v.InferOutput<typeof MemoryProbeSchema>;

export const SpeedSchema = v.object({
  /** Million guest instructions in a second, on one processor. */
  mips: Count,
  seconds: Count,
});
export type Speed = v.InferOutput<typeof SpeedSchema>;

export const AssessmentReplySchema = v.variant('type', [
  v.object({ type: v.literal('memory'), memory: MemoryProbeSchema }),
  v.object({ type: v.literal('speed'), speed: SpeedSchema }),
  v.object({ type: v.literal('failed'), reason: v.string() }),
]);
export type AssessmentReply = v.InferOutput<typeof AssessmentReplySchema>;
