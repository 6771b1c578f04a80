/**
 * Takes one capture in over a port from a VM's worker, which may have been taken over, into a sink of
 * the snapshot store. Relies on the schema for the form of what comes; guarantees that only the
 * machine's own pages are stored, each about once, that what waits is bounded, and that whatever
 * goes wrong leaves nothing half-made: the sink is aborted.
 */
import * as v from 'valibot';
import { PAGE_SIZE } from '../../core/layout.ts';
import { messageOf } from '../../machine/errors.ts';
import type { SnapshotSink } from '../../machine/snapshot/snapshot.ts';
import { stateCodec } from '../../storage/snapshots/codec.ts';
import {
  CAPTURE_WINDOW,
  type CaptureAnswer,
  type CaptureMessage,
  CaptureMessageSchema,
  RUN_BYTES,
} from '../../worker/snapshot-protocol.ts';

export interface CaptureBounds {
  /** Bytes of the VM's RAM. */
  readonly memory: number;
  /** Token of the one snapshot that this VM may build upon. */
  readonly base: string | undefined;
}

export interface CaptureEvents {
  /** Bytes of pages that have come. */
  progress(bytes: number): void;
  /** The worker broke the rules; the port is closed. */
  violation(what: string): void;
}

/** Nobody asks more often whether a base is there. */
const QUESTIONS_MAX = 4;

export class CaptureService {
  /** Resolves when the snapshot is durable; rejects with why it is not. */
  readonly done: Promise<void>;
  #finish: { resolve: () => void; reject: (error: Error) => void } = {
    resolve: () => {},
    reject: () => {},
  };
  #state: 'new' | 'begun' | 'ending' | 'over' = 'new';
  #questions = 0;
  #bytes = 0;
  #waiting = 0;
  /** Messages are worked off in their order. */
  #tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly sink: SnapshotSink,
    private readonly port: MessagePort,
    private readonly bounds: CaptureBounds,
    private readonly events: CaptureEvents,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.#finish = { resolve, reject };
    });
    this.done.catch(() => {});
    port.onmessage = (event: MessageEvent<unknown>) => {
      if (this.#state === 'over') return;
      if (event.ports.length > 0) return this.#refuse('it sent a port that nobody asked for');
      const message = v.safeParse(CaptureMessageSchema, event.data);
      if (!message.success) return this.#refuse(message.issues[0].message);
      const wrong = this.#wrong(message.output);
      if (wrong !== undefined) return this.#refuse(wrong);
      this.#take(message.output);
    };
    port.onmessageerror = () => this.#refuse('it sent an unreadable message');
  }

  /** Ends a capture from this side. */
  cancel(reason: string): void {
    this.#end(new Error(reason));
  }

  /** What rule a message breaks, if any. */
  #wrong(message: CaptureMessage): string | undefined {
    switch (message.kind) {
      case 'has':
        if (this.#state !== 'new' || ++this.#questions > QUESTIONS_MAX) {
          return 'it asked for snapshots that it does not take';
        }
        return undefined;
      case 'begin':
        if (this.#state !== 'new') return 'it began a snapshot twice';
        if (message.memory !== this.bounds.memory) return 'its snapshot has another size of memory';
        if (message.base !== undefined && message.base !== this.bounds.base) {
          return 'its snapshot builds upon one that is not its own';
        }
        this.#state = 'begun';
        return undefined;
      case 'pages': {
        const { byteLength } = message.data;
        if (this.#state !== 'begun') return 'it sent pages that nobody asked for';
        if (message.first * PAGE_SIZE + byteLength > this.bounds.memory) {
          return 'it sent pages that its machine does not have';
        }
        this.#bytes += byteLength;
        this.#waiting += byteLength;
        if (this.#bytes > this.bounds.memory) return 'it sent more pages than its machine has';
        if (this.#waiting > CAPTURE_WINDOW + RUN_BYTES) return 'it sent too many pages at once';
        return undefined;
      }
      case 'end':
        if (this.#state !== 'begun') return 'it ended a snapshot that it had not begun';
        this.#state = 'ending';
        return undefined;
      case 'abort':
        return undefined;
    }
  }

  #take(message: CaptureMessage): void {
    if (message.kind === 'abort') {
      this.#end(new Error(message.reason));
      return;
    }
    const { id } = message;
    this.#tail = this.#tail.then(async () => {
      if (this.#state === 'over') return;
      try {
        const answer = await this.#perform(message);
        this.#answer({ id, ...answer });
        if (message.kind === 'end') this.#end();
      } catch (error) {
        this.#answer({ id, error: messageOf(error).slice(0, 1000) });
        this.#end(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  async #perform(
    message: Exclude<CaptureMessage, { kind: 'abort' }>,
  ): Promise<{ there?: boolean }> {
    const { sink, bounds } = this;
    switch (message.kind) {
      case 'has': {
        const own = message.token === bounds.base;
        return { there: own && (await sink.has?.(message.token)) === true };
      }
      case 'begin': {
        const { memory, token, base } = message;
        const state = stateCodec.decode(new Uint8Array(message.state));
        await sink.begin({ memory, state, token, ...(base === undefined ? {} : { base }) });
        return {};
      }
      case 'pages': {
        await sink.pages({ first: message.first, bytes: new Uint8Array(message.data) });
        this.#waiting -= message.data.byteLength;
        this.events.progress(this.#bytes);
        return {};
      }
      case 'end':
        await sink.end();
        return {};
    }
  }

  #answer(answer: CaptureAnswer): void {
    if (this.#state !== 'over') this.port.postMessage(answer);
  }

  #refuse(what: string): void {
    if (this.#state === 'over') return;
    this.#end(new Error(`The VM's worker broke the rules: ${what}.`));
    this.events.violation(what);
  }

  /** Nothing more is taken. Without a failure: all is stored. */
  #end(failure?: Error): void {
    if (this.#state === 'over') return;
    if (failure) this.#answer({ over: failure.message.slice(0, 1000) });
    this.#state = 'over';
    this.port.onmessage = null;
    // What was posted is still delivered.
    this.port.close();
    if (failure === undefined) {
      this.#finish.resolve();
      return;
    }
    // What is being stored just now ends first: nothing is written to what has been removed.
    this.#tail.then(() => {
      this.sink.abort(failure.message);
      this.#finish.reject(failure);
    });
  }
}
