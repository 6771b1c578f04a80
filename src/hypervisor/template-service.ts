/**
 * Serves the template that a VM started from to its worker, which may have been taken over. Relies on
 * the schema for the form of what comes; guarantees that nothing but files of that template goes out,
 * that what is under way is bounded, and that the first message that breaks the rules ends it.
 */
import * as v from 'valibot';
import type { PackedImage } from '../worker/protocol.ts';
import {
  TEMPLATE_REQUESTS,
  type TemplateAnswer,
  type TemplateRequest,
  TemplateRequestSchema,
} from '../worker/template-protocol.ts';
import { copyOf } from './copy-image.ts';

export interface ServedTemplate {
  piece(number: number): Promise<PackedImage>;
  images(): Promise<{ kernel: PackedImage; initrd?: PackedImage }>;
}

/** Serves until the port is closed, which ends it. */
export function serveTemplate(
  port: MessagePort,
  template: ServedTemplate,
  violation: (what: string) => void,
): void {
  let underWay = 0;
  const refuse = (what: string) => {
    port.onmessage = null;
    port.close();
    violation(what);
  };
  const answer = async (request: TemplateRequest): Promise<TemplateAnswer> => {
    if (request.kind === 'piece') {
      const { piece } = request;
      return { kind: 'piece', piece, image: copyOf(await template.piece(piece)) };
    }
    const { kernel, initrd } = await template.images();
    return { kind: 'images', kernel: copyOf(kernel), ...(initrd && { initrd: copyOf(initrd) }) };
  };
  port.onmessage = async (event: MessageEvent<unknown>) => {
    const parsed = v.safeParse(TemplateRequestSchema, event.data);
    if (!parsed.success || event.ports.length > 0) {
      refuse('it asked its template for something that there is not');
      return;
    }
    if (underWay >= TEMPLATE_REQUESTS) {
      refuse('it asked its template for too much at once');
      return;
    }
    underWay++;
    const request = parsed.output;
    const answered = await answer(request).catch((error: unknown): TemplateAnswer => {
      const message = error instanceof Error ? error.message : String(error);
      return { kind: 'failed', request, error: message.slice(0, 1000) };
    });
    underWay--;
    port.postMessage(answered, buffersOf(answered));
  };
  port.onmessageerror = () => refuse('it sent an unreadable message');
}

function buffersOf(answer: TemplateAnswer): ArrayBuffer[] {
  if (answer.kind === 'failed') return [];
  const images = answer.kind === 'piece' ? [answer.image] : [answer.kernel, answer.initrd];
  return images.flatMap((image) => (image === undefined ? [] : [image.bytes]));
}
