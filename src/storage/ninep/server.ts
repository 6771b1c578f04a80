/**
 * A server of 9P2000.L over a ShareFileSystem: one session of one guest. It relies on nothing that a
 * message says: each field is read strictly, names that could lead out of the folder are refused, fids
 * are bounded, and every failure is an answer with Linux's error number. What changes names runs one
 * request after the other; reads and writes run beside each other. What a freeze finds is what the
 * requests before it have done, all of it.
 */
import { FIDS_MAX } from '../../machine/devices/virtio/nine-p-session.ts';
import {
  ERRNO,
  errorAnswer,
  HEADER,
  MSIZE_MAX,
  MSIZE_MIN,
  NO_TAG,
  T,
  VERSION_L,
  WireError,
  WireReader,
  WireWriter,
} from '../../machine/devices/virtio/nine-p-wire.ts';
import { Fids } from './fids.ts';
import { ShareError, type ShareFileSystem } from './file-system.ts';
import { answer, changes, isKnown, type Operation } from './operations.ts';
import type { Context } from './values.ts';

export interface ServerEvents {
  /** A failure that no error number describes. */
  onError?(reason: string): void;
  /** The guest has changed something. */
  onChange?(): void;
  /** What is there now belongs to the snapshot `token`. */
  onFreeze?(token: string): void | Promise<void>;
}

/** Requests of one session under way. */
const IN_FLIGHT_MAX = 512;

export class NinePServer<N> {
  readonly #fs: ShareFileSystem<N>;
  readonly #events: ServerEvents;
  readonly #fids: Fids<N>;
  readonly #inFlight = new Map<number, Promise<unknown>>();
  /** Ends when all that changes names has ended. */
  #order: Promise<unknown> = Promise.resolve();
  /** Ends when a session change or a freeze has ended, which all requests await. */
  #barrier: Promise<void> | undefined;
  #msize = MSIZE_MAX;
  #begun = false;

  constructor(fs: ShareFileSystem<N>, events: ServerEvents = {}) {
    this.#fs = fs;
    this.#events = events;
    this.#fids = new Fids(fs, FIDS_MAX);
  }

  /** The answer to one message; never rejects. */
  request(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    if (message.length < HEADER) return Promise.resolve(errorAnswer(NO_TAG, ERRNO.EPROTO));
    const reader = new WireReader(message);
    const size = reader.u32();
    const type = reader.u8();
    const tag = reader.u16();
    if (size !== message.length || size > this.#msize || this.#inFlight.size >= IN_FLIGHT_MAX) {
      return Promise.resolve(errorAnswer(tag, ERRNO.EPROTO));
    }
    if (type === T.VERSION) return this.#alone(() => this.#version(reader, tag));
    if (!this.#begun) return Promise.resolve(errorAnswer(tag, ERRNO.EPROTO));
    if (type === T.FLUSH) return this.#flush(reader, tag);
    if (!isKnown(type)) return Promise.resolve(errorAnswer(tag, ERRNO.EOPNOTSUPP));
    if (this.#inFlight.has(tag)) return Promise.resolve(errorAnswer(tag, ERRNO.EINVAL));
    const done = this.#run(type, tag, reader).finally(() => this.#inFlight.delete(tag));
    this.#inFlight.set(tag, done);
    return done;
  }

  /** What was requested so far belongs to the snapshot, what comes now does not. */
  freeze(token: string): void {
    void this.#alone(() => this.#events.onFreeze?.(token)).catch((error: unknown) =>
      this.#report(error),
    );
  }

  /** Ends the session: all files are closed. */
  async dispose(): Promise<void> {
    await this.#alone(() => this.#fids.clear());
  }

  async #run(type: Operation, tag: number, reader: WireReader): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#barrier) await this.#barrier;
    const context: Context<N> = { fs: this.#fs, fids: this.#fids, msize: this.#msize };
    try {
      const done = await answer(context, type, tag, reader, (work) => this.#ordered(work));
      if (changes(type)) this.#events.onChange?.();
      return done;
    } catch (error) {
      return errorAnswer(tag, this.#errnoOf(error));
    }
  }

  /** Runs `work` when all that was begun in order before it has ended. */
  #ordered<R>(work: () => Promise<R>): Promise<R> {
    const done = this.#order.then(work);
    this.#order = done.catch(() => {});
    return done;
  }

  /** Runs `work` when all requests that came before have ended; those that come later wait. */
  #alone<R>(work: () => R | Promise<R>): Promise<R> {
    const before = [...this.#inFlight.values(), this.#barrier];
    const done = Promise.allSettled(before).then(work);
    const barrier = done.then(
      () => {},
      () => {},
    );
    this.#barrier = barrier;
    void barrier.then(() => {
      if (this.#barrier === barrier) this.#barrier = undefined;
    });
    return done;
  }

  async #version(reader: WireReader, tag: number): Promise<Uint8Array<ArrayBuffer>> {
    try {
      const msize = reader.u32();
      const version = String.fromCharCode(...reader.string().subarray(0, 100));
      if (reader.remaining > 0 || msize < MSIZE_MIN) return errorAnswer(tag, ERRNO.EINVAL);
      await this.#fids.clear();
      this.#begun = version === VERSION_L;
      this.#msize = this.#begun ? Math.min(msize, MSIZE_MAX) : MSIZE_MAX;
      const name = this.#begun ? VERSION_L : 'unknown';
      const bytes = Uint8Array.from(name, (letter) => letter.charCodeAt(0));
      return new WireWriter(T.VERSION + 1, tag).u32(this.#msize).string(bytes).finish();
    } catch (error) {
      return errorAnswer(tag, this.#errnoOf(error));
    }
  }

  /** A request is not interrupted: the answer to the flush comes after its own. */
  async #flush(reader: WireReader, tag: number): Promise<Uint8Array<ArrayBuffer>> {
    if (reader.remaining !== 2) return errorAnswer(tag, ERRNO.EPROTO);
    await this.#inFlight.get(reader.u16())?.catch(() => {});
    return new WireWriter(T.FLUSH + 1, tag, HEADER).finish();
  }

  #errnoOf(error: unknown): number {
    if (error instanceof ShareError) return error.errno;
    if (error instanceof WireError) return ERRNO.EPROTO;
    this.#report(error);
    return ERRNO.EIO;
  }

  #report(error: unknown): void {
    this.#events.onError?.(error instanceof Error ? error.message : String(error));
  }
}
