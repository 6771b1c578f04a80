/**
 * virtio balloon device (virtio 1.2 §5.5): moves memory between guest and host while the guest runs.
 * The guest gives pages to the balloon until it holds as many as the host asks for, reports further
 * pages that happen to be free, and tells how its memory is used. What a page held is given up: it
 * is zero afterwards, and costs a snapshot nothing. Relies on `discard` to empty a page of RAM with
 * all that follows from it; guarantees that no page outside RAM is named to it, that a page counts
 * once however often it is given, and that one turn of the event loop empties a bounded number.
 */
import { PAGE_SHIFT, PAGE_SIZE, RAM_BASE } from '../../../core/layout.ts';
import { range, type State, stateOf, u8Array, u32 } from '../../state.ts';
import { type DescriptorChain, VirtioError } from '../../virtio/chain.ts';
import { DEVICE_ID } from '../../virtio/constants.ts';
import type { VirtioDevice, VirtioLink } from '../../virtio/device.ts';
import { type GuestMemoryStats, readMemoryStats } from './balloon-stats.ts';

export const BALLOON_FEATURE = {
  STATS_VQ: 1,
  DEFLATE_ON_OOM: 2,
  PAGE_POISON: 4,
  REPORTING: 5,
} as const;

/**
 * virtio 1.2 §5.5.2 numbers the queues 0 to 4, free-page hints (which are not offered) at 3 and
 * reports at 4. Linux and QEMU count only those that exist, and find the reports at 3: both do.
 */
const QUEUE = { INFLATE: 0, DEFLATE: 1, STATS: 2 } as const;
const QUEUES = 5;
const QUEUE_SIZE = 128;

/** Configuration space, virtio 1.2 §5.5.4. */
const CONFIG = { NUM_PAGES: 0, ACTUAL: 4, POISON: 12, SIZE: 16 } as const;

/** Pages that one request may name; Linux names 256, Windows 1024. */
const PAGES_A_REQUEST = 16384;
/** Pages emptied in one turn of the event loop: 32 MB, some milliseconds. */
const PAGES_A_TURN = 8192;
const FIRST_PAGE = RAM_BASE >>> PAGE_SHIFT;

export interface BalloonOptions {
  /** Pages of RAM. */
  readonly pages: number;
  /** Gives up what a page of RAM holds; false: it held nothing. */
  readonly discard: (page: number) => boolean;
  /** Emptying pages must wait: a snapshot is behind with copies of what they held. */
  readonly busy?: () => boolean;
  /** Gives the event loop its turn. */
  readonly turn?: () => Promise<void>;
  /** The guest takes pages back that the host has asked for: it has no other memory left. */
  readonly onPressure?: () => void;
}

/** A request whose pages are being emptied. */
interface Job {
  readonly index: number;
  readonly chain: DescriptorChain;
  /** Runs of pages: where each begins and how many it has. */
  readonly firsts: readonly number[];
  readonly counts: readonly number[];
  /** The position: a run and a page in it. */
  run: number;
  done: number;
}

export class BalloonDevice implements VirtioDevice {
  readonly name = 'virtio-balloon';
  readonly deviceId = DEVICE_ID.BALLOON;
  readonly features = Object.values(BALLOON_FEATURE);
  readonly queueSizes = new Array<number>(QUEUES).fill(QUEUE_SIZE);
  readonly config = new Uint8Array(CONFIG.SIZE);
  readonly state: State;
  /** What the guest has said of its memory last; undefined before. */
  stats: GuestMemoryStats | undefined;
  /** Pages that reports have emptied, since the last reset. */
  reported = 0;
  readonly #options: BalloonOptions;
  readonly #view = new DataView(this.config.buffer);
  readonly #fields;
  /** Pages in the balloon: bits set in `held`. */
  #inflated = 0;
  readonly #jobs: Job[] = [];
  /** The jobs go on at the next turn of the event loop. */
  #postponed = false;
  #budget = PAGES_A_TURN;
  /** The buffer that brought the last statistics: giving it back asks for new ones. */
  #statsBuffer: DescriptorChain | undefined;
  #pressed = false;
  #link: VirtioLink | undefined;
  /** Grows with each reset and restore: what was postponed before is stale. */
  #epoch = 0;

