// Fetching and decoding: gives the interpreter the decode page of an address, decodes instructions
// where they are first met, and keeps decode pages within their budget.
import {
  BORROWED,
  DECODE_FREE,
  DECODE_MAP_OFFSET,
  DECODE_NEXT,
  DECODE_PAGE_END,
  DECODE_PAGE_RAM,
  DECODE_PAGE_SIZE,
  DECODE_PAGES,
  FLAG_CODE,
  OP_CROSS,
  OP_LOOKUP,
  PC,
  RAM_BASE,
  RAM_OFFSET,
  STAT_DECODED,
  STAT_TLB_MISSES,
} from './generated/layout';
import { fetchTlbOf } from './access';
import { decodeLong, decodeShort } from './generated/decoder';
import { accessFault, effectivePrivilege, FETCH, isRam, NOWHERE, ramAt, translateFor } from './mmu';
import { decodePageAt, decodePageOf, dropCode, isAbsent, pageFlags, setPageFlags } from './pages';
import { pmpAllows, pmpAllowsPage } from './pmp';
import { fillEntry, protectPage, resetTlbs, tlbEntry } from './tlb';

/** Empties the decode cache of a hart. */
export function resetDecodeCache(h: usize): void {
  for (let index: u32 = 1; index < load<u32>(h, DECODE_NEXT); index++) {
    const ramOffset = load<u32>(decodePageAt(index), DECODE_PAGE_RAM);
    if (decodePageOf(ramOffset) == index) dropCode(h, ramOffset);
  }
  store<u32>(h, 1, DECODE_NEXT);
  store<u32>(h, 0, DECODE_FREE);
  // Page 0 holds one instruction that crosses two pages, at its last slot; all others look up.
  let slot = decodePageAt(0);
  const end = slot + DECODE_PAGE_SIZE;
  store<u32>(h, 0, BORROWED);
  for (; slot < end; slot += 8) store<u64>(slot, OP_LOOKUP);
  resetTlbs(h);
}

function newDecodePage(h: usize, ramOffset: u32): usize {
  let index = load<u32>(h, DECODE_FREE);
  if (index != 0) {
    store<u32>(h, load<u32>(decodePageAt(index)), DECODE_FREE);
  } else {
    if (load<u32>(h, DECODE_NEXT) >= DECODE_PAGES) resetDecodeCache(h);
    index = load<u32>(h, DECODE_NEXT);
    store<u32>(h, index + 1, DECODE_NEXT);
  }
  const page = decodePageAt(index);
  memory.fill(page, 0, DECODE_PAGE_SIZE);
  store<u32>(page, OP_LOOKUP, DECODE_PAGE_END);
  store<u32>(page, ramOffset & 0xfffff000, DECODE_PAGE_RAM);
  store<u16>(DECODE_MAP_OFFSET + ((ramOffset >>> 12) << 1), <u16>index);
  setPageFlags(ramOffset, pageFlags(ramOffset) | FLAG_CODE);
  protectPage(h, ramOffset);
  return page;
}

/**
 * Decode page of `pc`, 0 with the fault noted. For the outer loop only: it may reuse pages. Where
 * PMP does not allow the whole page the TLB stays empty, and the caller runs one instruction.
 */
export function fetchPage(h: usize, fetchTlb: usize, pc: u64): usize {
  const entry = tlbEntry(fetchTlb, pc);
  const tag = pc & ~(<u64>0xfff);
  if (load<u64>(entry) == tag) return load<u32>(entry, 8);
  store<u64>(h, load<u64>(h, STAT_TLB_MISSES) + 1, STAT_TLB_MISSES);
  const physical = translateFor(h, pc, FETCH);
  if (physical == NOWHERE) return 0;
  const priv = effectivePrivilege(h, FETCH);
  if (!isRam(h, physical, 2)) {
    accessFault(h, FETCH, pc);
    return 0;
  }
  if (isAbsent(h, <u32>(physical - RAM_BASE))) return 0;
  const long = (load<u16>(ramAt(physical)) & 3) == 3 && (pc & 0xfff) != 0xffe;
  if (!pmpAllows(h, physical, long ? 4 : 2, FETCH, priv)) {
    accessFault(h, FETCH, pc);
    return 0;
  }
  const ramOffset = <u32>(physical - RAM_BASE);
  const index = decodePageOf(ramOffset);
  const page = index == 0 ? newDecodePage(h, ramOffset) : decodePageAt(index);
  if (pmpAllowsPage(h, physical, FETCH, priv)) {
    fillEntry(h, entry, pc, <u32>page);
  }
  return page;
}

