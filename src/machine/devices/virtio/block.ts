/**
 * virtio block device (virtio 1.2 §5.2): reads, writes, flushes, discards and zeroes the sectors of
 * a BlockBackend, which may answer at once or later; several requests are in flight then. It relies
 * on the queue to drop the answers to requests that a reset has abandoned; new requests wait until the old ones have left the backend, so that a late write
 * never lands on top of a newer one. Bytes held for requests under way are bounded.
 */
import { NO_STATE } from '../../state.ts';
import { type DescriptorChain, VirtioError } from '../../virtio/chain.ts';
import { DEVICE_ID } from '../../virtio/constants.ts';
import type { VirtioDevice, VirtioLink } from '../../virtio/device.ts';
import { isPowerOfTwo } from '../../virtio/queue.ts';
import { type BlockBackend, SECTOR } from './block-backend.ts';
import { DiskCounters, type DiskOperation, type DiskStats } from './disk-stats.ts';

export const BLOCK_FEATURE = {
  SIZE_MAX: 1,
  SEG_MAX: 2,
  RO: 5,
  BLK_SIZE: 6,
  FLUSH: 9,
  DISCARD: 13,
  WRITE_ZEROES: 14,
} as const;

export const BLOCK_TYPE = {
  IN: 0,
  OUT: 1,
  FLUSH: 4,
  GET_ID: 8,
  DISCARD: 11,
  WRITE_ZEROES: 13,
} as const;

export const BLOCK_STATUS = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

const QUEUE_SIZE = 128;
/** Data segments of one request: the queue less header and status. */
const SEG_MAX = QUEUE_SIZE - 2;
/** Bytes of one segment. Any request that respects both limits is served. */
const SIZE_MAX = 64 * 1024;
const REQUEST_LIMIT = SEG_MAX * SIZE_MAX;
/** New requests wait while those under way hold more bytes than this. */
const IN_FLIGHT_LIMIT = 2 * REQUEST_LIMIT;
const ID_LENGTH = 20;

const RANGE_BYTES = 16;
const RANGES_MAX = 16;
/** 2 GiB: discarding costs the host little. */
const DISCARD_SECTORS_MAX = 1 << 22;
/** 16 MiB: zeroes may have to be written. */
const ZERO_SECTORS_MAX = 1 << 15;
const UNMAP = 1;

/** Buffers kept for the next request: this many, up to this size. */
const SPARE_BUFFERS = 4;
const SPARE_BYTES = 256 * 1024;

interface Request {
  readonly chain: DescriptorChain;
  readonly epoch: number;
  /** Host copy of the data on its way in either direction. */
  readonly buffer: Uint8Array | undefined;
  readonly operation: DiskOperation;
  /** When the backend was asked. */
  readonly began: number;
}

export interface BlockOptions {
  /** A backend failed: a sentence for the VM's event log. The guest sees an I/O error. */
  readonly onError?: (reason: string) => void;
  /** Milliseconds on a clock that never goes back: for how long requests take. */
  readonly now?: () => number;
}

export class BlockDevice implements VirtioDevice {
  readonly name = 'virtio-blk';
  readonly deviceId = DEVICE_ID.BLOCK;
  readonly features: readonly number[];
  readonly queueSizes = [QUEUE_SIZE];
  readonly config = new Uint8Array(60);
  /** Requests in flight are the queue's to remember; sectors are the backend's. */
  readonly state = NO_STATE;
  readonly #backend: BlockBackend;
  readonly #onError: (reason: string) => void;
  readonly #now: () => number;
  readonly #counters = new DiskCounters();
  readonly #sectors: number;
  readonly #spare: Uint8Array[] = [];
  #link: VirtioLink | undefined;
  /** Grows with each reset and restore: requests of an earlier one are stale. */
  #epoch = 0;
  #stale = 0;
  #bytesInFlight = 0;
  #requestsInFlight = 0;
  #failures = 0;

  constructor(backend: BlockBackend, { onError = () => {}, now = () => 0 }: BlockOptions = {}) {
    this.#backend = backend;
    this.#onError = onError;
    this.#now = now;
    this.#sectors = Math.floor(backend.size / SECTOR);
    const {
      SIZE_MAX: sizeMax,
      SEG_MAX: segMax,
      RO,
      BLK_SIZE,
      FLUSH,
      DISCARD,
      WRITE_ZEROES,
    } = BLOCK_FEATURE;
    this.features = backend.readOnly
      ? [sizeMax, segMax, BLK_SIZE, FLUSH, RO]
      : [sizeMax, segMax, BLK_SIZE, FLUSH, DISCARD, WRITE_ZEROES];
    this.#describe();
  }

  /** Requests that the backend has not answered yet, stale ones included. */
  get inFlight(): number {
    return this.#requestsInFlight;
  }

