// The TLBs' bookkeeping: fill, flush all, flush a page. What lies where: src/core/layout.ts.
import {
  RAM_OFFSET,
  TLB_ENTRIES,
  TLB_ENTRY,
  TLB_INDEX,
  TLB_OFFSET,
  TLB_SECOND_ENTRIES,
  TLB_SECOND_OFFSET,
  TLB_SECOND_SIZE,
  TLB_SETS,
  TLB_SET_SIZE,
  TLB_SIZE,
  TLB_WRITE,
  SUPER_LOW,
  SUPER_HIGH,
} from './generated/layout';

// @ts-ignore: decorator
@inline
export function tlbEntry(tlb: usize, address: u64): usize {
  return tlb + (<usize>(address >> 8) & TLB_INDEX);
}

/** Start of the read TLB of a set. */
// @ts-ignore: decorator
@inline
export function tlbSet(h: usize, set: u32): usize {
  return h + TLB_OFFSET + <usize>set * TLB_SET_SIZE;
}

/**
 * TLBs with entries, a bit for each in the order in which they lie, the second level behind them:
 * only these need a flush.
 */
let filled: u32 = u32.MAX_VALUE;
const SECOND: u32 = 1 << 31;

/** Fills an entry for the page of `address`; `value` is what this kind of TLB leads to. */
export function fillEntry(h: usize, entry: usize, address: u64, value: u32): void {
  store<u64>(entry, address & ~(<u64>0xfff));
  store<u32>(entry, value, 8);
  filled |= 1 << ((<u32>entry - <u32>h - <u32>TLB_OFFSET) / <u32>TLB_SIZE);
}

/** What the second level's tag says beside the page: the set, and whether it is for stores. */
// @ts-ignore: decorator
@inline
function secondTag(tlb: usize, h: usize, address: u64): u64 {
  return (address & ~(<u64>0xfff)) | <u64>((<u32>tlb - <u32>h - <u32>TLB_OFFSET) / <u32>TLB_SIZE);
}

/** The second level's entry: pages whose TLB entries are the same are spread. */
// @ts-ignore: decorator
@inline
function secondEntry(h: usize, tag: u64): usize {
  const page = <u32>(tag >> 12);
  const index = (page ^ (page >>> 9) ^ ((<u32>tag) << 7)) & (TLB_SECOND_ENTRIES - 1);
  return h + TLB_SECOND_OFFSET + <usize>index * TLB_ENTRY;
}

/** Maps the page of `address` in a read or write TLB to `host`, the same byte's offset in the memory. */
export function fillData(h: usize, tlb: usize, address: u64, host: usize): void {
  fillEntry(h, tlbEntry(tlb, address), address, <u32>host - <u32>address);
  const tag = secondTag(tlb, h, address);
  const second = secondEntry(h, tag);
  store<u64>(second, tag);
  store<u32>(second, <u32>host - <u32>address, 8);
  filled |= SECOND;
}

/** Fills a TLB's entry from the second level; false when it has none for the page. */
export function refill(h: usize, tlb: usize, address: u64): bool {
  const tag = secondTag(tlb, h, address);
  const second = secondEntry(h, tag);
  if (load<u64>(second) != tag) return false;
  fillEntry(h, tlbEntry(tlb, address), address, load<u32>(second, 8));
  return true;
}

export function flushAll(h: usize): void {
  let tlb = h + TLB_OFFSET;
  for (let bits = filled; tlb < h + TLB_OFFSET + TLB_SETS * TLB_SET_SIZE; tlb += TLB_SIZE) {
    if (bits & 1) memory.fill(tlb, 0xff, TLB_SIZE);
    bits >>>= 1;
  }
  if (filled & SECOND) memory.fill(h + TLB_SECOND_OFFSET, 0xff, TLB_SECOND_SIZE);
  filled = 0;
  store<u32>(h, 0, SUPER_LOW);
  store<u32>(h, 0, SUPER_HIGH);
}

/** As flushAll, whatever this instance of the core knows of what lies there. */
export function resetTlbs(h: usize): void {
  filled = u32.MAX_VALUE;
  flushAll(h);
}

/**
 * A translation larger than a page is spread over many entries, so a later flush of one of its
 * addresses must find them all: note in which half of the address space there are such.
 */
export function noteSuperpage(h: usize, address: u64): void {
  if (<i64>address < 0) store<u32>(h, 1, SUPER_HIGH);
  else store<u32>(h, 1, SUPER_LOW);
}

/** Drops what translates `address` (sfence.vma with rs1). */
export function flushPage(h: usize, address: u64): void {
  if (<i64>address < 0 ? load<u32>(h, SUPER_HIGH) : load<u32>(h, SUPER_LOW)) {
    flushAll(h);
    return;
  }
  const tag = address & ~(<u64>0xfff);
  for (let tlb = h + TLB_OFFSET; tlb < h + TLB_OFFSET + TLB_SETS * TLB_SET_SIZE; tlb += TLB_SIZE) {
    const entry = tlbEntry(tlb, address);
    if (load<u64>(entry) == tag) store<u64>(entry, -1);
    const second = secondEntry(h, secondTag(tlb, h, address));
    if (load<u64>(second) == secondTag(tlb, h, address)) store<u64>(second, -1);
  }
}

/** Drops every write translation to the page at `ramOffset`: stores to it take the slow path. */
export function protectPage(h: usize, ramOffset: u32): void {
  const page = RAM_OFFSET + <usize>(ramOffset & 0xfffff000);
  for (let set: u32 = 0; set < TLB_SETS; set++) {
    let entry = tlbSet(h, set) + TLB_WRITE;
    const end = entry + TLB_ENTRIES * TLB_ENTRY;
    for (; entry < end; entry += TLB_ENTRY) {
      const tag = load<u64>(entry);
      if (load<u32>(entry, 8) + <u32>tag == <u32>page) store<u64>(entry, -1);
    }
  }
  let second = h + TLB_SECOND_OFFSET;
  for (; second < h + TLB_SECOND_OFFSET + TLB_SECOND_SIZE; second += TLB_ENTRY) {
    // For loads too: they are few, and come back.
    const address = <u32>load<u64>(second) & 0xfffff000;
    if (load<u32>(second, 8) + address == <u32>page) store<u64>(second, -1);
  }
}

/** Drops every fetch translation to a decode page. */
export function unmapDecodePage(h: usize, decodePage: usize): void {
  for (let set: u32 = 0; set < TLB_SETS; set++) {
    let entry = tlbSet(h, set) + 2 * TLB_SIZE;
    const end = entry + TLB_ENTRIES * TLB_ENTRY;
    for (; entry < end; entry += TLB_ENTRY) {
      if (load<u32>(entry, 8) == <u32>decodePage) store<u64>(entry, -1);
    }
  }
}
