// System instructions: calls, returns from traps, waiting, fences, cache blocks (privileged ISA;
// unprivileged ISA 'CMO', 'Zawrs'). Each helper gets the decoded slot's word and immediate, finds
// the hart's pc set, and returns what the interpreter does next (events.ts).
import {
  EVENT,
  MENVCFG,
  MEPC,
  MSTATUS,
  PC,
  PRIV,
  RAM_BASE,
  SBI,
  SENVCFG,
  SEPC,
  WAITING,
  X,
} from './generated/layout';
import { resolveBlock } from './access';
import { EVENT_SBI, JUMPED, NEXT_FAST, NEXT_OUTER, TRAPPED } from './events';
import {
  CAUSE_BREAKPOINT,
  CAUSE_ECALL_U,
  ENVCFG_CBCFE,
  ENVCFG_CBIE,
  ENVCFG_CBZE,
  MACHINE,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_MPRV,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_TSR,
  MSTATUS_TVM,
  MSTATUS_TW,
  SUPERVISOR,
  USER,
} from './hart';
import { NOWHERE, ramAt } from './mmu';
import { noteStore } from './pages';
import { flushAll, flushPage } from './tlb';
import { raise, raiseFault, raiseIllegal, wakes } from './trap';

// @ts-ignore: decorator
@inline
function source1(h: usize, w: u32): u64 {
  return load<u64>(h + ((w >>> 12) & 0xf8), X);
}

function illegal(h: usize): i32 {
  raiseIllegal(h);
  return TRAPPED;
}

export function sys_ecall(h: usize, w: u32, imm: i32): i32 {
  const priv = load<u32>(h, PRIV);
  if (priv == SUPERVISOR && load<u32>(h, SBI)) {
    store<u32>(h, EVENT_SBI, EVENT);
    return TRAPPED;
  }
  raise(h, CAUSE_ECALL_U + priv, 0);
  return TRAPPED;
}

export function sys_ebreak(h: usize, w: u32, imm: i32): i32 {
  raise(h, CAUSE_BREAKPOINT, load<u64>(h, PC));
  return TRAPPED;
}

export function sys_sret(h: usize, w: u32, imm: i32): i32 {
  const priv = load<u32>(h, PRIV);
  let status = load<u64>(h, MSTATUS);
  if (priv < SUPERVISOR || (priv == SUPERVISOR && (status & MSTATUS_TSR) != 0)) return illegal(h);
  const enabled = (status & MSTATUS_SPIE) != 0;
  store<u32>(h, status & MSTATUS_SPP ? SUPERVISOR : USER, PRIV);
  status &= ~(MSTATUS_SIE | MSTATUS_SPP | MSTATUS_MPRV);
  status |= MSTATUS_SPIE;
  if (enabled) status |= MSTATUS_SIE;
  store<u64>(h, status, MSTATUS);
  store<u64>(h, load<u64>(h, SEPC), PC);
  return JUMPED;
}

export function sys_mret(h: usize, w: u32, imm: i32): i32 {
  if (load<u32>(h, PRIV) != MACHINE) return illegal(h);
  let status = load<u64>(h, MSTATUS);
  const enabled = (status & MSTATUS_MPIE) != 0;
  const previous = <u32>(status >> 11) & 3;
  store<u32>(h, previous, PRIV);
  status &= ~(MSTATUS_MIE | MSTATUS_MPP);
  if (previous != MACHINE) status &= ~MSTATUS_MPRV;
  status |= MSTATUS_MPIE;
  if (enabled) status |= MSTATUS_MIE;
  store<u64>(h, status, MSTATUS);
  store<u64>(h, load<u64>(h, MEPC), PC);
  return JUMPED;
}

export function sys_wfi(h: usize, w: u32, imm: i32): i32 {
  const priv = load<u32>(h, PRIV);
  if (priv == USER || (priv == SUPERVISOR && (load<u64>(h, MSTATUS) & MSTATUS_TW) != 0)) {
    return illegal(h);
  }
  if (!wakes(h)) store<u32>(h, 1, WAITING);
  return NEXT_OUTER;
}

// A stall may end for any reason, at once too.
export function sys_wrs_nto(h: usize, w: u32, imm: i32): i32 {
  return NEXT_FAST;
}

export function sys_wrs_sto(h: usize, w: u32, imm: i32): i32 {
  return NEXT_FAST;
}

// The decode cache follows stores by itself; the fetch that comes next sees them.
export function sys_fence_i(h: usize, w: u32, imm: i32): i32 {
  return NEXT_OUTER;
}

function mayFence(h: usize): bool {
  const priv = load<u32>(h, PRIV);
  return priv == MACHINE || (priv == SUPERVISOR && (load<u64>(h, MSTATUS) & MSTATUS_TVM) == 0);
}

export function sys_sfence_vma(h: usize, w: u32, imm: i32): i32 {
  if (!mayFence(h)) return illegal(h);
  if ((w >>> 15) & 31) flushPage(h, source1(h, w));
  else flushAll(h);
  return NEXT_OUTER;
}

export function sys_sinval_vma(h: usize, w: u32, imm: i32): i32 {
  return sys_sfence_vma(h, w, imm);
}

// These order; sinval.vma has acted at once.
export function sys_sfence_w_inval(h: usize, w: u32, imm: i32): i32 {
  return load<u32>(h, PRIV) == USER ? illegal(h) : NEXT_FAST;
}

export function sys_sfence_inval_ir(h: usize, w: u32, imm: i32): i32 {
  return load<u32>(h, PRIV) == USER ? illegal(h) : NEXT_FAST;
}

/** Whether the environment lets this privilege use a cache-block operation (CMO §CSR controls). */
function blockAllowed(h: usize, bits: u64): bool {
  const priv = load<u32>(h, PRIV);
  if (priv != MACHINE && (load<u64>(h, MENVCFG) & bits) == 0) return false;
  return priv != USER || (load<u64>(h, SENVCFG) & bits) != 0;
}

/** Memory is coherent: management of a block only checks that the address may be accessed. */
function manageBlock(h: usize, w: u32, bits: u64): i32 {
  if (!blockAllowed(h, bits)) return illegal(h);
  if (resolveBlock(h, source1(h, w), false) == NOWHERE) {
    raiseFault(h);
    return TRAPPED;
  }
  return NEXT_FAST;
}

export function sys_cbo_inval(h: usize, w: u32, imm: i32): i32 {
  return manageBlock(h, w, ENVCFG_CBIE);
}

export function sys_cbo_clean(h: usize, w: u32, imm: i32): i32 {
  return manageBlock(h, w, ENVCFG_CBCFE);
}

export function sys_cbo_flush(h: usize, w: u32, imm: i32): i32 {
  return manageBlock(h, w, ENVCFG_CBCFE);
}

export function sys_cbo_zero(h: usize, w: u32, imm: i32): i32 {
  if (!blockAllowed(h, ENVCFG_CBZE)) return illegal(h);
  const physical = resolveBlock(h, source1(h, w), true);
  if (physical == NOWHERE) {
    raiseFault(h);
    return TRAPPED;
  }
  // memory.fill would leave the module for so little.
  const at = ramAt(physical);
  for (let i: usize = 0; i < 64; i += 8) store<u64>(at + i, 0);
  noteStore(h, <u32>(physical - RAM_BASE), 64);
  return load<u32>(h, EVENT) ? NEXT_OUTER : NEXT_FAST;
}
