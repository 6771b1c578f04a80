/** Finds the blocks on which the two sides disagree, and says about what. */
import { outcome } from './block.ts';
import { resultAddress } from './image.ts';
import { RAM_BASE, Result } from './layout.ts';

/** Numbers of the blocks, of the first `count`, whose results differ. */
export function differingBlocks(a: Uint8Array, b: Uint8Array, count: number): number[] {
  const differing: number[] = [];
  for (let i = 0; i < count; i++) {
    const from = resultAddress(i) - RAM_BASE;
    const to = from + Result.size;
    if (Buffer.compare(a.subarray(from, to), b.subarray(from, to)) !== 0) differing.push(i);
  }
  return differing;
}

export interface Difference {
  readonly what: string;
  readonly expected: bigint;
  readonly found: bigint;
}

/** What differs in block number `i`'s result. */
export function differences(expected: Uint8Array, found: Uint8Array, i: number): Difference[] {
  const want = outcome(new DataView(expected.buffer, expected.byteOffset), resultAddress(i));
  const have = outcome(new DataView(found.buffer, found.byteOffset), resultAddress(i));
  return [...want]
    .filter(([what, value]) => have.get(what) !== value)
    .map(([what, value]) => ({ what, expected: value, found: have.get(what) ?? 0n }));
}
