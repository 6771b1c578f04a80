/**
 * Figures over time: each second of the last ten minutes and each minute of the last day, in rings
 * of fixed size. Relies on times that are handed in; guarantees bounded memory, one time axis for
 * everything (slots begin at whole multiples of the step, so any two series line up), gaps where
 * nothing was measured, and that a figure which covers several slots counts in each for its share.
 */

export interface Resolution {
  readonly step_ms: number;
  readonly slots: number;
}

/** A second each, for ten minutes. */
export const FINE: Resolution = { step_ms: 1000, slots: 600 };
/** A minute each, for a day. */
export const COARSE: Resolution = { step_ms: 60_000, slots: 1440 };

/** What dates can be, in milliseconds: slots are exact numbers up to there. */
const TIME_MAXIMUM = 8.64e15;

/** A stretch of the common time axis: slots `first` to `first + count - 1`. */
export interface Window {
  readonly resolution: Resolution;
  readonly first: number;
  readonly count: number;
}

/** The slots of the last `span_ms` before `now`, the present one included. */
export function windowUntil(now: number, span_ms: number): Window {
  const fine = span_ms <= FINE.step_ms * FINE.slots;
  const resolution = fine ? FINE : COARSE;
  const wanted = Math.ceil(span_ms / resolution.step_ms);
  const count = Math.min(resolution.slots, Math.max(1, wanted));
  return { resolution, first: Math.floor(now / resolution.step_ms) - count + 1, count };
}

/** When the slots of a window begin, in seconds since 1970, as charts and Prometheus count. */
export function axisOf({ resolution, first, count }: Window): number[] {
  return Array.from({ length: count }, (_, index) => ((first + index) * resolution.step_ms) / 1000);
}

/** One metric's rings: for each slot the mean, for how many milliseconds it stands, and the peak. */
class Column {
  readonly mean: Float32Array;
  readonly covered: Float32Array;
  readonly peak: Float32Array;

  constructor(slots: number) {
    this.mean = new Float32Array(slots);
    this.covered = new Float32Array(slots);
    this.peak = new Float32Array(slots);
  }
}

class Rings<Metric extends string> {
  readonly #columns = new Map<Metric, Column>();
  #newest = Number.NEGATIVE_INFINITY;

  constructor(readonly resolution: Resolution) {}

  record(from: number, to: number, values: Partial<Record<Metric, number>>): void {
    const { step_ms, slots } = this.resolution;
    // An interval that ends with a slot has nothing in the next one.
    const last = Math.ceil(to / step_ms) - 1;
    this.#advance(last);
    const oldest = this.#newest - slots + 1;
    for (let slot = Math.max(oldest, Math.floor(from / step_ms)); slot <= last; slot++) {
      const begin = Math.max(from, slot * step_ms);
      const weight = Math.min(to, (slot + 1) * step_ms) - begin;
      if (weight > 0) this.#add(slot, weight, values);
    }
  }

  read(metric: Metric, { first, count }: Window, what: 'mean' | 'peak'): (number | null)[] {
    const { slots } = this.resolution;
    const column = this.#columns.get(metric);
    const values = new Array<number | null>(count).fill(null);
    if (column === undefined) return values;
    for (let index = 0; index < count; index++) {
      const slot = first + index;
      if (slot > this.#newest || slot <= this.#newest - slots) continue;
      const at = modulo(slot, slots);
      if (column.covered[at] !== 0) values[index] = column[what][at] ?? null;
    }
    return values;
  }

  get bytes(): number {
    return this.#columns.size * this.resolution.slots * 12;
  }

  #add(slot: number, weight: number, values: Partial<Record<Metric, number>>): void {
    const at = modulo(slot, this.resolution.slots);
    for (const metric in values) {
      const value = values[metric];
      if (value === undefined || !Number.isFinite(Math.fround(value))) continue;
      const column = this.#column(metric);
      const before = column.covered[at] ?? 0;
      const covered = before + weight;
      column.mean[at] = ((column.mean[at] ?? 0) * before + value * weight) / covered;
      column.peak[at] = before === 0 ? value : Math.max(column.peak[at] ?? 0, value);
      column.covered[at] = covered;
    }
  }

  #column(metric: Metric): Column {
    let column = this.#columns.get(metric);
    if (column === undefined) {
      column = new Column(this.resolution.slots);
      this.#columns.set(metric, column);
    }
    return column;
  }

  /** Makes room: what has been passed over is a gap. */
  #advance(slot: number): void {
    if (slot <= this.#newest) return;
    const { slots } = this.resolution;
    const from = Math.max(this.#newest + 1, slot - slots + 1);
    for (const column of this.#columns.values()) {
      for (let passed = from; passed <= slot; passed++) {
        const at = modulo(passed, slots);
        column.mean[at] = 0;
        column.peak[at] = 0;
        column.covered[at] = 0;
      }
    }
    this.#newest = slot;
  }
}

export class Series<Metric extends string = string> {
  readonly #fine = new Rings<Metric>(FINE);
  readonly #coarse = new Rings<Metric>(COARSE);

  /** Figures that hold from one time to another, in milliseconds since 1970. */
  record(from: number, to: number, values: Partial<Record<Metric, number>>): void {
    if (!(to > from) || !(Math.abs(from) <= TIME_MAXIMUM && Math.abs(to) <= TIME_MAXIMUM)) return;
    this.#fine.record(from, to, values);
    this.#coarse.record(from, to, values);
  }

  /** A value for each slot of the window; null where nothing was measured. */
  read(metric: Metric, window: Window, what: 'mean' | 'peak' = 'mean'): (number | null)[] {
    const rings = window.resolution === FINE ? this.#fine : this.#coarse;
    return rings.read(metric, window, what);
  }

  /** Bytes that the rings take; they grow with the number of metrics and nothing else. */
  get bytes(): number {
    return this.#fine.bytes + this.#coarse.bytes;
  }
}

function modulo(slot: number, slots: number): number {
  return ((slot % slots) + slots) % slots;
}
