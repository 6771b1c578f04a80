/**
 * What a guest's kernel tells the balloon of its memory (virtio 1.2 §5.5.6.3): pairs of a tag and a
 * value, some of which a driver may leave out. The guest may say anything; only the number of pairs
 * that are read is bounded, and a value is a count, exact up to 2^53.
 */
import type { Reader } from '../../virtio/chain.ts';

/** Bytes, but for the counts of faults and kills. */
export interface GuestMemoryStats {
  readonly total: number;
  readonly free: number;
  /** What programs could have without anything being written to swap. */
  readonly available: number;
  /** Of files, and given up when something else needs the memory. */
  readonly cached: number;
  readonly swapIn: number;
  readonly swapOut: number;
  readonly majorFaults: number;
  readonly minorFaults: number;
}

/** By tag, virtio 1.2 §5.5.6.3. */
const NAMES: readonly (keyof GuestMemoryStats)[] = [
  'swapIn',
  'swapOut',
  'majorFaults',
  'minorFaults',
  'free',
  'total',
  'available',
  'cached',
];
const PAIR_BYTES = 10;
/** Linux tells up to 16 pairs. */
const PAIRS_MAX = 64;

export function readMemoryStats(reader: Reader): GuestMemoryStats {
  const stats: Record<keyof GuestMemoryStats, number> = {
    total: 0,
    free: 0,
    available: 0,
    cached: 0,
    swapIn: 0,
    swapOut: 0,
    majorFaults: 0,
    minorFaults: 0,
  };
  for (let i = 0; i < PAIRS_MAX && reader.remaining >= PAIR_BYTES; i++) {
    const name = NAMES[reader.readU16()];
    const value = reader.readU64();
    if (name !== undefined) stats[name] = value;
  }
  return stats;
}
