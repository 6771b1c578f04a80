/**
 * The template that a VM starts from, as its worker has it: a port on which pieces of the snapshot
 * come, and the images of a cold boot when one is needed. What comes is unpacked here.
 */
import type { BootConfig } from '../machine/loader/boot.ts';
import type { PackedImage } from './protocol.ts';
import type { TemplateAnswer, TemplateRequest } from './template-protocol.ts';
import { unpack } from './unpack.ts';

interface Waiting {
  resolve(answer: TemplateAnswer): void;
  reject(error: Error): void;
}

export class TemplatePort {
  readonly #waiting = new Map<string, Waiting>();

  constructor(private readonly port: MessagePort) {
    port.onmessage = (event: MessageEvent<TemplateAnswer>) => {
      const answer = event.data;
      const key = keyOf(answer.kind === 'failed' ? answer.request : answer);
      const waiting = this.#waiting.get(key);
      this.#waiting.delete(key);
      if (answer.kind === 'failed') waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer);
    };
  }

  /** A piece of the snapshot, unpacked. Nobody asks twice at the same time. */
  async piece(piece: number): Promise<Uint8Array<ArrayBuffer>> {
    const answer = await this.#ask({ kind: 'piece', piece });
    if (answer.kind !== 'piece')
      throw new Error('The page gave something else than was asked for.');
    return unpack(answer.image);
  }

  /** What the guest boots when it is reset. */
  async images(append: string): Promise<BootConfig> {
    const answer = await this.#ask({ kind: 'images' });
    if (answer.kind !== 'images')
      throw new Error('The page gave something else than was asked for.');
    return linuxBoot(answer.kernel, answer.initrd, append);
  }

  #ask(request: TemplateRequest): Promise<TemplateAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(keyOf(request), { resolve, reject });
      this.port.postMessage(request);
    });
  }
}

/** A Linux to boot, from its packed images. */
export async function linuxBoot(
  kernel: PackedImage,
  initrd: PackedImage | undefined,
  append: string,
): Promise<BootConfig> {
  const [image, ram] = await Promise.all([unpack(kernel), initrd && unpack(initrd)]);
  return { kind: 'linux', kernel: image, ...(ram === undefined ? {} : { initrd: ram }), append };
}

function keyOf(message: TemplateRequest | TemplateAnswer): string {
  return message.kind === 'piece' ? `piece ${message.piece}` : message.kind;
}
