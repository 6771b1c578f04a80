// Loads and stores that miss the TLB: translation, PMP, RAM or a device, misaligned ones in pieces.
// Guarantees that a store that faults has written nothing. Devices take aligned accesses only.
import {
  BUS_ERROR,
  FAULT,
  FAULT_TVAL,
  MSTATUS,
  PRIV,
  RAM_BASE,
  SET_MACHINE,
  SET_SUPERVISOR,
  SET_SUPERVISOR_SUM,
  SET_USER,
  STAT_TLB_MISSES,
  TLB_FETCH,
  TLB_WRITE,
} from './generated/layout';
import {
  CAUSE_ABSENT,
  CAUSE_LOAD_MISALIGNED,
  CAUSE_LOAD_PAGE,
  CAUSE_STORE_ACCESS,
  CAUSE_STORE_PAGE,
  fault,
  faulted,
  look,
  MACHINE,
  MSTATUS_SUM,
  USER,
} from './hart';
import { mmio_load, mmio_load64, mmio_store, mmio_store64 } from './host';
import {
  accessFault,
  effectivePrivilege,
  isRam,
  LOAD,
  NOWHERE,
  ramAt,
  STORE,
  translateFor,
} from './mmu';
import { beforeStore, isAbsent, noteStore, pageFlags } from './pages';
import { pmpAllows, pmpAllowsPage } from './pmp';
import { fillData, refill, tlbEntry, tlbSet } from './tlb';

function setFor(h: usize, priv: u32): u32 {
  if (priv == MACHINE) return SET_MACHINE;
  if (priv == USER) return SET_USER;
  return load<u64>(h, MSTATUS) & MSTATUS_SUM ? SET_SUPERVISOR_SUM : SET_SUPERVISOR;
}

/** The read TLB in force for loads; the write TLB follows it. */
export function dataTlbOf(h: usize): usize {
  return tlbSet(h, setFor(h, effectivePrivilege(h, LOAD)));
}

/** The fetch TLB in force. */
export function fetchTlbOf(h: usize): usize {
  const priv = load<u32>(h, PRIV);
  const set = priv == MACHINE ? SET_MACHINE : priv == USER ? SET_USER : SET_SUPERVISOR;
  return tlbSet(h, set) + TLB_FETCH;
}

/** Physical address for `size` bytes within one page, PMP asked; fills the TLB. */
function resolve(h: usize, address: u64, size: u32, access: u32): u64 {
  store<u64>(h, load<u64>(h, STAT_TLB_MISSES) + 1, STAT_TLB_MISSES);
  const physical = translateFor(h, address, access);
  if (physical == NOWHERE) return NOWHERE;
  const priv = effectivePrivilege(h, access);
  if (!pmpAllows(h, physical, size, access, priv)) return accessFault(h, access, address);
  if (!isRam(h, physical, size)) return physical;
  const ramOffset = <u32>(physical - RAM_BASE);
  if (isAbsent(h, ramOffset)) return NOWHERE;
  if (access == STORE) beforeStore(h, ramOffset);
  if (pmpAllowsPage(h, physical, access, priv)) {
    if (access == LOAD || pageFlags(ramOffset) == 0) {
      const tlb = dataTlbOf(h) + (access == STORE ? TLB_WRITE : 0);
      fillData(h, tlb, address, ramAt(physical));
    }
  }
  return physical;
}

function loadRam(at: usize, size: u32): u64 {
  switch (size) {
    case 1:
      return load<u8>(at);
    case 2:
      return load<u16>(at);
    case 4:
      return load<u32>(at);
    default:
      return load<u64>(at);
  }
}

function storeRam(at: usize, size: u32, value: u64): void {
  switch (size) {
    case 1:
      store<u8>(at, <u8>value);
      break;
    case 2:
      store<u16>(at, <u16>value);
      break;
    case 4:
      store<u32>(at, <u32>value);
      break;
    default:
      store<u64>(at, value);
  }
}

function loadDevice(h: usize, physical: u64, size: u32, address: u64): u64 {
  if (physical >> 32 != 0 || (physical & (size - 1)) != 0) return accessFault(h, LOAD, address);
  store<u32>(h, 0, BUS_ERROR);
  const value: u64 =
    size == 8 ? mmio_load64(<u32>physical) : <u64>(<u32>mmio_load(<u32>physical, size));
  if (load<u32>(h, BUS_ERROR)) return accessFault(h, LOAD, address);
  return value;
}

function storeDevice(h: usize, physical: u64, size: u32, value: u64, address: u64): void {
  if (physical >> 32 != 0 || (physical & (size - 1)) != 0) {
    accessFault(h, STORE, address);
    return;
  }
  store<u32>(h, 0, BUS_ERROR);
  if (size == 8) mmio_store64(<u32>physical, value);
  else mmio_store(<u32>physical, size, <u32>value);
  if (load<u32>(h, BUS_ERROR)) accessFault(h, STORE, address);
  // The device may have moved an interrupt line or asked for attention.
  else look(h);
}

