/**
 * Where a restore comes from: over a port from the broker of storage, which has checked every page.
 * Runs are asked for ahead, so that they are on their way while others are taken in; pages that are
 * needed at once overtake them. It closes itself when all pages have been given.
 */
import { decodeSaved } from '../machine/snapshot/encode.ts';
import type { MachineImage, PageRun, SnapshotSource } from '../machine/snapshot/snapshot.ts';
import {
  FETCH_MAX,
  type SentRun,
  type SourceAnswer,
  type SourceMessage,
} from './snapshot-protocol.ts';

/** Batches of runs on their way. */
const AHEAD = 4;

type Answer = Exclude<SourceAnswer, { error: string }>;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

export class PortSource implements SnapshotSource {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #image: MachineImage | undefined;
  #held = new Uint32Array();
  #closed = false;

  private constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<SourceAnswer>) => this.#answered(data);
  }

  static async open(port: MessagePort): Promise<PortSource> {
    const source = new PortSource(port);
    const { image } = await source.#ask({ kind: 'open', id: source.#next++ });
    if (image === undefined) throw new Error('The storage gave no snapshot.');
    const { memory, state, token, held } = image;
    source.#image = { memory, state: decodeSaved(new Uint8Array(state)), token };
    source.#held = held;
    return source;
  }

  get held(): Uint32Array {
    return this.#held;
  }

  get image(): MachineImage {
    if (this.#image === undefined) throw new Error('The snapshot is not open.');
    return this.#image;
  }

  async *pages(): AsyncGenerator<PageRun> {
    let failed = false;
    try {
      yield* this.#stream();
    } catch (error) {
      // Single pages may still be had.
      failed = true;
      throw error;
    } finally {
      if (!failed) this.close();
    }
  }

  async *#stream(): AsyncGenerator<PageRun> {
    const ahead: Promise<Answer>[] = [];
    for (;;) {
      while (ahead.length < AHEAD) {
        const batch = this.#ask({ kind: 'next', id: this.#next++ });
        // Met below, or by nobody when the restore has ended.
        batch.catch(() => {});
        ahead.push(batch);
      }
      const { runs = [], done } = await ahead.shift()!;
      for (const run of runs) yield received(run);
      if (done) return;
    }
  }

  async fetch(pages: readonly number[]): Promise<readonly PageRun[]> {
    const parts: Promise<Answer>[] = [];
    for (let at = 0; at < pages.length; at += FETCH_MAX) {
      const part = pages.slice(at, at + FETCH_MAX);
      parts.push(this.#ask({ kind: 'fetch', id: this.#next++, pages: part }));
    }
    return (await Promise.all(parts)).flatMap(({ runs = [] }) => runs.map(received));
  }

  /** Nothing more is wanted of it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#post({ kind: 'close' });
    this.#port.close();
    for (const { reject } of this.#waiting.values()) reject(new Error('The snapshot is closed.'));
    this.#waiting.clear();
  }

  #ask(message: Exclude<SourceMessage, { kind: 'close' }>): Promise<Answer> {
    if (this.#closed) return Promise.reject(new Error('The snapshot is closed.'));
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
      this.#post(message);
    });
  }

  #answered(answer: SourceAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer);
  }

  #post(message: SourceMessage): void {
    this.#port.postMessage(message);
  }
}

function received({ first, data }: SentRun): PageRun {
  return { first, bytes: new Uint8Array(data) };
}