  /** What it has done since it was made; `look`: one look among many. */
  stats(look = false): DiskStats {
    return look ? this.#counters.look() : this.#counters.totals;
  }

  attach(link: VirtioLink): void {
    this.#link = link;
  }

  onQueue(index: number): void {
    if (this.#stale > 0) return;
    const queue = this.#link!.queues[index]!;
    while (this.#bytesInFlight <= IN_FLIGHT_LIMIT) {
      const chain = queue.pop();
      if (chain === undefined) return;
      this.#start(chain);
    }
  }

  resume(_index: number, chain: DescriptorChain): void {
    this.#start(chain);
  }

  reset(): void {
    this.#epoch++;
    this.#stale = this.#requestsInFlight;
  }

  restored(): void {
    this.reset();
  }

  /** virtio 1.2 §5.2.4 */
  #describe(): void {
    const view = new DataView(this.config.buffer);
    view.setBigUint64(0, BigInt(this.#sectors), true);
    view.setUint32(8, SIZE_MAX, true);
    view.setUint32(12, SEG_MAX, true);
    view.setUint32(20, SECTOR, true);
    if (this.#backend.readOnly) return;
    view.setUint32(36, DISCARD_SECTORS_MAX, true);
    view.setUint32(40, RANGES_MAX, true);
    view.setUint32(44, 1, true);
    view.setUint32(48, ZERO_SECTORS_MAX, true);
    view.setUint32(52, RANGES_MAX, true);
    view.setUint8(56, 1);
  }

  /** Reads the header once and begins what it asks for. virtio 1.2 §5.2.6 */
  #start(chain: DescriptorChain): void {
    const { reader, writer } = chain;
    if (reader.remaining < 16 || writer.remaining < 1) {
      throw new VirtioError('A block request has no header or no room for its status.');
    }
    const type = reader.readU32();
    reader.readU32();
    const sector = reader.readU64();
    switch (type) {
      case BLOCK_TYPE.IN:
        this.#read(chain, sector);
        break;
      case BLOCK_TYPE.OUT:
        this.#write(chain, sector);
        break;
      case BLOCK_TYPE.FLUSH:
        this.#run(chain, 'flushes', () => this.#backend.flush());
        break;
      case BLOCK_TYPE.GET_ID:
        this.#identify(chain);
        break;
      case BLOCK_TYPE.DISCARD:
      case BLOCK_TYPE.WRITE_ZEROES:
        this.#ranges(chain, type);
        break;
      default:
        this.#finish(chain, BLOCK_STATUS.UNSUPP);
    }
  }

  #read(chain: DescriptorChain, sector: number): void {
    const length = chain.writer.remaining - 1;
    if (!this.#inside(sector, length)) {
      this.#finish(chain, BLOCK_STATUS.IOERR);
      return;
    }
    const buffer = this.#takeBuffer(length);
    this.#run(chain, 'reads', () => this.#backend.read(sector * SECTOR, buffer), buffer);
  }

  #write(chain: DescriptorChain, sector: number): void {
    const length = chain.reader.remaining;
    if (this.#backend.readOnly || !this.#inside(sector, length)) {
      this.#finish(chain, BLOCK_STATUS.IOERR);
      return;
    }
    const buffer = this.#takeBuffer(length);
    chain.reader.read(buffer);
    const write = () => this.#durably(this.#backend.write(sector * SECTOR, buffer));
    this.#run(chain, 'writes', write, buffer);
  }

  /** A driver that cannot flush (virtio 1.2 §5.2.6.2) relies on each write being durable. */
  #durably(written: void | Promise<void>): void | Promise<void> {
    if (this.#link!.has(BLOCK_FEATURE.FLUSH)) return written;
    return written === undefined
      ? this.#backend.flush()
      : written.then(() => this.#backend.flush());
  }

  #identify(chain: DescriptorChain): void {
    const { writer } = chain;
    const id = new Uint8Array(Math.min(ID_LENGTH, writer.remaining - 1));
    for (let i = 0; i < id.length; i++) id[i] = this.#backend.id.charCodeAt(i) & 0x7f;
    writer.write(id);
    this.#finish(chain, BLOCK_STATUS.OK);
  }