/** Decodes the instruction that `slot` stands for. `base`: guest-virtual address of its page. */
export function decodeAt(h: usize, base: u64, page: usize, slot: usize): void {
  store<u64>(h, load<u64>(h, STAT_DECODED) + 1, STAT_DECODED);
  const offset = (slot - page) >>> 2;
  const at = RAM_OFFSET + load<u32>(page, DECODE_PAGE_RAM) + offset;
  const half: u32 = load<u16>(at);
  if ((half & 3) != 3) {
    decodeShort(slot, half);
  } else if (offset == 0xffe) {
    store<u32>(slot, half, 4);
    store<u32>(slot, OP_CROSS);
  } else {
    decodeLong(slot, half | ((<u32>load<u16>(at, 2)) << 16));
  }
}

/**
 * Takes the slot at `offset` of decode page 0, in which an instruction runs that has no slot in its
 * own page; all other slots of page 0 lead back to the pages that they stand for.
 */
function borrow(h: usize, offset: usize): usize {
  const page = decodePageAt(0);
  const last = load<u32>(h, BORROWED);
  if (last != 0) store<u64>(last, OP_LOOKUP);
  const slot = page + (offset << 2);
  store<u32>(h, <u32>slot, BORROWED);
  return slot;
}

/** The instruction across two pages that page 0 holds; 0, which is none: another one. */
let crossed: u32 = 0;

/** Decodes an instruction again whose slot leads to translated code; gives decode page 0. */
export function redecode(h: usize, page: usize, slot: usize): usize {
  crossed = 0;
  const offset = (slot - page) >>> 2;
  const at = RAM_OFFSET + load<u32>(page, DECODE_PAGE_RAM) + offset;
  const half: u32 = load<u16>(at);
  const borrowed = borrow(h, offset);
  if ((half & 3) != 3) decodeShort(borrowed, half);
  else decodeLong(borrowed, half | ((<u32>load<u16>(at, 2)) << 16));
  return decodePageAt(0);
}

/**
 * The instruction in the last halfword of the page at `base` and the first of the next page:
 * decodes it into the decode page of such instructions, which it returns; 0 with the fault noted.
 */
export function crossPage(h: usize, base: u64, slot: usize): usize {
  const address = base + 0x1000;
  const at = fetchHalf(h, address);
  if (at == 0) return 0;
  const bits = load<u32>(slot, 4) | ((<u32>load<u16>(at)) << 16);
  const page = decodePageAt(0);
  // A loop may come by here again and again.
  if (bits == crossed && load<u32>(h, BORROWED) == <u32>page + (0xffe << 2)) return page;
  decodeLong(borrow(h, 0xffe), bits);
  crossed = bits;
  return page;
}

/** Place in the memory of the halfword at the beginning of a page; 0 with the fault noted. */
function fetchHalf(h: usize, address: u64): usize {
  const entry = tlbEntry(fetchTlbOf(h), address);
  if (load<u64>(entry) == address) {
    return RAM_OFFSET + load<u32>(load<u32>(entry, 8), DECODE_PAGE_RAM);
  }
  const physical = translateFor(h, address, FETCH);
  if (physical == NOWHERE) return 0;
  if (!isRam(h, physical, 2) || !pmpAllows(h, physical, 2, FETCH, effectivePrivilege(h, FETCH))) {
    accessFault(h, FETCH, address);
    return 0;
  }
  return isAbsent(h, <u32>(physical - RAM_BASE)) ? 0 : ramAt(physical);
}

/** The bits of the instruction at pc, for mtval; pc was fetched from before. */
export function instructionBits(h: usize): u64 {
  const pc = load<u64>(h, PC);
  const physical = translateFor(h, pc, FETCH);
  if (physical == NOWHERE || !isRam(h, physical, 2)) return 0;
  const half: u32 = load<u16>(ramAt(physical));
  if ((half & 3) != 3) return half;
  const next = translateFor(h, pc + 2, FETCH);
  if (next == NOWHERE || !isRam(h, next, 2)) return half;
  return <u64>(half | ((<u32>load<u16>(ramAt(next))) << 16));
}
