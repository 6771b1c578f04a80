/** What a disk has done, in totals from which rates and averages follow. */

export interface DiskStats {
  readonly reads: number;
  readonly writes: number;
  readonly flushes: number;
  /** Ranges given up or zeroed. */
  readonly discards: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
  /** Requests that the disk could not do. */
  readonly errors: number;
  /** Milliseconds from request to answer, of all requests together. */
  readonly latency_ms: number;
  /** Of the slowest request: of all, or of those since the last look. */
  readonly worst_ms: number;
}

export type DiskOperation = 'reads' | 'writes' | 'flushes' | 'discards';

export class DiskCounters {
  readonly #totals = {
    reads: 0,
    writes: 0,
    flushes: 0,
    discards: 0,
    read_bytes: 0,
    written_bytes: 0,
    errors: 0,
    latency_ms: 0,
  };
  #worst = 0;
  #worstLately = 0;

  /** A request has been answered after `ms`. */
  count(operation: DiskOperation, bytes: number, ms: number, done: boolean): void {
    const totals = this.#totals;
    totals[operation]++;
    totals.latency_ms += ms;
    this.#worst = Math.max(this.#worst, ms);
    this.#worstLately = Math.max(this.#worstLately, ms);
    if (!done) totals.errors++;
    else if (operation === 'reads') totals.read_bytes += bytes;
    else if (operation === 'writes') totals.written_bytes += bytes;
  }

  get totals(): DiskStats {
    return { ...this.#totals, worst_ms: this.#worst };
  }

  /** A look among many: the slowest request is that since the look before. */
  look(): DiskStats {
    const worst_ms = this.#worstLately;
    this.#worstLately = 0;
    return { ...this.#totals, worst_ms };
  }
}
