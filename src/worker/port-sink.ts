/**
 * Where a capture goes: over a port to the broker of storage, which acknowledges each run. Guarantees
 * that no more than a window of pages is on its way, so that a slow storage slows the capture and
 * not the memory; the machine sees to it that the guest waits when it must.
 */
import { encodeSaved } from '../machine/snapshot/encode.ts';
import type { MachineImage, PageRun, SnapshotSink } from '../machine/snapshot/snapshot.ts';
import { CAPTURE_WINDOW, type CaptureAnswer, type CaptureMessage } from './snapshot-protocol.ts';

interface Waiting {
  readonly bytes: number;
  resolve(there: boolean): void;
  reject(error: Error): void;
}

export class PortSink implements SnapshotSink {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #bytes = 0;
  /** Why no more pages are to come: what the broker could not store. */
  #failure: Error | undefined;
  #room: (() => void) | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<CaptureAnswer>) => this.#answered(data);
  }

  has(token: string): Promise<boolean> {
    return this.#ask({ kind: 'has', id: this.#next++, token });
  }

  async begin({ memory, state, token, base }: MachineImage): Promise<void> {
    const bytes = encodeSaved(state).buffer;
    const message = { kind: 'begin', id: this.#next++, memory, state: bytes, token } as const;
    await this.#ask(base === undefined ? message : { ...message, base }, [bytes]);
  }

  pages({ first, bytes }: PageRun): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    const { buffer } = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
    const id = this.#next++;
    this.#ask({ kind: 'pages', id, first, data: buffer }, [buffer], bytes.byteLength).catch(
      (error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
        this.#room?.();
      },
    );
    if (this.#bytes < CAPTURE_WINDOW) return undefined;
    return new Promise((resolve, reject) => {
      this.#room = () => {
        if (this.#failure) reject(this.#failure);
        else if (this.#bytes < CAPTURE_WINDOW) resolve();
        else return;
        this.#room = undefined;
      };
    });
  }

  async end(): Promise<void> {
    await this.#ask({ kind: 'end', id: this.#next++ });
    this.#port.close();
  }

  abort(reason: string): void {
    this.#post({ kind: 'abort', reason: reason.slice(0, 2000) });
    this.#port.close();
  }

  #ask(
    message: Exclude<CaptureMessage, { kind: 'abort' }>,
    transfer: ArrayBuffer[] = [],
    bytes = 0,
  ): Promise<boolean> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { bytes, resolve, reject });
      this.#bytes += bytes;
      this.#post(message, transfer);
    });
  }

  #answered(answer: CaptureAnswer): void {
    if ('over' in answer) {
      const failure = new Error(answer.over);
      this.#failure ??= failure;
      for (const { reject } of this.#waiting.values()) reject(failure);
      this.#waiting.clear();
      this.#room?.();
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    this.#bytes -= waiting.bytes;
    if ('error' in answer) waiting.reject(new Error(answer.error));
    else waiting.resolve(answer.there === true);
    this.#room?.();
  }

  #post(message: CaptureMessage, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}
