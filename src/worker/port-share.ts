/**
 * A shared folder whose files are on the page's side of a port. Relies on the page to answer each
 * request once; what was asked before a `freeze` arrives there before it, for a port keeps the order.
 */
import type { ShareBackend } from '../machine/devices/virtio/share-backend.ts';
import type { ShareAnswer, ShareMessage } from './share-protocol.ts';

export class PortShare implements ShareBackend {
  readonly tag: string;
  #port: MessagePort;
  readonly #waiting = new Map<number, (answer: Uint8Array) => void>();
  #nextId = 0;

  constructor(tag: string, port: MessagePort) {
    this.tag = tag;
    this.#port = port;
    this.#listen();
  }

  /** Another session of the folder, for a machine that is about to become another one. */
  replace(port: MessagePort): void {
    this.#port.close();
    this.#waiting.clear();
    this.#port = port;
    this.#listen();
  }

  #listen(): void {
    this.#port.onmessage = ({ data }: MessageEvent<ShareAnswer>) => {
      this.#waiting.get(data.id)?.(data.answer);
      this.#waiting.delete(data.id);
    };
  }

  request(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send({ type: 'request', id, message }, [message.buffer]);
    });
  }

  freeze(token: string): void {
    this.#send({ type: 'freeze', token });
  }

  #send(message: ShareMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}
