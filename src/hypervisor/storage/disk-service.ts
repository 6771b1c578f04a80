/**
 * Serves one disk on a port to a VM's worker, which may have been taken over. Relies on the schema for
 * the form of what comes; guarantees that nothing outside the disk is touched, that what is under way
 * is bounded, and that the first message that breaks the rules ends the service.
 */
import * as v from 'valibot';
import type { BlockBackend } from '../../machine/devices/virtio/block-backend.ts';
import { StorageError } from '../../storage/files.ts';
import {
  BYTES_IN_FLIGHT,
  type DiskAnswer,
  DiskBatchSchema,
  type DiskRequest,
  REQUESTS_IN_FLIGHT,
} from '../../worker/disk-protocol.ts';

export interface DiskServiceEvents {
  /** The disk could not do what the guest asked: a sentence for a person. */
  trouble(message: string): void;
  /** The worker broke the rules; the port is closed. */
  violation(what: string): void;
}

/** Tokens that are remembered. */
const TOKENS_MAX = 16;
/** A freeze that waits behind much that the guest writes has come after this time, in milliseconds. */
const FREEZE_WAIT_MS = 60_000;
/** A sentence about the same trouble is not told again within this time, in milliseconds. */
const TROUBLE_PAUSE_MS = 10_000;

export class DiskService {
  #inFlight = 0;
  #bytes = 0;
  #closed = false;
  #trouble = { message: '', time: Number.NEGATIVE_INFINITY };
  /** Answers that go together at the end of the turn. */
  #answers: DiskAnswer[] = [];
  readonly #idle: (() => void)[] = [];
  /** Tokens under which the worker has frozen the disk, newest last, and who waits for one. */
  readonly #frozen = new Set<string>();
  readonly #freezing = new Map<string, () => void>();

  constructor(
    private readonly disk: BlockBackend,
    private readonly port: MessagePort,
    private readonly events: DiskServiceEvents,
  ) {
    port.onmessage = (event: MessageEvent<unknown>) => {
      if (this.#closed) return;
      if (event.ports.length > 0) return this.#refuse('it sent a port that nobody asked for');
      const batch = v.safeParse(DiskBatchSchema, event.data);
      if (!batch.success) return this.#refuse(batch.issues[0].message);
      for (const request of batch.output) this.#take(request);
    };
    port.onmessageerror = () => this.#refuse('it sent an unreadable message');
  }

  /** Resolves when the worker has frozen the disk under `token`: what was written before is there. */
  async frozen(token: string): Promise<void> {
    if (this.#frozen.has(token)) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#freezing.set(token, resolve);
        timer = setTimeout(() => {
          reject(new StorageError('failed', 'The disk was not frozen for the snapshot.'));
        }, FREEZE_WAIT_MS);
      });
    } finally {
      clearTimeout(timer);
      this.#freezing.delete(token);
    }
  }

  /** Takes nothing more; resolves when all that is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.port.onmessage = null;
    this.port.close();
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #take(request: DiskRequest): void {
    if (this.#closed) return;
    if (request.kind === 'freeze') {
      this.disk.freeze?.(request.token);
      this.#frozen.add(request.token);
      for (const oldest of this.#frozen) {
        if (this.#frozen.size <= TOKENS_MAX) break;
        this.#frozen.delete(oldest);
      }
      this.#freezing.get(request.token)?.();
      return;
    }
    const bytes = lengthOf(request);
    const moved = request.kind === 'read' || request.kind === 'write' ? bytes : 0;
    const wrong = this.#wrong(request, bytes, moved);
    if (wrong !== undefined) {
      this.#refuse(wrong);
      return;
    }
    this.#inFlight++;
    this.#bytes += moved;
    const ended = (answer: DiskAnswer) => {
      this.#inFlight--;
      this.#bytes -= moved;
      this.#answer(answer);
      if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve();
    };
    const { id } = request;
    const data = request.kind === 'read' ? new Uint8Array(request.length) : undefined;
    const done = () => ended(data ? { id, data: data.buffer } : { id });
    const failed = (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#tell(message);
      ended({ id, error: message.slice(0, 1000) });
    };
    try {
      const result = this.#perform(request, data);
      if (result === undefined) done();
      else result.then(done, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** What rule a request breaks, if any. */
  #wrong(request: DiskRequest, bytes: number, moved: number): string | undefined {
    if ('offset' in request && request.offset + bytes > this.disk.size) {
      return 'it asked for what lies outside of its disk';
    }
    if (this.#inFlight >= REQUESTS_IN_FLIGHT) return 'it asked for too much at once';
    if (this.#inFlight > 0 && this.#bytes + moved > BYTES_IN_FLIGHT) {
      return 'it moved too much at once';
    }
    return undefined;
  }

  #perform(
    request: Exclude<DiskRequest, { kind: 'freeze' }>,
    data: Uint8Array | undefined,
  ): void | Promise<void> {
    const { disk } = this;
    switch (request.kind) {
      case 'read':
        return data && disk.read(request.offset, data);
      case 'write':
        return disk.write(request.offset, new Uint8Array(request.data));
      case 'flush':
        return disk.flush();
      case 'discard':
        return disk.discard(request.offset, request.length);
      case 'zeroes':
        return disk.writeZeroes(request.offset, request.length, true);
    }
  }

  #answer(answer: DiskAnswer): void {
    this.#answers.push(answer);
    if (this.#answers.length > 1) return;
    queueMicrotask(() => {
      const answers = this.#answers;
      this.#answers = [];
      if (this.#closed) return;
      const transfer = answers.flatMap((one) => ('data' in one && one.data ? [one.data] : []));
      this.port.postMessage(answers, transfer);
    });
  }

  #tell(message: string): void {
    const now = performance.now();
    const { message: last, time } = this.#trouble;
    if (message === last && now - time < TROUBLE_PAUSE_MS) return;
    this.#trouble = { message, time: now };
    this.events.trouble(message);
  }

  #refuse(what: string): void {
    if (this.#closed) return;
    void this.close();
    this.events.violation(what);
  }
}

function lengthOf(request: DiskRequest): number {
  if (request.kind === 'write') return request.data.byteLength;
  return 'length' in request ? request.length : 0;
}
