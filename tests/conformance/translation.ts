/**
 * The playground of address translation: random page tables of Sv39 and Sv48 over the pool, and
 * virtual addresses that meet their entries. Reserved bits, misaligned superpages, Svnapot, A and D
 * off, wrong permissions each come up often enough.
 */
import { HARNESS, POOL, POOL_PAGES, PTES, PteIndex, Virtual } from './layout.ts';
import type { Random } from './random.ts';

const V = 1n;
const R = 2n;
const W = 4n;
const X = 8n;
const U = 16n;
const A = 64n;
const D = 128n;
const N = 1n << 63n;

const ppn = (address: number | bigint) => (BigInt(address) >> 12n) << 10n;

/** Where nothing answers, on both sides. */
const NOWHERE = 1n << 52n;

function permissions(random: Random): bigint {
  const rwx = random.weighted([
    [8, R | W],
    [6, R | W | X],
    [3, R | X],
    [2, R],
    [2, X],
    [1, W],
    [1, W | X],
  ]);
  let bits = V | rwx;
  if (random.chance(0.5)) bits |= U;
  if (random.chance(0.2)) bits |= 32n;
  if (random.chance(0.8)) bits |= A;
  if (random.chance(0.7)) bits |= D;
  return bits | (BigInt(random.below(4)) << 8n);
}

/**
 * Seldom: a bit that makes the entry invalid. With N where it is reserved A and D are set: QEMU 10
 * would set them before it sees that the entry is invalid (privileged ISA, 'Svnapot').
 */
function spoil(random: Random, entry: bigint): bigint {
  if (random.chance(0.9)) return entry;
  switch (random.below(5)) {
    case 0:
      return entry & ~V;
    case 1:
      return entry | (1n << BigInt(random.between(54, 60)));
    case 2:
      // PBMT without Svpbmt.
      return entry | (1n << BigInt(random.between(61, 62)));
    case 3:
      return entry | N | A | D;
    default:
      // A pointer at the last level; further up one with a bit that only leaves have.
      return (entry & ~(R | W | X)) | (random.chance(0.5) ? A : D);
  }
}

/**
 * A page where nothing answers. It may be read and written: on a page that may only be read, QEMU's
 * cbo.clean goes from the access fault on to ask for writing, and reports that page fault.
 */
function nowhere(random: Random): bigint {
  return ppn(NOWHERE) | V | R | W | A | D | (random.chance(0.5) ? U : 0n);
}

function leaf(random: Random, isNapotBlock: boolean): bigint {
  const page = POOL + 4096 * random.below(POOL_PAGES);
  if (isNapotBlock) {
    // 64 KiB: the low four bits of the page number are 1000, any others are reserved.
    const code = random.chance(0.9) ? 8n : BigInt(random.below(16));
    const reserved = code === 8n ? 0n : A | D;
    return spoil(
      random,
      (ppn(POOL) & ~0x3c00n) | (code << 10n) | permissions(random) | N | reserved,
    );
  }
  if (random.chance(0.03)) return nowhere(random);
  const target = random.chance(0.97) ? page : HARNESS;
  return spoil(random, ppn(target) | permissions(random));
}

function superpage(random: Random): bigint {
  // Sometimes misaligned: any low bit of the page number is reserved.
  const target = random.chance(0.85) ? HARNESS : POOL;
  if (random.chance(0.05)) return nowhere(random);
  return spoil(random, ppn(target) | permissions(random));
}

/** A block's entries of the playground's tables, by PteIndex. */
export function pageTables(random: Random, options: { user: boolean; svnapot: boolean }): bigint[] {
  const entries: bigint[] = [];
  const isNapot = options.svnapot && random.chance(0.3);
  const shared = leaf(random, true);
  for (let i = 0; i < PTES; i++) {
    if (i < PteIndex.level1)
      entries.push(isNapot && random.chance(0.9) ? shared : leaf(random, false));
    else if (i === PteIndex.identity) {
      entries.push(ppn(HARNESS) | V | R | W | X | A | D | (options.user ? U : 0n));
    } else entries.push(superpage(random));
  }
  return entries;
}

/** The address of a boundary between pages where the playground maps something. */
export function boundary(random: Random, isSv48: boolean): bigint {
  const page = BigInt(4096 * random.between(0, POOL_PAGES));
  const pool = BigInt(POOL - HARNESS) + page;
  return random.weighted<() => bigint>([
    [12, () => Virtual.level0 + page],
    [2, () => Virtual.high + page],
    [4, () => Virtual.level1 + BigInt(random.between(1, 8)) * 0x20_0000n + pool],
    [3, () => Virtual.root39 + BigInt(random.below(4)) * 0x4000_0000n + pool],
    [isSv48 ? 3 : 1, () => Virtual.root48 * BigInt(random.between(1, 3)) + pool],
    [2, () => BigInt(POOL) + page],
    // Where addresses stop being canonical.
    [1, () => (isSv48 ? 1n << 47n : 1n << 38n)],
    [1, () => -(isSv48 ? 1n << 47n : 1n << 38n)],
  ])();
}
