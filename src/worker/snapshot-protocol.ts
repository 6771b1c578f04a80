/**
 * What a VM's worker and the broker of storage say to each other over the port of one capture, and
 * over that of one restore. The worker may have been taken over: the broker checks every message
 * against these schemas, and bounds what is under way and what comes in all. The worker believes
 * the broker: answers are types only.
 */
import * as v from 'valibot';

const PAGE = 4096;
/** Bytes of one run of pages. */
export const RUN_BYTES = 64 * PAGE;
/** Bytes of pages that may be under way without an answer. */
export const CAPTURE_WINDOW = 8 << 20;
/** Bytes of a machine's encoded state. */
const STATE_MAX = 16 << 20;
/** Pages that one `fetch` may ask for. */
export const FETCH_MAX = 256;
/** Requests to a source that may be under way. */
export const SOURCE_IN_FLIGHT = 64;
/** Bytes of pages in one answer to `next`, about. */
export const BATCH_BYTES = 1 << 20;

const Id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const Token = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'is no token'));
const Page = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1 << 20));
const Buffer = (legal: (bytes: number) => boolean, what: string) =>
  v.pipe(
    v.instance(ArrayBuffer),
    v.check(({ byteLength }) => legal(byteLength), what),
  );

/** Worker → broker: each but `abort` is answered, in order. */
export const CaptureMessageSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('has'), id: Id, token: Token }),
  v.strictObject({
    kind: v.literal('begin'),
    id: Id,
    memory: v.pipe(v.number(), v.integer(), v.minValue(PAGE), v.multipleOf(PAGE)),
    state: Buffer((bytes) => bytes <= STATE_MAX, 'the state of a machine is too large'),
    token: Token,
    base: v.optional(Token),
  }),
  v.strictObject({
    kind: v.literal('pages'),
    id: Id,
    first: Page,
    data: Buffer(
      (bytes) => bytes > 0 && bytes <= RUN_BYTES && bytes % PAGE === 0,
      'a run of pages has an odd length',
    ),
  }),
  v.strictObject({ kind: v.literal('end'), id: Id }),
  v.strictObject({ kind: v.literal('abort'), reason: v.pipe(v.string(), v.maxLength(2000)) }),
]);
export type CaptureMessage = v.InferOutput<typeof CaptureMessageSchema>;

export type CaptureAnswer =
  | { readonly id: number; readonly there?: boolean }
  | { readonly id: number; readonly error: string }
  /** Nothing more is taken, for this reason. */
  | { readonly over: string };

/** Worker → broker, on the port of a restore. `open` comes first. */
export const SourceMessageSchema = v.variant('kind', [
  v.strictObject({ kind: v.picklist(['open', 'next']), id: Id }),
  v.strictObject({
    kind: v.literal('fetch'),
    id: Id,
    pages: v.pipe(v.array(Page), v.minLength(1), v.maxLength(FETCH_MAX)),
  }),
  /** Nothing more is wanted. */
  v.strictObject({ kind: v.literal('close') }),
]);
export type SourceMessage = v.InferOutput<typeof SourceMessageSchema>;

export interface SentRun {
  readonly first: number;
  readonly data: ArrayBuffer;
}

export interface SentImage {
  readonly memory: number;
  readonly state: ArrayBuffer;
  readonly token: string;
  /** Numbers of the pages that are not zero. */
  readonly held: Uint32Array<ArrayBuffer>;
}

export type SourceAnswer =
  | { readonly id: number; readonly error: string }
  | {
      readonly id: number;
      /** To `open`. */
      readonly image?: SentImage;
      readonly runs?: readonly SentRun[];
      /** To `next`: these were the last. */
      readonly done?: boolean;
    };
