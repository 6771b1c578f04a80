/**
 * Gives one snapshot out over a port to the VM's worker that restores it: runs in order, and pages out
 * of order for a guest that waits for them, for as long as the worker wants. The worker may have
 * been taken over: it gets this one snapshot and nothing else, and what is under way is bounded.
 */
import * as v from 'valibot';
import { messageOf } from '../../machine/errors.ts';
import type { PageRun } from '../../machine/snapshot/snapshot.ts';
import { stateCodec } from '../../storage/snapshots/codec.ts';
import type { OpenSnapshot } from '../../storage/snapshots/snapshot-store.ts';
import {
  BATCH_BYTES,
  SOURCE_IN_FLIGHT,
  type SourceAnswer,
  type SourceMessage,
  SourceMessageSchema,
} from '../../worker/snapshot-protocol.ts';

export interface SourceEvents {
  /** The worker broke the rules; the port is closed. */
  violation(what: string): void;
  /** Nothing more is asked for: called once. */
  closed(): void;
}

export class SourceService {
  #closed = false;
  #inFlight = 0;
  #runs: AsyncIterator<PageRun> | undefined;
  #opened = false;
  /** Batches of the stream are made one after the other. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly source: OpenSnapshot,
    private readonly port: MessagePort,
    private readonly events: SourceEvents,
  ) {
    port.onmessage = (event: MessageEvent<unknown>) => {
      if (this.#closed) return;
      if (event.ports.length > 0) return this.#refuse('it sent a port that nobody asked for');
      const message = v.safeParse(SourceMessageSchema, event.data);
      if (!message.success) return this.#refuse(message.issues[0].message);
      this.#take(message.output);
    };
    port.onmessageerror = () => this.#refuse('it sent an unreadable message');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.port.onmessage = null;
    this.port.close();
    this.events.closed();
  }

  #take(message: SourceMessage): void {
    if (message.kind === 'close') {
      this.close();
      return;
    }
    const again = message.kind === 'open' && this.#opened;
    if (message.kind === 'open') this.#opened = true;
    if (again || ++this.#inFlight > SOURCE_IN_FLIGHT) {
      this.#refuse(again ? 'it opened a snapshot twice' : 'it asked for too much at once');
      return;
    }
    this.#perform(message).then(
      (answer) => this.#answer({ id: message.id, ...answer }),
      (error: unknown) => this.#answer({ id: message.id, error: messageOf(error).slice(0, 1000) }),
    );
  }

  async #perform(message: Exclude<SourceMessage, { kind: 'close' }>) {
    switch (message.kind) {
      case 'open': {
        const { memory, state, token } = this.source.image;
        const held = new Uint32Array(this.source.held);
        return { image: { memory, state: stateCodec.encode(state).buffer, token, held } };
      }
      case 'fetch':
        return { runs: (await this.source.fetch(message.pages)).map(sent) };
      case 'next': {
        const batch = this.#tail.then(() => this.#batch());
        this.#tail = batch.catch(() => {});
        return batch;
      }
    }
  }

  async #batch() {
    this.#runs ??= this.source.pages()[Symbol.asyncIterator]();
    const runs = [];
    for (let bytes = 0; bytes < BATCH_BYTES; ) {
      const { value, done } = await this.#runs.next();
      if (done) return { runs, done };
      bytes += value.bytes.byteLength;
      runs.push(sent(value));
    }
    return { runs };
  }

  #answer(answer: SourceAnswer): void {
    this.#inFlight--;
    if (this.#closed) return;
    const transfer: ArrayBuffer[] = [];
    if (!('error' in answer)) {
      for (const { data } of answer.runs ?? []) transfer.push(data);
      if (answer.image) transfer.push(answer.image.state, answer.image.held.buffer);
    }
    this.port.postMessage(answer, transfer);
  }

  #refuse(what: string): void {
    if (this.#closed) return;
    this.close();
    this.events.violation(what);
  }
}

/** A run to give away: its buffer is its own. */
function sent({ first, bytes }: PageRun) {
  const whole = bytes.byteLength === bytes.buffer.byteLength;
  return { first, data: whole ? bytes.buffer : bytes.slice().buffer };
}
