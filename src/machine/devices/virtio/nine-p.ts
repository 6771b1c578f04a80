/**
 * virtio 9P transport (virtio 1.2 device 9): moves messages of 9P2000.L between the guest's driver
 * and a ShareBackend, several at a time. It relies on the queue to drop the answers to requests that a
 * reset has abandoned, and on the backend to check what is in a message. Guarantees that an answer
 * fits its room, that the host holds a bounded number of bytes, and that a share goes on after a
 * restore: the session (nine-p-session.ts) is played again to whatever backend there is then.
 */
import type { State } from '../../state.ts';
import { type DescriptorChain, VirtioError } from '../../virtio/chain.ts';
import { DEVICE_ID } from '../../virtio/constants.ts';
import type { VirtioDevice, VirtioLink } from '../../virtio/device.ts';
import { isPowerOfTwo } from '../../virtio/queue.ts';
import { NinePSession, sendAgain } from './nine-p-session.ts';
import { ascii, ERRNO, ERROR_BYTES, errorAnswer, HEADER, MSIZE_MAX, T } from './nine-p-wire.ts';
import { type ShareBackend, TAG_PATTERN } from './share-backend.ts';

/** The configuration space holds a mount tag. */
export const MOUNT_TAG = 0;

const QUEUE_SIZE = 128;
/** New requests wait while those under way hold more bytes than this, room for answers included. */
const IN_FLIGHT_LIMIT = 8 * MSIZE_MAX;

interface Request {
  readonly chain: DescriptorChain;
  readonly message: Uint8Array<ArrayBuffer>;
  readonly epoch: number;
  /** Bytes that it may hold in the host. */
  readonly bytes: number;
}

export interface NinePOptions {
  /** The backend failed: a sentence for the VM's event log. The guest sees an I/O error. */
  readonly onError?: (reason: string) => void;
}

export class NinePDevice implements VirtioDevice {
  readonly name = 'virtio-9p';
  readonly deviceId = DEVICE_ID.NINE_P;
  readonly features = [MOUNT_TAG];
  readonly queueSizes = [QUEUE_SIZE];
  readonly config: Uint8Array;
  readonly state: State;
  readonly #backend: ShareBackend;
  readonly #onError: (reason: string) => void;
  readonly #session = new NinePSession();
  #link: VirtioLink | undefined;
  /** Grows with each reset and restore: requests of an earlier one are stale. */
  #epoch = 0;
  #stale = 0;
  #requests = 0;
  #bytes = 0;
  #failures = 0;
  /** The session is to be played again first, and then these requests sent again. */
  #replaying = false;
  #again: DescriptorChain[] = [];

  constructor(backend: ShareBackend, { onError = () => {} }: NinePOptions = {}) {
    if (!TAG_PATTERN.test(backend.tag)) {
      throw new RangeError(`A shared folder cannot have the tag "${backend.tag}".`);
    }
    this.#backend = backend;
    this.#onError = onError;
    this.state = this.#session.state;
    const tag = ascii(backend.tag);
    this.config = Uint8Array.of(tag.length, 0, ...tag);
  }

  /** Requests that the backend has not answered yet, stale ones included. */
  get inFlight(): number {
    return this.#requests;
  }

  attach(link: VirtioLink): void {
    this.#link = link;
  }

  onQueue(index: number): void {
    if (this.#stale > 0 || this.#replaying) return;
    const queue = this.#link!.queues[index]!;
    while (this.#bytes <= IN_FLIGHT_LIMIT) {
      const chain = queue.pop();
      if (chain === undefined) return;
      this.#start(chain, false);
    }
  }

  resume(_index: number, chain: DescriptorChain): void {
    if (this.#replaying) this.#again.push(chain);
    else this.#start(chain, true);
  }

  reset(): void {
    this.#abandon();
    this.#session.reset();
    this.#replaying = false;
  }

  restored(): void {
    this.#abandon();
    this.#replaying = true;
    this.#replaySoon();
  }

  #abandon(): void {
    this.#epoch++;
    this.#stale = this.#requests;
    this.#again = [];
  }

  /** Reads one message, sends it, answers. */
  #start(chain: DescriptorChain, again: boolean): void {
    const { reader, writer } = chain;
    const length = reader.remaining;
    if (length < HEADER || length > MSIZE_MAX || writer.remaining < ERROR_BYTES) {
      throw new VirtioError(
        `A 9P request of ${length} bytes with room for ${writer.remaining} is none.`,
      );
    }
    const whole = new Uint8Array(length);
    reader.read(whole);
    const bytes = length + Math.min(writer.remaining, MSIZE_MAX);
    // What is sent is handed over for good, and the session looks at the request later; of what is
    // written it needs nothing.
    const message = whole[4] === T.WRITE ? whole.slice(0, HEADER) : whole.slice();
    const request: Request = { chain, message, epoch: this.#epoch, bytes };
    this.#requests++;
    this.#bytes += bytes;
    const send = (one: Uint8Array<ArrayBuffer>) => this.#backend.request(one);
    const answer = again ? sendAgain(whole, send) : send(whole);
    answer.then(
      (answered) => this.#settled(request, answered),
      (error: unknown) => {
        this.#report(error);
        this.#settled(request, errorAnswer(tagOf(message), ERRNO.EIO));
      },
    );
  }

  #settled({ chain, message, epoch, bytes }: Request, answer: Uint8Array): void {
    const link = this.#link!;
    this.#requests--;
    this.#bytes -= bytes;
    if (epoch !== this.#epoch) {
      this.#stale--;
      if (this.#stale === 0 && this.#replaying) this.#replaySoon();
    } else {
      link.run(() => {
        this.#session.note(message, answer);
        const fits = answer.length >= HEADER && answer.length <= chain.writer.remaining;
        chain.writer.write(fits ? answer : errorAnswer(tagOf(message), ERRNO.EMSGSIZE));
        link.complete(0, chain);
      });
    }
    link.poke(0);
  }

  /** Plays the session again once the requests of before have left the backend. */
  #replaySoon(): void {
    if (this.#stale > 0) return;
    const epoch = this.#epoch;
    const current = () => epoch === this.#epoch;
    const done = () => {
      if (!current()) return;
      this.#replaying = false;
      const chains = this.#again;
      this.#again = [];
      this.#link!.run(() => {
        for (const chain of chains) this.#start(chain, true);
      });
      this.#link!.poke(0);
    };
    // Not before `resume` has been called for all that was in flight.
    const begin = Promise.resolve();
    const replayed = !this.#session.begun
      ? begin
      : begin.then(() =>
          this.#session.replay((message) => {
            if (!current()) throw new Error('the machine was reset');
            return this.#backend.request(message);
          }),
        );
    replayed.then(done, (error: unknown) => {
      if (current()) this.#report(error);
      done();
    });
  }

  #report(error: unknown): void {
    // A guest that goes on asking must not fill the log: the 1st, 2nd, 4th, 8th, …
    if (!isPowerOfTwo(++this.#failures)) return;
    const what = error instanceof Error ? error.message : String(error);
    const often = this.#failures === 1 ? '' : ` (${this.#failures} times so far)`;
    this.#onError(`The shared folder ${this.#backend.tag} failed: ${what}${often}`);
  }
}

function tagOf(message: Uint8Array): number {
  return message[5]! | (message[6]! << 8);
}