  constructor(options: BalloonOptions) {
    this.#options = options;
    const bytes = Math.ceil(options.pages / 8);
    this.#fields = {
      /** Pages that the balloon should hold. */
      wanted: 0,
      /** Pages that it holds, in the driver's words. */
      actual: 0,
      poison: 0,
      /** Which pages it holds: a bit for each. */
      held: new Uint8Array(bytes),
    };
    this.state = stateOf(1, this.#fields, {
      wanted: range(0, options.pages),
      actual: u32,
      poison: u32,
      held: u8Array(bytes),
    });
  }

  /** Whether a driver runs: without one nothing is given back. */
  get driven(): boolean {
    return this.#link?.live ?? false;
  }

  /** Pages that the balloon should hold. */
  get wanted(): number {
    return this.#fields.wanted;
  }

  set wanted(pages: number) {
    const fields = this.#fields;
    const wanted = Math.min(Math.max(Math.trunc(pages), 0), this.#options.pages);
    if (wanted === fields.wanted) return;
    fields.wanted = wanted;
    this.#pressed = false;
    this.#describe();
    this.#link?.configChanged();
  }

  /** Pages that the driver says the balloon holds: no more than there are. */
  get actual(): number {
    return Math.min(this.#fields.actual, this.#options.pages);
  }

  /** Pages in the balloon, counted here. */
  get inflated(): number {
    return this.#inflated;
  }

  /** Has the driver tell anew how the guest's memory is used. */
  requestStats(): void {
    const buffer = this.#statsBuffer;
    const link = this.#link;
    if (buffer === undefined || link?.live !== true) return;
    this.#statsBuffer = undefined;
    link.run(() => link.complete(QUEUE.STATS, buffer));
  }

  attach(link: VirtioLink): void {
    this.#link = link;
  }

  onQueue(index: number): void {
    if (this.#postponed || !this.#work()) return;
    const queue = this.#link!.queues[index]!;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      this.resume(index, chain);
      if (!this.#work()) return;
    }
  }

  resume(index: number, chain: DescriptorChain): void {
    if (index === QUEUE.STATS) {
      // One buffer is kept; a driver has no other.
      if (this.#statsBuffer !== undefined) this.#link!.complete(index, this.#statsBuffer);
      this.stats = readMemoryStats(chain.reader);
      this.#statsBuffer = chain;
    } else if (index === QUEUE.INFLATE || index === QUEUE.DEFLATE) {
      this.#jobs.push(this.#namedPages(index, chain));
    } else {
      this.#jobs.push(this.#reportedPages(index, chain));
    }
  }

  writeConfig(offset: number, size: number, value: number): void {
    const writable = [CONFIG.ACTUAL, CONFIG.POISON];
    if (!writable.some((field) => offset >= field && offset + size <= field + 4)) return;
    for (let i = 0; i < size; i++) this.config[offset + i] = value >>> (8 * i);
    this.#fields.actual = this.#view.getUint32(CONFIG.ACTUAL, true);
    this.#fields.poison = this.#view.getUint32(CONFIG.POISON, true);
  }

  reset(): void {
    const fields = this.#fields;
    fields.actual = 0;
    fields.poison = 0;
    fields.held.fill(0);
    this.reported = 0;
    this.#forget();
  }

  restored(): void {
    this.#forget();
  }

  /** What is known beyond the fields follows from them, or comes anew. */
  #forget(): void {
    this.#epoch++;
    this.#jobs.length = 0;
    this.#postponed = false;
    this.#statsBuffer = undefined;
    this.#pressed = false;
    this.stats = undefined;
    this.#inflated = this.#fields.held.reduce((sum, byte) => sum + bitsOf(byte), 0);
    this.#describe();
  }

  #describe(): void {
    this.#view.setUint32(CONFIG.NUM_PAGES, this.#fields.wanted, true);
    this.#view.setUint32(CONFIG.ACTUAL, this.#fields.actual, true);
    this.#view.setUint32(CONFIG.POISON, this.#fields.poison, true);
  }

  /** Pages by their numbers, 32 bits each. virtio 1.2 §5.5.6 */
  #namedPages(index: number, chain: DescriptorChain): Job {
    const { reader } = chain;
    const pages = Math.floor(reader.remaining / 4);
    if (pages > PAGES_A_REQUEST) {
      throw new VirtioError(`A request of the balloon names ${pages} pages at once.`);
    }
    const firsts: number[] = [];
    for (let i = 0; i < pages; i++) {
      const number = reader.readU32();
      const page = number - FIRST_PAGE;
      if (!(page >= 0 && page < this.#options.pages)) {
        throw new VirtioError(
          `Page 0x${number.toString(16)}, which the balloon was given, is not RAM.`,
        );
      }
      firsts.push(page);
    }
    return { index, chain, firsts, counts: firsts.map(() => 1), run: 0, done: 0 };
  }

  /** Pages that are free, by what a request leaves room for. virtio 1.2 §5.5.6.7 */
  #reportedPages(index: number, chain: DescriptorChain): Job {
    const { writer } = chain;
    if (writer.remaining > this.#options.pages * PAGE_SIZE) {
      throw new VirtioError(`The driver reports more free memory at once than there is.`);
    }
    const firsts: number[] = [];
    const counts: number[] = [];
    // Memory that has a pattern when it is free must keep it (§5.5.6.7.2): it is not worth writing.
    const patterned = this.#link!.has(BALLOON_FEATURE.PAGE_POISON) && this.#fields.poison !== 0;
    for (const { offset, length } of patterned ? [] : writer.ranges()) {
      const first = Math.ceil(offset / PAGE_SIZE);
      const count = Math.floor((offset + length) / PAGE_SIZE) - first;
      if (count <= 0) continue;
      firsts.push(first);
      counts.push(count);
    }
    return { index, chain, firsts, counts, run: 0, done: 0 };
  }

  /** Goes on with the jobs; false: the rest is for the next turn. */
  #work(): boolean {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      for (; job.run < job.firsts.length; job.run++, job.done = 0) {
        for (; job.done < job.counts[job.run]!; job.done++) {
          if (this.#budget === 0 || this.#options.busy?.() === true) {
            this.#postpone();
            return false;
          }
          this.#budget--;
          this.#take(job.index, job.firsts[job.run]! + job.done);
        }
      }
      this.#jobs.shift();
      this.#link!.complete(job.index, job.chain);
    }
    return true;
  }

  #postpone(): void {
    const { turn = () => Promise.resolve() } = this.#options;
    const epoch = this.#epoch;
    this.#postponed = true;
    void turn().then(() => {
      this.#budget = PAGES_A_TURN;
      if (epoch !== this.#epoch) return;
      this.#postponed = false;
      const link = this.#link!;
      link.run(() => {
        if (link.live && this.#work()) for (let i = 0; i < QUEUES; i++) link.poke(i);
      });
    });
  }

  #take(index: number, page: number): void {
    const { held, wanted } = this.#fields;
    const byte = page >>> 3;
    const bit = 1 << (page & 7);
    const inside = (held[byte]! & bit) !== 0;
    if (index === QUEUE.DEFLATE) {
      if (!inside) return;
      // Linux gives back only what is asked for, but for the last resort of DEFLATE_ON_OOM.
      if (this.#inflated <= wanted && !this.#pressed) {
        this.#pressed = true;
        this.#options.onPressure?.();
      }
      held[byte] = held[byte]! & ~bit;
      this.#inflated--;
      return;
    }
    const emptied = this.#options.discard(page);
    if (index !== QUEUE.INFLATE) {
      if (emptied) this.reported++;
    } else if (!inside) {
      held[byte] = held[byte]! | bit;
      this.#inflated++;
    }
  }
}

function bitsOf(byte: number): number {
  let bits = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
