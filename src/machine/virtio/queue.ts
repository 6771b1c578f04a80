/**
 * A split virtqueue (virtio 1.2 §2.7) with indirect descriptors and event index. It relies on
 * GuestMemory for every access and trusts nothing that it reads there: each word is fetched once
 * into the host and then checked, chains are bounded by the queue's maximum size, and a broken rule
 * is a VirtioError. Requests that were taken are known by their head until they are completed; a
 * reset starts a new generation, after which completions of older requests are dropped.
 */
import { AbsentMemory, type GuestMemory, type MemoryRange, type RamOffset } from '../memory.ts';
import {
  type FieldType,
  flag,
  list,
  range,
  type State,
  StateError,
  stateOf,
  u16,
  u32,
} from '../state.ts';
import { DescriptorChain, VirtioError } from './chain.ts';
import { AVAIL_NO_INTERRUPT, DESC } from './constants.ts';

/** virtio 1.2 §2.7: 32768 is the greatest queue size; no device here comes near. */
export const MAX_QUEUE_SIZE = 1024;
/** virtio 1.2 §2.7.4.2: all buffers of a chain together are at most 2^32 bytes. */
const MAX_CHAIN_BYTES = 0xffff_ffff;

export class SplitQueue {
  readonly maxSize: number;
  readonly state: State;
  readonly fields;
  /** Grows whenever requests that are in flight lose their meaning. */
  generation = 0;
  /** Told when a request was not taken because parts of it have not come from a snapshot yet. */
  onAbsent: (ranges: readonly MemoryRange[]) => void = () => {};
  eventIndex = false;
  indirect = false;
  readonly #memory: GuestMemory;
  readonly #name: string;
  /** Which heads are in flight, and the request that each names; none after a restore. */
  readonly #inFlight: Uint8Array;
  readonly #taken: (DescriptorChain | undefined)[] = [];
  readonly #pool: DescriptorChain[] = [];
  #descriptors = 0 as RamOffset;
  #driver = 0 as RamOffset;
  #device = 0 as RamOffset;
  /** The rings have been found to lie in RAM. */
  #located = false;
  /** The value last written to avail_event; -1 when unknown. */
  #armedAt = -1;

  constructor(name: string, maxSize: number, memory: GuestMemory) {
    if (maxSize > MAX_QUEUE_SIZE || !isPowerOfTwo(maxSize)) {
      throw new RangeError(`${name}: a queue cannot have ${maxSize} entries.`);
    }
    this.#name = name;
    this.maxSize = maxSize;
    this.#memory = memory;
    this.#inFlight = new Uint8Array(maxSize);
    this.fields = {
      size: maxSize,
      ready: false,
      descLow: 0,
      descHigh: 0,
      driverLow: 0,
      driverHigh: 0,
      deviceLow: 0,
      deviceHigh: 0,
      /** Index of the next entry that is taken from the available ring, modulo 2^16. */
      nextAvail: 0,
      nextUsed: 0,
      /** nextUsed when the driver was last interrupted or found not to want it. */
      signalled: 0,
      /** Heads that were taken and not completed, oldest first. */
      heads: [] as number[],
    };
    this.state = stateOf(
      1,
      this.fields,
      {
        size: queueSize(maxSize),
        ready: flag,
        descLow: u32,
        descHigh: u32,
        driverLow: u32,
        driverHigh: u32,
        deviceLow: u32,
        deviceHigh: u32,
        nextAvail: u16,
        nextUsed: u16,
        signalled: u16,
        heads: list(range(0, maxSize - 1), maxSize, () => 0),
      },
      {
        check: ({ heads }) =>
          new Set(heads).size === heads.length ? undefined : 'a request is in flight twice',
      },
    );
  }

  get ready(): boolean {
    return this.fields.ready;
  }

  /** Requests taken and not completed. */
  get inFlight(): number {
    return this.fields.heads.length;
  }

  /** Takes the queue into use with the size and addresses that the driver has set. */
  enable(): void {
    const { fields } = this;
    this.#locate();
    fields.ready = true;
    fields.nextAvail = 0;
    fields.nextUsed = 0;
    fields.signalled = 0;
    this.abandon();
  }

  /** Stops the queue; the driver's settings stay. */
  disable(): void {
    this.fields.ready = false;
    this.#located = false;
    this.abandon();
  }

  reset(): void {
    this.disable();
    Object.assign(this.fields, {
      size: this.maxSize,
      descLow: 0,
      descHigh: 0,
      driverLow: 0,
      driverHigh: 0,
      deviceLow: 0,
      deviceHigh: 0,
      nextAvail: 0,
      nextUsed: 0,
      signalled: 0,
    });
  }

  /** After a restore: nothing of before holds, the rings are looked up at the next use. */
  restored(): void {
    this.generation++;
    this.#located = false;
    this.#armedAt = -1;
    this.#close();
    this.#inFlight.fill(0);
    for (const head of this.fields.heads) this.#inFlight[head] = 1;
  }

