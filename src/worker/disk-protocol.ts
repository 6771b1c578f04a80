/**
 * What a VM's worker and the broker of storage say to each other over a disk's port. Requests come in
 * batches, and several are under way at once; answers come in any order. The worker may have been
 * taken over: the broker checks every batch against this schema and the bounds below it.
 */
import * as v from 'valibot';

/** Bytes of the largest request: what virtio-blk's limits let a guest make, rounded up. */
export const REQUEST_BYTES = 16 << 20;
/** Requests, and their bytes, that may be under way on one port. */
export const REQUESTS_IN_FLIGHT = 256;
export const BYTES_IN_FLIGHT = 64 << 20;

const Id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const Offset = v.pipe(v.number(), v.integer(), v.minValue(0), v.multipleOf(512));
const Length = v.pipe(v.number(), v.integer(), v.minValue(512), v.multipleOf(512));

const DiskRequestSchema = v.variant('kind', [
  v.strictObject({
    kind: v.literal('read'),
    id: Id,
    offset: Offset,
    length: v.pipe(Length, v.maxValue(REQUEST_BYTES)),
  }),
  v.strictObject({
    kind: v.literal('write'),
    id: Id,
    offset: Offset,
    data: v.pipe(
      v.instance(ArrayBuffer),
      v.check(
        ({ byteLength }) => byteLength > 0 && byteLength <= REQUEST_BYTES && byteLength % 512 === 0,
        'a write has an odd length',
      ),
    ),
  }),
  v.strictObject({ kind: v.literal('flush'), id: Id }),
  v.strictObject({
    kind: v.picklist(['discard', 'zeroes']),
    id: Id,
    offset: Offset,
    length: Length,
  }),
  /** Has no answer. */
  v.strictObject({
    kind: v.literal('freeze'),
    token: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'is no token')),
  }),
]);
export type DiskRequest = v.InferOutput<typeof DiskRequestSchema>;

export const DiskBatchSchema = v.pipe(
  v.array(DiskRequestSchema),
  v.minLength(1),
  v.maxLength(REQUESTS_IN_FLIGHT),
);

/** Broker → worker. The broker is trusted: this is a type only. */
export type DiskAnswer =
  | { readonly id: number; readonly data?: ArrayBuffer }
  | { readonly id: number; readonly error: string };
