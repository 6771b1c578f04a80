// The CPU core's exports (src/core/core.ts, CoreExports). All state is in the VM's memory, at the
// places that src/core/layout.ts names, save what is recomputed from it.
import {
  EVENT,
  FAULT,
  HARTID,
  HEAT_THRESHOLD,
  HARTS_OFFSET,
  HART_STRIDE,
  PRIV,
  RAM_SIZE,
  RES_ADDR,
  STIMECMP,
  TLB_OFFSET,
} from './generated/layout';
import { resetDecodeCache } from './fetch';
import { CAUSE_ABSENT, MACHINE } from './hart';
import { FETCH, LOAD, STORE, translateFor } from './mmu';
import { noteStore } from './pages';
import { flushAll } from './tlb';
import { lookAtClock } from './trap';

export { run } from './generated/interpreter';
export { csr_read, csr_write } from './csr';
// What translated code calls.
export * from './atomic';
export * from './float';
export * from './integer';
export { fflags } from './float/flags';
export { loadSlow, storeSlow } from './access';
export { sys_csrrc, sys_csrrci, sys_csrrs, sys_csrrsi, sys_csrrw, sys_csrrwi } from './csr';
export { sys_cbo_clean, sys_cbo_flush, sys_cbo_inval, sys_cbo_zero } from './system';

// @ts-ignore: decorator
@inline
function hartAt(hart: u32): usize {
  return HARTS_OFFSET + <usize>hart * HART_STRIDE;
}

/** Puts a hart into its state after power-on: M-mode, all registers 0. RAM's size and the
 * translator's threshold are kept. */
export function reset(hart: u32): void {
  const h = hartAt(hart);
  const ram = load<u32>(h, RAM_SIZE);
  const heatThreshold = load<u32>(h, HEAT_THRESHOLD);
  resetDecodeCache(h);
  memory.fill(h, 0, TLB_OFFSET);
  store<u32>(h, ram, RAM_SIZE);
  store<u32>(h, heatThreshold, HEAT_THRESHOLD);
  store<u32>(h, hart, HARTID);
  store<u32>(h, MACHINE, PRIV);
  store<u64>(h, -1, RES_ADDR);
  store<u64>(h, -1, STIMECMP);
  refresh(hart);
}

/** Recomputes what is derived from saved fields, after a restore. */
export function refresh(hart: u32): void {
  const h = hartAt(hart);
  resetDecodeCache(h);
  lookAtClock(h);
}

export function flush_tlb(hart: u32): void {
  flushAll(hartAt(hart));
}

/** The host wrote RAM: `length` bytes at `ramOffset`. */
export function invalidate(hart: u32, ramOffset: u32, length: u32): void {
  const h = hartAt(hart);
  let at = ramOffset;
  let left = length;
  while (left > 0) {
    const size = min<u32>(left, 4096 - (at & 0xfff));
    noteStore(h, at, size);
    at += size;
    left -= size;
  }
}

/**
 * Guest-physical address, -1, or -2: page tables have not come, absent_page is the first. No fault
 * is taken. access: 0 load, 1 store, 2 fetch.
 */
export function translate(hart: u32, address: u64, access: u32): u64 {
  const h = hartAt(hart);
  const event = load<u32>(h, EVENT);
  const physical = translateFor(h, address, access == 0 ? LOAD : access == 1 ? STORE : FETCH);
  const absent = load<u32>(h, FAULT) == CAUSE_ABSENT + 1;
  store<u32>(h, 0, FAULT);
  store<u32>(h, event, EVENT);
  return absent ? -2 : physical;
}
