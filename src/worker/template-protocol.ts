/**
 * What a VM's worker and the page say to each other about the template that the VM started from: the
 * worker asks for pieces of its snapshot, and for the images of a cold boot when the guest reboots.
 * The worker may have been taken over: the page checks what it asks against this schema, and gives
 * nothing but files of that template.
 */
import * as v from 'valibot';
import type { PackedImage } from './protocol.ts';

/** Requests that may be under way on one port. */
export const TEMPLATE_REQUESTS = 64;

export const TemplateRequestSchema = v.variant('kind', [
  v.strictObject({
    kind: v.literal('piece'),
    piece: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1 << 14)),
  }),
  v.strictObject({ kind: v.literal('images') }),
]);
export type TemplateRequest = v.InferOutput<typeof TemplateRequestSchema>;

/** Page → worker. The page is trusted: this is a type only. */
export type TemplateAnswer =
  | { readonly kind: 'piece'; readonly piece: number; readonly image: PackedImage }
  | { readonly kind: 'images'; readonly kernel: PackedImage; readonly initrd?: PackedImage }
  | { readonly kind: 'failed'; readonly request: TemplateRequest; readonly error: string };
