// A hart's fields that several parts read and write, and the names of their bits (privileged ISA,
// 'Machine-Level ISA', 'Supervisor-Level ISA').
import { EVENT, FAULT, FAULT_TVAL, MSTATUS, PRIV } from './generated/layout';
import { EVENT_LOOK } from './events';

export const USER: u32 = 0;
export const SUPERVISOR: u32 = 1;
export const MACHINE: u32 = 3;

export const MSTATUS_SIE: u64 = 1 << 1;
export const MSTATUS_MIE: u64 = 1 << 3;
export const MSTATUS_SPIE: u64 = 1 << 5;
export const MSTATUS_MPIE: u64 = 1 << 7;
export const MSTATUS_SPP: u64 = 1 << 8;
export const MSTATUS_MPP: u64 = 3 << 11;
export const MSTATUS_FS: u64 = 3 << 13;
export const MSTATUS_MPRV: u64 = 1 << 17;
export const MSTATUS_SUM: u64 = 1 << 18;
export const MSTATUS_MXR: u64 = 1 << 19;
export const MSTATUS_TVM: u64 = 1 << 20;
export const MSTATUS_TW: u64 = 1 << 21;
export const MSTATUS_TSR: u64 = 1 << 22;
export const MSTATUS_UXL: u64 = 2 << 32;
export const MSTATUS_SXL: u64 = 2 << 34;
export const MSTATUS_SD: u64 = 1 << 63;

export const MENVCFG_FIOM: u64 = 1;
export const ENVCFG_CBIE: u64 = 3 << 4;
export const ENVCFG_CBCFE: u64 = 1 << 6;
export const ENVCFG_CBZE: u64 = 1 << 7;
export const MENVCFG_ADUE: u64 = 1 << 61;
export const MENVCFG_STCE: u64 = 1 << 63;

export const CAUSE_FETCH_ACCESS: u32 = 1;
export const CAUSE_ILLEGAL: u32 = 2;
export const CAUSE_BREAKPOINT: u32 = 3;
export const CAUSE_LOAD_MISALIGNED: u32 = 4;
export const CAUSE_LOAD_ACCESS: u32 = 5;
export const CAUSE_STORE_MISALIGNED: u32 = 6;
export const CAUSE_STORE_ACCESS: u32 = 7;
export const CAUSE_ECALL_U: u32 = 8;
export const CAUSE_FETCH_PAGE: u32 = 12;
export const CAUSE_LOAD_PAGE: u32 = 13;
export const CAUSE_STORE_PAGE: u32 = 15;
/** No exception: the page has not come yet, and the access is to be done again when it has. */
export const CAUSE_ABSENT: u32 = 63;

export const IP_SSIP: u64 = 1 << 1;
export const IP_STIP: u64 = 1 << 5;
export const IP_SEIP: u64 = 1 << 9;

// @ts-ignore: decorator
@inline
export function privilege(h: usize): u32 {
  return load<u32>(h, PRIV);
}

/** mstatus.FS is not Off. Bits 14:13 of the register are bits 6:5 of its second byte. */
// @ts-ignore: decorator
@inline
export function floatOn(h: usize): bool {
  return (load<u8>(h, MSTATUS + 1) & 0x60) != 0;
}

/** mstatus.FS = Dirty. */
// @ts-ignore: decorator
@inline
export function dirtyFloat(h: usize): void {
  store<u8>(h, load<u8>(h, MSTATUS + 1) | 0x60, MSTATUS + 1);
}

/** A binary32 from a register: the canonical NaN where it is not boxed. */
// @ts-ignore: decorator
@inline
export function unbox(v: i64): i32 {
  return select<i32>(<i32>v, 0x7fc00000, v >>> 32 == 0xffffffff);
}

/** Notes a fault for raiseFault, and that the interpreter must look. */
export function fault(h: usize, cause: u32, tval: u64): void {
  store<u32>(h, cause + 1, FAULT);
  store<u64>(h, tval, FAULT_TVAL);
  store<u32>(h, EVENT_LOOK, EVENT);
}

// @ts-ignore: decorator
@inline
export function faulted(h: usize): bool {
  return load<u32>(h, FAULT) != 0;
}

// @ts-ignore: decorator
@inline
export function look(h: usize): void {
  store<u32>(h, EVENT_LOOK, EVENT);
}
