/**
 * What a VM's worker and the page say to each other on the port of one shared folder: messages of
 * 9P2000.L and their answers. The page checks with the schema all that comes; what is inside of a
 * message is checked by the server of 9P.
 */
import * as v from 'valibot';
import { HEADER, MSIZE_MAX } from '../machine/devices/virtio/nine-p-wire.ts';

/** Requests of one folder under way; the device's queue has half as many entries. */
export const SHARE_IN_FLIGHT = 256;

/** Worker → page. */
export const ShareMessageSchema = v.variant('type', [
  v.strictObject({
    type: v.literal('request'),
    id: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    message: v.pipe(
      v.instance(Uint8Array<ArrayBuffer>),
      v.check(
        ({ byteLength, buffer }) =>
          byteLength >= HEADER &&
          byteLength <= MSIZE_MAX &&
          buffer instanceof ArrayBuffer &&
          buffer.byteLength <= MSIZE_MAX,
        'a message to a shared folder has no legal length',
      ),
    ),
  }),
  v.strictObject({
    type: v.literal('freeze'),
    token: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'the name of a snapshot is none')),
  }),
]);
export type ShareMessage = v.InferOutput<typeof ShareMessageSchema>;

/** Page → worker. The page is trusted: this is a type only. */
export interface ShareAnswer {
  readonly id: number;
  readonly answer: Uint8Array<ArrayBuffer>;
}