  /**
   * After `restored`, with the driver ready: takes again the requests that were in flight. Throws
   * AbsentMemory, and leaves them in flight, when parts of them have not come yet.
   */
  resume(): DescriptorChain[] {
    const heads = [...this.fields.heads];
    if (heads.length > 0 && this.fields.ready) this.#needRings();
    this.abandon();
    if (!this.fields.ready) return [];
    try {
      return heads.map((head) => this.#take(head));
    } catch (error) {
      if (error instanceof AbsentMemory) {
        this.abandon();
        this.fields.heads.push(...heads);
        for (const head of heads) this.#inFlight[head] = 1;
      }
      throw error;
    }
  }

  /** Entries that the driver has made available and nobody has taken. */
  available(): number {
    if (!this.fields.ready) return 0;
    if (!this.#located) this.#locate();
    const { nextAvail, size } = this.fields;
    const waiting = (this.#memory.loadAcquireU16(this.#driver, 2) - nextAvail) & 0xffff;
    if (waiting > size) {
      throw new VirtioError(
        `${this.#name}: the available index is ${waiting} ahead, the queue has ${size} entries.`,
      );
    }
    return waiting;
  }

  /**
   * Takes the next request; undefined when there is none, and then the driver will notify the
   * device of the next one. Also when parts of it have not come yet: then `onAbsent` is told.
   */
  pop(): DescriptorChain | undefined {
    if (this.#memory.presence === undefined) return this.#pop();
    try {
      if (this.fields.ready) this.#needRings();
      return this.#pop();
    } catch (error) {
      if (!(error instanceof AbsentMemory)) throw error;
      this.onAbsent(error.ranges);
      return undefined;
    }
  }

  #pop(): DescriptorChain | undefined {
    if (this.available() === 0) {
      if (!this.#arm() || this.available() === 0) return undefined;
    }
    const { fields } = this;
    const slot = fields.nextAvail & (fields.size - 1);
    const head = this.#memory.readU16(this.#driver, 4 + 2 * slot);
    const chain = this.#take(head);
    fields.nextAvail = (fields.nextAvail + 1) & 0xffff;
    return chain;
  }

  /** Gives the request back with what was written to it; false if it was abandoned long since. */
  complete(chain: DescriptorChain): boolean {
    if (chain.generation !== this.generation) return false;
    const { fields } = this;
    const { head } = chain;
    const place = fields.heads.lastIndexOf(head);
    if (place < 0) throw new Error(`${this.#name}: request ${head} was completed twice.`);
    if (place === fields.heads.length - 1) fields.heads.pop();
    else fields.heads.splice(place, 1);
    this.#inFlight[head] = 0;
    this.#taken[head] = undefined;
    const entry = 4 + 8 * (fields.nextUsed & (fields.size - 1));
    this.#memory.writeU32(this.#device, entry, head);
    this.#memory.writeU32(this.#device, entry + 4, chain.writer.written);
    fields.nextUsed = (fields.nextUsed + 1) & 0xffff;
    this.#memory.storeReleaseU16(this.#device, 2, fields.nextUsed);
    this.#pool.push(chain);
    return true;
  }

  /** Whether the driver is to be interrupted for what was completed since the last call. */
  wantsInterrupt(): boolean {
    const { fields } = this;
    const { nextUsed, signalled, size } = fields;
    if (nextUsed === signalled || !this.#located) return false;
    fields.signalled = nextUsed;
    if (!this.eventIndex) {
      return (this.#memory.loadAcquireU16(this.#driver) & AVAIL_NO_INTERRUPT) === 0;
    }
    const event = this.#memory.loadAcquireU16(this.#driver, 4 + 2 * size);
    return ((nextUsed - event - 1) & 0xffff) < ((nextUsed - signalled) & 0xffff);
  }

  /** Forgets the requests in flight: their completions will be dropped. */
  abandon(): void {
    this.generation++;
    this.fields.heads.length = 0;
    this.#inFlight.fill(0);
    this.#close();
    this.#armedAt = -1;
  }

  /** Requests of the past write no more. */
  #close(): void {
    for (const chain of this.#taken) chain?.writer.close();
    this.#taken.length = 0;
  }

  #locate(): void {
    const { size, descLow, descHigh, driverLow, driverHigh, deviceLow, deviceHigh } = this.fields;
    this.#located = false;
    if (descLow % 16 !== 0 || driverLow % 2 !== 0 || deviceLow % 4 !== 0) {
      throw new VirtioError(`${this.#name}: the rings are not aligned (virtio 1.2 §2.7).`);
    }
    this.#descriptors = this.#memory.locate(descLow, descHigh, DESC.SIZE * size);
    this.#driver = this.#memory.locate(driverLow, driverHigh, 6 + 2 * size);
    this.#device = this.#memory.locate(deviceLow, deviceHigh, 6 + 8 * size);
    this.#located = true;
  }

  /** Throws AbsentMemory unless the rings are there, which all else then relies on. */
  #needRings(): void {
    if (!this.#located) this.#locate();
    const { size } = this.fields;
    this.#memory.need(this.#descriptors, DESC.SIZE * size);
    this.#memory.need(this.#driver, 6 + 2 * size);
    this.#memory.need(this.#device, 6 + 8 * size);
  }

  /** Asks to be notified of the next entry; true when that was news to the driver. */
  #arm(): boolean {
    const { ready, nextAvail, size } = this.fields;
    if (!ready || !this.eventIndex || this.#armedAt === nextAvail) return false;
    this.#armedAt = nextAvail;
    this.#memory.storeReleaseU16(this.#device, 4 + 8 * size, nextAvail);
    return true;
  }

  #take(head: number): DescriptorChain {
    if (!this.#located) this.#locate();
    if (head >= this.fields.size) {
      throw new VirtioError(`${this.#name}: there is no descriptor ${head}.`);
    }
    if (this.#inFlight[head] === 1) {
      throw new VirtioError(`${this.#name}: descriptor ${head} was made available while in use.`);
    }
    const chain = this.#pool.pop() ?? new DescriptorChain(this.#memory);
    this.#collect(chain, head);
    chain.head = head;
    chain.generation = this.generation;
    this.#inFlight[head] = 1;
    this.#taken[head] = chain;
    this.fields.heads.push(head);
    return chain;
  }

  /** Follows the chain from `head` and fills the chain's reader and writer. */
  #collect(chain: DescriptorChain, head: number): void {
    const memory = this.#memory;
    const { reader, writer } = chain;
    reader.clear();
    writer.clear();
    let table = this.#descriptors;
    let entries = this.fields.size;
    let index = head;
    let nested = false;
    let descriptors = 0;
    let absent: MemoryRange[] | undefined;
    for (;;) {
      // Each word is read once: the driver may change it at any time.
      const at = DESC.SIZE * index;
      const low = memory.readU32(table, at);
      const high = memory.readU32(table, at + 4);
      const length = memory.readU32(table, at + 8);
      const flags = memory.readU16(table, at + 12);
      const next = memory.readU16(table, at + 14);
      if ((flags & DESC.INDIRECT) !== 0) {
        entries = this.#indirectEntries(flags, length, nested);
        table = memory.locate(low, high, length);
        memory.need(table, length);
        index = 0;
        nested = true;
        continue;
      }
      if (descriptors++ === this.maxSize) {
        throw new VirtioError(
          `${this.#name}: a chain is longer than ${this.maxSize} descriptors, or goes in a circle.`,
        );
      }
      if (length === 0) throw new VirtioError(`${this.#name}: a descriptor is empty.`);
      const start = memory.locate(low, high, length);
      if (memory.presence?.has(start, length) === false) {
        absent ??= [];
        absent.push({ offset: start, length });
      }
      if ((flags & DESC.WRITE) !== 0) {
        writer.add(start, length);
      } else if (writer.empty) {
        reader.add(start, length);
      } else {
        throw new VirtioError(
          `${this.#name}: a readable descriptor follows a writable one (virtio 1.2 §2.7.4.2).`,
        );
      }
      if (reader.remaining + writer.remaining > MAX_CHAIN_BYTES) {
        throw new VirtioError(`${this.#name}: a chain is larger than 4 GiB.`);
      }
      if ((flags & DESC.NEXT) === 0) {
        if (absent !== undefined) throw new AbsentMemory(absent);
        return;
      }
      if (next >= entries) throw new VirtioError(`${this.#name}: there is no descriptor ${next}.`);
      index = next;
    }
  }

  /** Checks an indirect descriptor (virtio 1.2 §2.7.5.3); returns how many entries its table has. */
  #indirectEntries(flags: number, length: number, nested: boolean): number {
    const entries = length / DESC.SIZE;
    const complaint = !this.indirect
      ? 'was not negotiated'
      : nested
        ? 'stands inside an indirect table'
        : (flags & DESC.NEXT) !== 0
          ? 'has a successor'
          : !Number.isInteger(entries) || entries === 0 || entries > this.maxSize
            ? `names a table of ${length} bytes`
            : undefined;
    if (complaint !== undefined) {
      throw new VirtioError(`${this.#name}: an indirect descriptor ${complaint}.`);
    }
    return entries;
  }
}

/** For unsigned 32-bit numbers. */
export function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

function queueSize(maxSize: number): FieldType<number> {
  const type = range(1, maxSize);
  return {
    ...type,
    parse(saved, where) {
      const size = type.parse(saved, where);
      if (!isPowerOfTwo(size)) throw new StateError(`${where} must be a power of two.`);
      return size;
    },
    vary: (size) => (size > 1 ? size / 2 : maxSize),
  };
}