  /** Discard and write zeroes: a list of ranges, all checked before the first is acted upon. */
  #ranges(chain: DescriptorChain, type: number): void {
    const { reader } = chain;
    const discard = type === BLOCK_TYPE.DISCARD;
    if (!this.#link!.has(discard ? BLOCK_FEATURE.DISCARD : BLOCK_FEATURE.WRITE_ZEROES)) {
      this.#finish(chain, BLOCK_STATUS.UNSUPP);
      return;
    }
    const count = reader.remaining / RANGE_BYTES;
    if (!Number.isInteger(count) || count < 1 || count > RANGES_MAX) {
      this.#finish(chain, BLOCK_STATUS.IOERR);
      return;
    }
    const ranges: { offset: number; length: number; unmap: boolean }[] = [];
    for (let i = 0; i < count; i++) {
      const sector = reader.readU64();
      const sectors = reader.readU32();
      const flags = reader.readU32();
      if ((flags & ~(discard ? 0 : UNMAP)) !== 0) {
        this.#finish(chain, BLOCK_STATUS.UNSUPP);
        return;
      }
      const limit = discard ? DISCARD_SECTORS_MAX : ZERO_SECTORS_MAX;
      if (sectors === 0 || sectors > limit || sector + sectors > this.#sectors) {
        this.#finish(chain, BLOCK_STATUS.IOERR);
        return;
      }
      ranges.push({
        offset: sector * SECTOR,
        length: sectors * SECTOR,
        unmap: (flags & UNMAP) !== 0,
      });
    }
    const one = (i: number): void | Promise<void> => {
      for (let next = i; next < ranges.length; next++) {
        const { offset, length, unmap } = ranges[next]!;
        const done = discard
          ? this.#backend.discard(offset, length)
          : this.#backend.writeZeroes(offset, length, unmap);
        if (done !== undefined) return done.then(() => one(next + 1));
      }
    };
    this.#run(chain, 'discards', () => one(0));
  }

  /** Whether `length` bytes from `sector` on are whole sectors of the disk, no more than one request may hold. */
  #inside(sector: number, length: number): boolean {
    return (
      length > 0 &&
      length % SECTOR === 0 &&
      length <= REQUEST_LIMIT &&
      sector + length / SECTOR <= this.#sectors
    );
  }

  /**
   * Has the backend act, then answers: now, or when its promise has settled. What a read has filled
   * goes to the guest.
   */
  #run(
    chain: DescriptorChain,
    operation: DiskOperation,
    act: () => void | Promise<void>,
    buffer?: Uint8Array,
  ): void {
    const request: Request = { chain, epoch: this.#epoch, buffer, operation, began: this.#now() };
    let outcome: void | Promise<void>;
    try {
      outcome = act();
    } catch (error) {
      this.#report(error);
      this.#answer(request, BLOCK_STATUS.IOERR);
      if (buffer !== undefined) this.#spareBuffer(buffer);
      return;
    }
    if (outcome === undefined) {
      this.#answer(request, BLOCK_STATUS.OK);
      if (buffer !== undefined) this.#spareBuffer(buffer);
      return;
    }
    this.#requestsInFlight++;
    this.#bytesInFlight += buffer?.length ?? 0;
    outcome.then(
      () => this.#settled(request, BLOCK_STATUS.OK),
      (error: unknown) => {
        this.#report(error);
        this.#settled(request, BLOCK_STATUS.IOERR);
      },
    );
  }

  #settled(request: Request, status: number): void {
    const { epoch, buffer } = request;
    const link = this.#link!;
    this.#requestsInFlight--;
    this.#bytesInFlight -= buffer?.length ?? 0;
    if (epoch !== this.#epoch) {
      this.#stale--;
    } else {
      link.run(() => this.#answer(request, status));
    }
    if (buffer !== undefined) this.#spareBuffer(buffer);
    link.poke(0);
  }

  #answer({ chain, operation, buffer, began }: Request, status: number): void {
    const done = status === BLOCK_STATUS.OK;
    if (done && operation === 'reads') chain.writer.write(buffer!);
    this.#finish(chain, status);
    this.#counters.count(operation, buffer?.length ?? 0, this.#now() - began, done);
  }

  #finish(chain: DescriptorChain, status: number): void {
    chain.writer.writeLast(status);
    this.#link!.complete(0, chain);
  }

  #report(error: unknown): void {
    // A guest that goes on asking a broken disk must not fill the log: the 1st, 2nd, 4th, 8th, …
    if (!isPowerOfTwo(++this.#failures)) return;
    const what = error instanceof Error ? error.message : String(error);
    const often = this.#failures === 1 ? '' : ` (${this.#failures} times so far)`;
    this.#onError(`The disk ${this.#backend.id} failed: ${what}${often}`);
  }

  #takeBuffer(length: number): Uint8Array {
    const found = this.#spare.findIndex((buffer) => buffer.byteLength >= length);
    if (found < 0)
      return new Uint8Array(Math.max(4096, 2 ** Math.ceil(Math.log2(length)))).subarray(0, length);
    const [buffer] = this.#spare.splice(found, 1);
    return buffer!.subarray(0, length);
  }

  #spareBuffer(used: Uint8Array): void {
    const { buffer } = used;
    if (buffer.byteLength <= SPARE_BYTES && this.#spare.length < SPARE_BUFFERS) {
      this.#spare.push(new Uint8Array(buffer));
    }
  }
}
