// Pages of RAM that are more than bytes: what must happen when one of them is written, by the hart
// or by the host. The flags are PageFlag of src/core/layout.ts.
import {
  ABSENT_PAGE,
  DECODE_FREE,
  DECODE_MAP_OFFSET,
  DECODE_PAGE_END,
  DECODE_PAGES_OFFSET,
  DECODE_PAGE_SIZE,
  DECODE_PAGE_REGIONS,
  DECODE_PAGE_STORES,
  FLAG_ABSENT,
  FLAG_CLEAN,
  FLAG_CODE,
  FLAG_PENDING,
  FLAG_WATCH,
  OP_TRANSLATED,
  PAGE_FLAGS_OFFSET,
  RAM_BASE,
  WATCH_ADDR,
  WATCH_HIT,
  WATCH_SIZE,
} from './generated/layout';
import { CAUSE_ABSENT, fault, look } from './hart';
import { code_dropped, first_store } from './host';
import { unmapDecodePage } from './tlb';

/** Stores after which a page that was code is taken for data, and its decoded code dropped. */
const STORES_TO_DATA: u32 = 64;

// @ts-ignore: decorator
@inline
export function pageFlags(ramOffset: u32): u32 {
  return load<u8>(PAGE_FLAGS_OFFSET + (ramOffset >>> 12));
}

// @ts-ignore: decorator
@inline
export function setPageFlags(ramOffset: u32, flags: u32): void {
  store<u8>(PAGE_FLAGS_OFFSET + (ramOffset >>> 12), flags);
}

/**
 * Whether what RAM holds at `ramOffset` has not come yet: notes it in the place of a fault. The TLBs
 * lead to no such page, for whatever fills them asks here first.
 */
export function isAbsent(h: usize, ramOffset: u32): bool {
  if ((pageFlags(ramOffset) & FLAG_ABSENT) == 0) return false;
  store<u32>(h, ramOffset >>> 12, ABSENT_PAGE);
  fault(h, CAUSE_ABSENT, 0);
  return true;
}

/** Number of the decode page that holds this page of RAM; 0: none. */
// @ts-ignore: decorator
@inline
export function decodePageOf(ramOffset: u32): u32 {
  return load<u16>(DECODE_MAP_OFFSET + ((ramOffset >>> 12) << 1));
}

// @ts-ignore: decorator
@inline
export function decodePageAt(index: u32): usize {
  return DECODE_PAGES_OFFSET + <usize>index * DECODE_PAGE_SIZE;
}

/** Makes the interpreter forget the translated code of a decode page. */
function dropRegions(page: usize, ramOffset: u32): void {
  if (load<u32>(page, DECODE_PAGE_REGIONS) == 0) return;
  store<u32>(page, 0, DECODE_PAGE_REGIONS);
  for (let slot = page; slot < page + DECODE_PAGE_END; slot += 8) {
    if ((load<u32>(slot) & 0x1ff) == OP_TRANSLATED) store<u64>(slot, 0);
  }
  code_dropped(ramOffset & 0xfffff000);
}

/** Gives a page's decoded code back. */
export function dropCode(h: usize, ramOffset: u32): void {
  const index = decodePageOf(ramOffset);
  if (index == 0) return;
  store<u16>(DECODE_MAP_OFFSET + ((ramOffset >>> 12) << 1), 0);
  const page = decodePageAt(index);
  unmapDecodePage(h, page);
  dropRegions(page, ramOffset);
  store<u32>(page, load<u32>(h, DECODE_FREE));
  store<u32>(h, index, DECODE_FREE);
  setPageFlags(ramOffset, pageFlags(ramOffset) & ~FLAG_CODE);
  // The interpreter may stand in it.
  look(h);
}

/** Clears the decoded instructions that `size` bytes at `ramOffset`, within one page, are part of. */
function forget(h: usize, ramOffset: u32, size: u32): void {
  const index = decodePageOf(ramOffset);
  if (index == 0) return;
  const page = decodePageAt(index);
  const stores = load<u32>(page, DECODE_PAGE_STORES) + 1;
  if (stores > STORES_TO_DATA) {
    dropCode(h, ramOffset);
    return;
  }
  store<u32>(page, stores, DECODE_PAGE_STORES);
  if (load<u32>(page, DECODE_PAGE_REGIONS)) {
    dropRegions(page, ramOffset);
    // Translated code may stand in it.
    look(h);
  }
  const offset = ramOffset & 0xfff;
  // The instruction before may reach into the first halfword.
  let slot = page + (((offset & 0xffe) - (offset > 1 ? 2 : 0)) << 2);
  const end = page + min<usize>(((offset + size + 1) >>> 1) << 3, DECODE_PAGE_END);
  for (; slot < end; slot += 8) store<u64>(slot, 0);
}

/** RAM at `ramOffset` is about to be written by the hart: it is clean no more. */
export function beforeStore(h: usize, ramOffset: u32): void {
  const flags = pageFlags(ramOffset);
  if ((flags & FLAG_CLEAN) == 0) return;
  if ((flags & FLAG_PENDING) != 0 && first_store(ramOffset & 0xfffff000) != 0) look(h);
  setPageFlags(ramOffset, flags & ~(FLAG_CLEAN | FLAG_PENDING));
}

/** RAM was written at `ramOffset`, `size` bytes within one page: does what the page's flags ask. */
export function noteStore(h: usize, ramOffset: u32, size: u32): void {
  const flags = pageFlags(ramOffset);
  if (flags == 0) return;
  if (flags & FLAG_CODE) forget(h, ramOffset, size);
  if (flags & FLAG_WATCH) {
    store<u64>(h, RAM_BASE + <u64>ramOffset, WATCH_ADDR);
    store<u32>(h, size, WATCH_SIZE);
    store<u32>(h, 1, WATCH_HIT);
    look(h);
  }
}
