/**
 * A disk that is somewhere else: the VM's worker has only a port to it. Requests that are made in the
 * same turn go as one message; as many are under way as the guest makes, up to the broker's bounds.
 * Relies on the broker to answer each; guarantees that writes and freezes arrive in order.
 */
import type { BlockBackend } from '../machine/devices/virtio/block-backend.ts';
import {
  BYTES_IN_FLIGHT,
  type DiskAnswer,
  type DiskRequest,
  REQUESTS_IN_FLIGHT,
} from './disk-protocol.ts';

/** What the page says of a disk. */
export interface PortDiskConfig {
  readonly port: MessagePort;
  readonly id: string;
  readonly size: number;
  readonly readOnly: boolean;
}

interface Waiting {
  readonly bytes: number;
  resolve(data: ArrayBuffer | undefined): void;
  reject(error: Error): void;
}

interface Outgoing {
  readonly request: DiskRequest;
  readonly bytes: number;
}

export class PortDisk implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  readonly id: string;
  #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  #queue: Outgoing[] = [];
  #posting = false;
  #next = 0;
  #inFlight = 0;
  #bytesInFlight = 0;

  constructor({ port, id, size, readOnly }: PortDiskConfig) {
    this.#port = port;
    this.id = id;
    this.size = size;
    this.readOnly = readOnly;
    this.#listen();
  }

  /**
   * The same disk as it was in a snapshot, on another port. What is under way is dropped: it belongs
   * to a machine that is about to become another one.
   */
  replace({ port, size }: PortDiskConfig): void {
    if (size !== this.size) throw new Error('The disk of the snapshot has another size.');
    this.#port.close();
    this.#waiting.clear();
    this.#queue = [];
    this.#inFlight = 0;
    this.#bytesInFlight = 0;
    this.#port = port;
    this.#listen();
  }

  #listen(): void {
    this.#port.onmessage = (event: MessageEvent<readonly DiskAnswer[]>) => {
      for (const answer of event.data) this.#answered(answer);
      this.#post();
    };
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const id = this.#next++;
    const length = into.length;
    const data = await this.#ask({ kind: 'read', id, offset, length }, id, length);
    if (data?.byteLength !== length) throw new Error('The storage answered with too little.');
    into.set(new Uint8Array(data));
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    const id = this.#next++;
    // A copy: what crosses to another worker is given away.
    const data = new Uint8Array(from).buffer;
    await this.#ask({ kind: 'write', id, offset, data }, id, data.byteLength);
  }

  async flush(): Promise<void> {
    const id = this.#next++;
    await this.#ask({ kind: 'flush', id }, id, 0);
  }

  async discard(offset: number, length: number): Promise<void> {
    const id = this.#next++;
    await this.#ask({ kind: 'discard', id, offset, length }, id, 0);
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    const id = this.#next++;
    await this.#ask({ kind: 'zeroes', id, offset, length }, id, 0);
  }

  freeze(token: string): void {
    this.#queue.push({ request: { kind: 'freeze', token }, bytes: 0 });
    // At once: what the guest writes next comes after it in any case, and the snapshot waits for it.
    this.#post();
  }

  #ask(request: DiskRequest, id: number, bytes: number): Promise<ArrayBuffer | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { bytes, resolve, reject });
      this.#queue.push({ request, bytes });
      if (this.#posting) return;
      this.#posting = true;
      queueMicrotask(() => {
        this.#posting = false;
        this.#post();
      });
    });
  }

  /** Posts what the bounds allow, in order. */
  #post(): void {
    const batch: DiskRequest[] = [];
    const transfer: ArrayBuffer[] = [];
    let taken = 0;
    for (const { request, bytes } of this.#queue) {
      const room =
        this.#inFlight < REQUESTS_IN_FLIGHT &&
        (this.#inFlight === 0 || this.#bytesInFlight + bytes <= BYTES_IN_FLIGHT);
      if (!room || batch.length === REQUESTS_IN_FLIGHT) break;
      taken++;
      batch.push(request);
      if (request.kind === 'write') transfer.push(request.data);
      if (request.kind === 'freeze') continue;
      this.#inFlight++;
      this.#bytesInFlight += bytes;
    }
    if (batch.length === 0) return;
    this.#queue = this.#queue.slice(taken);
    this.#port.postMessage(batch, transfer);
  }

  #answered(answer: DiskAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    this.#inFlight--;
    this.#bytesInFlight -= waiting.bytes;
    if ('error' in answer) waiting.reject(new Error(answer.error));
    else waiting.resolve(answer.data);
  }
}
