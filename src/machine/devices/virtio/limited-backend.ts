/**
 * A disk that does so many operations and bytes a second and no more (virtio 1.2 knows no limits: the
 * host's side keeps them). Relies on token buckets, one pair for the disk and one for all disks of
 * the VM; guarantees that requests reach the backend in the order in which they came, that one which
 * waits is in flight like any other, and that a disk without limits costs nothing.
 */
import type { DiskLimit } from '../../../resources/limits.ts';
import { DISK_BURST } from '../../../resources/limits.ts';
import { TokenBucket } from '../../../resources/token-bucket.ts';
import type { MachineHost } from '../../host.ts';
import type { BlockBackend } from './block-backend.ts';

type Clock = Pick<MachineHost, 'now' | 'sleep'>;

/** What one limit still allows: of one disk, or of all of a VM. */
export class DiskAllowance {
  readonly #now: () => number;
  #operations: TokenBucket | undefined;
  #bytes: TokenBucket | undefined;
  readonly #listeners: (() => void)[] = [];

  constructor(host: Clock) {
    this.#now = () => Math.floor(host.now() * 1000);
  }

  get limited(): boolean {
    return this.#operations !== undefined || this.#bytes !== undefined;
  }

  /** From now on. */
  set({ iops, bandwidth, burst = DISK_BURST.default }: DiskLimit): void {
    this.#operations = this.#bucket(this.#operations, iops, burst);
    this.#bytes = this.#bucket(this.#bytes, bandwidth, burst);
    for (const listener of this.#listeners) listener();
  }

  /** Is told when it changes: who waits may go on. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Milliseconds until the next request may pass. */
  wait(): number {
    return Math.max(this.#operations?.wait() ?? 0, this.#bytes?.wait() ?? 0) / 1000;
  }

  charge(bytes: number): void {
    this.#operations?.charge(1);
    if (bytes > 0) this.#bytes?.charge(bytes);
  }

  #bucket(bucket: TokenBucket | undefined, rate: number | undefined, burst: number) {
    if (rate === undefined) return undefined;
    const capacity = Math.max(1, Math.floor(rate * burst));
    if (!bucket) return new TokenBucket(rate, capacity, this.#now);
    bucket.change(rate, capacity);
    return bucket;
  }
}

interface Waiting {
  readonly bytes: number;
  run(): void;
}

export class LimitedBackend implements BlockBackend {
  readonly #backend: BlockBackend;
  readonly #host: Clock;
  readonly #allowances: readonly DiskAllowance[];
  readonly #queue: Waiting[] = [];
  #pumping = false;
  #wake: (() => void) | undefined;

  constructor(backend: BlockBackend, allowances: readonly DiskAllowance[], host: Clock) {
    this.#backend = backend;
    this.#allowances = allowances;
    this.#host = host;
    for (const allowance of allowances) allowance.onChange(() => this.#wake?.());
  }

  get size(): number {
    return this.#backend.size;
  }

  get readOnly(): boolean {
    return this.#backend.readOnly;
  }

  get id(): string {
    return this.#backend.id;
  }

  read(offset: number, into: Uint8Array): void | Promise<void> {
    return this.#pass(into.length, () => this.#backend.read(offset, into));
  }

  write(offset: number, from: Uint8Array): void | Promise<void> {
    return this.#pass(from.length, () => this.#backend.write(offset, from));
  }

  /** An operation without bytes. */
  flush(): void | Promise<void> {
    return this.#pass(0, () => this.#backend.flush());
  }

  discard(offset: number, length: number): void | Promise<void> {
    return this.#pass(0, () => this.#backend.discard(offset, length));
  }

  writeZeroes(offset: number, length: number, mayUnmap: boolean): void | Promise<void> {
    return this.#pass(0, () => this.#backend.writeZeroes(offset, length, mayUnmap));
  }

  /** What waits here has not been written: it is in flight, and is done again after a restore. */
  freeze(token: string): void {
    this.#backend.freeze?.(token);
  }

  #pass(bytes: number, run: () => void | Promise<void>): void | Promise<void> {
    if (this.#queue.length === 0 && this.#wait() === 0) {
      for (const allowance of this.#allowances) allowance.charge(bytes);
      return run();
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({
        bytes,
        run: () => {
          try {
            Promise.resolve(run()).then(resolve, reject);
          } catch (error) {
            reject(error);
          }
        },
      });
      void this.#pump();
    });
  }

  #wait(): number {
    let ms = 0;
    for (const allowance of this.#allowances) {
      if (allowance.limited) ms = Math.max(ms, allowance.wait());
    }
    return ms;
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#queue.length > 0) {
      const ms = this.#wait();
      if (ms > 0) {
        const { done, wake } = this.#host.sleep(Math.max(1, ms));
        this.#wake = wake;
        await done;
        this.#wake = undefined;
        continue;
      }
      const next = this.#queue.shift()!;
      for (const allowance of this.#allowances) allowance.charge(next.bytes);
      next.run();
    }
    this.#pumping = false;
  }
}

/** The disks of a VM behind their limits. */
export class LimitedDisks {
  readonly backends: readonly BlockBackend[];
  readonly #all: DiskAllowance;
  readonly #each: readonly DiskAllowance[];

  constructor(disks: readonly BlockBackend[], host: Clock) {
    this.#all = new DiskAllowance(host);
    this.#each = disks.map(() => new DiskAllowance(host));
    this.backends = disks.map(
      (disk, i) => new LimitedBackend(disk, [this.#each[i]!, this.#all], host),
    );
  }

  /** What all together, and each in order, may do from now on; what is left out has no limit. */
  set(all: DiskLimit, each: readonly DiskLimit[]): void {
    this.#all.set(all);
    for (const [i, allowance] of this.#each.entries()) allowance.set(each[i] ?? {});
  }
}