/** Loads `size` bytes, zero-extended; on a fault the hart's fault is set. */
export function loadSlow(h: usize, address: u64, size: u32): u64 {
  const inPage: u32 = 4096 - (<u32>address & 0xfff);
  if (inPage < size) {
    const low = loadSlow(h, address, 1);
    if (faulted(h)) return 0;
    let value = low;
    for (let i: u32 = 1; i < size; i++) {
      value |= loadSlow(h, address + i, 1) << (8 * i);
      if (faulted(h)) return 0;
    }
    return value;
  }
  const tlb = dataTlbOf(h);
  const entry = tlbEntry(tlb, address);
  if (load<u64>(entry) == (address & ~(<u64>0xfff)) || refill(h, tlb, address)) {
    return loadRam(load<u32>(entry, 8) + <usize>address, size);
  }
  const physical = resolve(h, address, size, LOAD);
  if (physical == NOWHERE) return 0;
  if (isRam(h, physical, size)) return loadRam(ramAt(physical), size);
  const value = loadDevice(h, physical, size, address);
  return faulted(h) ? 0 : value;
}

/** Stores the low `size` bytes of `value`; on a fault the hart's fault is set. */
export function storeSlow(h: usize, address: u64, size: u32, value: u64): void {
  const inPage: u32 = 4096 - (<u32>address & 0xfff);
  if (inPage < size) {
    // Both pages must take it before a byte is written.
    const first = resolve(h, address, inPage, STORE);
    if (first == NOWHERE) return;
    const second = resolve(h, address + inPage, size - inPage, STORE);
    if (second == NOWHERE) return;
    if (!isRam(h, first, inPage) || !isRam(h, second, size - inPage)) {
      accessFault(h, STORE, address);
      return;
    }
    for (let i: u32 = 0; i < size; i++) {
      const physical = i < inPage ? first + i : second + (i - inPage);
      store<u8>(ramAt(physical), <u8>(value >> (8 * i)));
    }
    noteStore(h, <u32>(first - RAM_BASE), inPage);
    noteStore(h, <u32>(second - RAM_BASE), size - inPage);
    return;
  }
  const tlb = dataTlbOf(h) + TLB_WRITE;
  const entry = tlbEntry(tlb, address);
  if (load<u64>(entry) == (address & ~(<u64>0xfff)) || refill(h, tlb, address)) {
    storeRam(load<u32>(entry, 8) + <usize>address, size, value);
    return;
  }
  const physical = resolve(h, address, size, STORE);
  if (physical == NOWHERE) return;
  if (!isRam(h, physical, size)) {
    storeDevice(h, physical, size, value, address);
    return;
  }
  storeRam(ramAt(physical), size, value);
  noteStore(h, <u32>(physical - RAM_BASE), size);
}

/** Physical address by a TLB entry of the page of `address`. */
function physicalOf(entry: usize, address: u64): u64 {
  // Wraps at 32 bits.
  const at: usize = load<u32>(entry, 8) + <usize>address;
  return <u64>at - ramAt(RAM_BASE) + RAM_BASE;
}

/**
 * Physical address in RAM of an atomic access of `size` bytes; NOWHERE with the fault noted. `access`
 * LOAD for LR, STORE for all others, which need both rights and report as stores.
 */
export function resolveAtomic(h: usize, address: u64, size: u32, access: u32): u64 {
  if ((<u32>address & (size - 1)) != 0) {
    fault(h, access == LOAD ? CAUSE_LOAD_MISALIGNED : CAUSE_LOAD_MISALIGNED + 2, address);
    return NOWHERE;
  }
  const tlb = dataTlbOf(h) + (access == STORE ? TLB_WRITE : 0);
  const entry = tlbEntry(tlb, address);
  if (load<u64>(entry) == (address & ~(<u64>0xfff)) || refill(h, tlb, address)) {
    return physicalOf(entry, address);
  }
  const physical = resolve(h, address, size, access);
  if (physical == NOWHERE) return NOWHERE;
  if (!isRam(h, physical, size)) return accessFault(h, access, address);
  return physical;
}

/**
 * Physical address of the 64-byte block around `address`, in RAM, for a cache-block operation;
 * NOWHERE with the fault noted. `zero`: it is written; else any right to the block is enough.
 */
export function resolveBlock(h: usize, address: u64, zero: bool): u64 {
  const block = address & ~(<u64>63);
  let physical: u64;
  if (zero) {
    // Linux clears its pages so: sixty-four times for each.
    const tlb = dataTlbOf(h) + TLB_WRITE;
    const entry = tlbEntry(tlb, block);
    if (load<u64>(entry) == (block & ~(<u64>0xfff)) || refill(h, tlb, block)) {
      return physicalOf(entry, block);
    }
    physical = resolve(h, block, 64, STORE);
  } else {
    physical = resolve(h, block, 64, LOAD);
    if (physical == NOWHERE) {
      // Reported as a store; a page that may be stored to but not loaded does not exist.
      const cause = load<u32>(h, FAULT) - 1;
      if (cause == CAUSE_ABSENT) return NOWHERE;
      fault(h, cause == CAUSE_LOAD_PAGE ? CAUSE_STORE_PAGE : CAUSE_STORE_ACCESS, address);
    }
  }
  if (physical == NOWHERE) {
    store<u64>(h, address, FAULT_TVAL);
    return NOWHERE;
  }
  return isRam(h, physical, 64) ? physical : accessFault(h, STORE, address);
}
