// Control and status registers: what exists, who may access it, which bits are writable
// (privileged ISA, 'Control and Status Registers (CSRs)'; unprivileged ISA 'Zicsr', 'F').
import {
  FFLAGS,
  FRM,
  HARTID,
  HARTS_OFFSET,
  HART_STRIDE,
  INSTRET,
  MCAUSE,
  MCOUNTEREN,
  MCOUNTINHIBIT,
  MCYCLE_OFFSET,
  MEDELEG,
  MENVCFG,
  MEPC,
  MIDELEG,
  MIE,
  MINSTRET_OFFSET,
  MIP,
  MISA,
  MSCRATCH,
  MSTATUS,
  MTVAL,
  MTVEC,
  PMPADDR,
  PMPCFG,
  PRIV,
  SATP,
  SCAUSE,
  SCOUNTEREN,
  SENVCFG,
  SEPC,
  SSCRATCH,
  STIMECMP,
  STVAL,
  STVEC,
  X,
} from './generated/layout';
import { NEXT_FAST, NEXT_OUTER, TRAPPED } from './events';
import { readFflags, writeFflags } from './float';
import {
  dirtyFloat,
  ENVCFG_CBCFE,
  ENVCFG_CBIE,
  ENVCFG_CBZE,
  floatOn,
  IP_SEIP,
  IP_SSIP,
  IP_STIP,
  MACHINE,
  MENVCFG_ADUE,
  MENVCFG_FIOM,
  MENVCFG_STCE,
  MSTATUS_FS,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_MPRV,
  MSTATUS_MXR,
  MSTATUS_SD,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SUM,
  MSTATUS_SXL,
  MSTATUS_TSR,
  MSTATUS_TVM,
  MSTATUS_TW,
  MSTATUS_UXL,
  SUPERVISOR,
} from './hart';
import { time } from './host';
import { PMP_ENTRIES, pmpConfig } from './pmp';
import { flushAll } from './tlb';
import { lookAtClock, pendingInterrupts, raiseIllegal } from './trap';

const SSTATUS_MASK: u64 =
  MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR;
const MSTATUS_MASK: u64 =
  SSTATUS_MASK | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR;
const S_INTERRUPTS: u64 = IP_SSIP | IP_STIP | IP_SEIP;
const ALL_INTERRUPTS: u64 = S_INTERRUPTS | (1 << 3) | (1 << 7) | (1 << 11);
/** Exceptions that exist and can come from below M-mode: all but 10 and 14, and ecall from M. */
const MEDELEG_MASK: u64 = 0xb3ff;
const COUNTERS: u64 = 0xffffffff;
const COUNTINHIBIT_MASK: u64 = 0;

/** Set by write() where the hart's mode, translation or interrupts may have changed. */
let outer: bool = false;
/** Set by read() and write() where the CSR does not exist or may not be accessed. */
let refused: bool = false;

function refuse(): u64 {
  refused = true;
  return 0;
}

/** Whether the counter `index` may be read from the hart's privilege. */
function counterEnabled(h: usize, index: u32): bool {
  const priv = load<u32>(h, PRIV);
  if (priv == MACHINE) return true;
  if (((load<u64>(h, MCOUNTEREN) >> index) & 1) == 0) return false;
  return priv == SUPERVISOR || ((load<u64>(h, SCOUNTEREN) >> index) & 1) != 0;
}

function statusOf(h: usize): u64 {
  const status = load<u64>(h, MSTATUS) | MSTATUS_UXL | MSTATUS_SXL;
  return (status & MSTATUS_FS) == MSTATUS_FS ? status | MSTATUS_SD : status;
}

/** stimecmp is S-mode's where M-mode turned Sstc on and shows the time (privileged ISA, Sstc). */
function timerAllowed(h: usize): bool {
  if (load<u32>(h, PRIV) == MACHINE) return true;
  return (load<u64>(h, MENVCFG) & MENVCFG_STCE) != 0 && (load<u64>(h, MCOUNTEREN) & 2) != 0;
}

function satpAllowed(h: usize): bool {
  return load<u32>(h, PRIV) == MACHINE || (load<u64>(h, MSTATUS) & MSTATUS_TVM) == 0;
}

function counter(h: usize, offset: u64): u64 {
  return load<u64>(h, INSTRET) + offset;
}

function read(h: usize, csr: u32): u64 {
  switch (csr) {
    case 0x001:
      return floatOn(h) ? readFflags() : refuse();
    case 0x002:
      return floatOn(h) ? load<u32>(h, FRM) : refuse();
    case 0x003:
      return floatOn(h) ? (load<u32>(h, FRM) << 5) | readFflags() : refuse();
    case 0xc00:
      return counterEnabled(h, 0) ? counter(h, load<u64>(h, MCYCLE_OFFSET)) : refuse();
    case 0xc01:
      return counterEnabled(h, 1) ? <u64>time() : refuse();
    case 0xc02:
      return counterEnabled(h, 2) ? counter(h, load<u64>(h, MINSTRET_OFFSET)) : refuse();
    case 0x100:
      return statusOf(h) & (SSTATUS_MASK | MSTATUS_UXL | MSTATUS_SD);
    case 0x104:
      return load<u64>(h, MIE) & load<u64>(h, MIDELEG);
    case 0x105:
      return load<u64>(h, STVEC);
    case 0x106:
      return load<u64>(h, SCOUNTEREN);
    case 0x10a:
      return load<u64>(h, SENVCFG);
    case 0x140:
      return load<u64>(h, SSCRATCH);
    case 0x141:
      return load<u64>(h, SEPC);
    case 0x142:
      return load<u64>(h, SCAUSE);
    case 0x143:
      return load<u64>(h, STVAL);
    case 0x144:
      return pendingInterrupts(h) & load<u64>(h, MIDELEG);
    case 0x14d:
      return timerAllowed(h) ? load<u64>(h, STIMECMP) : refuse();
    case 0x180:
      return satpAllowed(h) ? load<u64>(h, SATP) : refuse();
    case 0x300:
      return statusOf(h);
    case 0x301:
      return MISA;
    case 0x302:
      return load<u64>(h, MEDELEG);
    case 0x303:
      return load<u64>(h, MIDELEG);
    case 0x304:
      return load<u64>(h, MIE);
    case 0x305:
      return load<u64>(h, MTVEC);
    case 0x306:
      return load<u64>(h, MCOUNTEREN);
    case 0x30a:
      return load<u64>(h, MENVCFG);
    case 0x320:
      return load<u64>(h, MCOUNTINHIBIT);
    case 0x340:
      return load<u64>(h, MSCRATCH);
    case 0x341:
      return load<u64>(h, MEPC);
    case 0x342:
      return load<u64>(h, MCAUSE);
    case 0x343:
      return load<u64>(h, MTVAL);
    case 0x344:
      return pendingInterrupts(h);
    case 0xb00:
      return counter(h, load<u64>(h, MCYCLE_OFFSET));
    case 0xb02:
      return counter(h, load<u64>(h, MINSTRET_OFFSET));
    // mvendorid, marchid, mimpid, mconfigptr: not given.
    case 0xf11:
    case 0xf12:
    case 0xf13:
    case 0xf15:
      return 0;
    case 0xf14:
      return load<u32>(h, HARTID);
    case 0x3a0:
      return load<u64>(h, PMPCFG);
    case 0x3a2:
      return load<u64>(h, PMPCFG + 8);
    default:
  }
  if (csr >= 0x3b0 && csr < 0x3b0 + PMP_ENTRIES)
    return load<u64>(h + ((csr - 0x3b0) << 3), PMPADDR);
  // hpmcounter, mhpmcounter, mhpmevent 3 to 31: Zihpm's counters, read-only zero.
  if (csr >= 0xc03 && csr <= 0xc1f) return counterEnabled(h, csr & 31) ? 0 : refuse();
  if ((csr >= 0xb03 && csr <= 0xb1f) || (csr >= 0x323 && csr <= 0x33f)) return 0;
  return refuse();
}

function writeStatus(h: usize, value: u64, mask: u64): void {
  const old = load<u64>(h, MSTATUS);
  let status = (old & ~mask) | (value & mask);
  if (mask & MSTATUS_MIE) {
    // MPP is WARL: 2 is no mode, the old one stays.
    if ((value & MSTATUS_MPP) != (<u64>2) << 11)
      status = (status & ~MSTATUS_MPP) | (value & MSTATUS_MPP);
  }
  store<u64>(h, status, MSTATUS);
  if ((old ^ status) & MSTATUS_MXR) flushAll(h);
  outer = true;
}

function writePmpConfig(h: usize, first: u32, value: u64): void {
  for (let i: u32 = 0; i < 8; i++) {
    const entry = first + i;
    if (pmpConfig(h, entry) & 0x80) continue;
    const config = <u32>(value >> (8 * i)) & 0x9f;
    // R = 0 with W = 1 is reserved.
    if ((config & 3) == 2) continue;
    store<u8>(h + entry, <u8>config, PMPCFG);
  }
  flushAll(h);
  outer = true;
}

function writePmpAddress(h: usize, entry: u32, value: u64): void {
  if (pmpConfig(h, entry) & 0x80) return;
  // A locked top-of-range entry locks the address below it.
  if (entry + 1 < PMP_ENTRIES && (pmpConfig(h, entry + 1) & 0x98) == 0x88) return;
  store<u64>(h + (entry << 3), value & 0x3fffffffffffff, PMPADDR);
  flushAll(h);
  outer = true;
}

function writeSatp(h: usize, value: u64): void {
  const mode = value >> 60;
  // WARL: a mode that is not there leaves the register as it was. There are no ASIDs.
  if (mode != 0 && mode != 8 && mode != 9) return;
  const next = value & 0xf0000fffffffffff;
  if (load<u64>(h, SATP) != next) {
    store<u64>(h, next, SATP);
    flushAll(h);
  }
  outer = true;
}

function masked(h: usize, field: usize, value: u64, mask: u64): void {
  store<u64>(h + field, (load<u64>(h + field) & ~mask) | (value & mask));
}

/** A trap vector: the reserved modes 2 and 3 leave it as it was. */
function writeVector(h: usize, field: usize, value: u64): void {
  if ((value & 2) == 0) store<u64>(h + field, value);
}

function write(h: usize, csr: u32, value: u64): void {
  switch (csr) {
    case 0x001:
      writeFflags(<i32>value & 31);
      dirtyFloat(h);
      return;
    case 0x002:
      store<u32>(h, <u32>value & 7, FRM);
      dirtyFloat(h);
      return;
    case 0x003:
      writeFflags(<i32>value & 31);
      store<u32>(h, (<u32>value >> 5) & 7, FRM);
      dirtyFloat(h);
      return;
    case 0x100:
      writeStatus(h, value, SSTATUS_MASK);
      return;
    case 0x104:
      masked(h, MIE, value, load<u64>(h, MIDELEG));
      outer = true;
      return;
    case 0x105:
      writeVector(h, STVEC, value);
      return;
    case 0x106:
      store<u64>(h, value & COUNTERS, SCOUNTEREN);
      return;
    case 0x10a:
      writeEnvironment(h, SENVCFG, value, 0);
      return;
    case 0x140:
      store<u64>(h, value, SSCRATCH);
      return;
    case 0x141:
      store<u64>(h, value & ~(<u64>1), SEPC);
      return;
    case 0x142:
      store<u64>(h, value, SCAUSE);
      return;
    case 0x143:
      store<u64>(h, value, STVAL);
      return;
    case 0x144:
      masked(h, MIP, value, load<u64>(h, MIDELEG) & IP_SSIP);
      outer = true;
      return;
    case 0x14d:
      store<u64>(h, value, STIMECMP);
      lookAtClock(h);
      outer = true;
      return;
    case 0x180:
      writeSatp(h, value);
      return;
    case 0x300:
      writeStatus(h, value, MSTATUS_MASK);
      return;
    case 0x301:
      return;
    case 0x302:
      store<u64>(h, value & MEDELEG_MASK, MEDELEG);
      return;
    case 0x303:
      store<u64>(h, value & S_INTERRUPTS, MIDELEG);
      outer = true;
      return;
    case 0x304:
      store<u64>(h, value & ALL_INTERRUPTS, MIE);
      outer = true;
      return;
    case 0x305:
      writeVector(h, MTVEC, value);
      return;
    case 0x306:
      store<u64>(h, value & COUNTERS, MCOUNTEREN);
      return;
    case 0x30a:
      writeEnvironment(h, MENVCFG, value, MENVCFG_ADUE | MENVCFG_STCE);
      return;
    case 0x320:
      store<u64>(h, value & COUNTINHIBIT_MASK, MCOUNTINHIBIT);
      return;
    case 0x340:
      store<u64>(h, value, MSCRATCH);
      return;
    case 0x341:
      store<u64>(h, value & ~(<u64>1), MEPC);
      return;
    case 0x342:
      store<u64>(h, value, MCAUSE);
      return;
    case 0x343:
      store<u64>(h, value, MTVAL);
      return;
    case 0x344:
      // With Sstc on, STIP is the timer's alone.
      masked(
        h,
        MIP,
        value,
        (load<u64>(h, MENVCFG) & MENVCFG_STCE) != 0 ? IP_SSIP | IP_SEIP : S_INTERRUPTS,
      );
      outer = true;
      return;
    // The write takes the place of this instruction's own count.
    case 0xb00:
      store<u64>(h, value - load<u64>(h, INSTRET) - 1, MCYCLE_OFFSET);
      return;
    case 0xb02:
      store<u64>(h, value - load<u64>(h, INSTRET) - 1, MINSTRET_OFFSET);
      return;
    case 0x3a0:
      writePmpConfig(h, 0, value);
      return;
    case 0x3a2:
      writePmpConfig(h, 8, value);
      return;
    default:
  }
  if (csr >= 0x3b0 && csr < 0x3b0 + PMP_ENTRIES) writePmpAddress(h, csr - 0x3b0, value);
}

function writeEnvironment(h: usize, field: usize, value: u64, more: u64): void {
  let next = value & (MENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE | more);
  // CBIE = 2 is reserved: the old one stays.
  if ((next & ENVCFG_CBIE) == (<u64>2) << 4) {
    next = (next & ~ENVCFG_CBIE) | (load<u64>(h + field) & ENVCFG_CBIE);
  }
  if (field == MENVCFG && ((load<u64>(h, MENVCFG) ^ next) & (MENVCFG_ADUE | MENVCFG_STCE)) != 0) {
    flushAll(h);
    outer = true;
  }
  store<u64>(h + field, next);
}

const WRITE: i32 = 0;
const SET: i32 = 1;
const CLEAR: i32 = 2;

/** All six instructions. Set and clear with x0 or an immediate of 0 do not write. */
function access(h: usize, w: u32, csr: u32, operand: u64, kind: i32): i32 {
  const writes = kind == WRITE || ((w >>> 15) & 31) != 0;
  // Bits 9:8 of the number: lowest privilege; 11:10: read-only.
  if (load<u32>(h, PRIV) < ((csr >>> 8) & 3) || (writes && csr >>> 10 == 3)) {
    raiseIllegal(h);
    return TRAPPED;
  }
  refused = false;
  outer = false;
  const old = read(h, csr);
  if (refused) {
    raiseIllegal(h);
    return TRAPPED;
  }
  if (writes) {
    // What set and clear read back of mip and sip are the bits that software owns.
    const before = csr == 0x344 || csr == 0x144 ? load<u64>(h, MIP) : old;
    write(h, csr, kind == WRITE ? operand : kind == SET ? before | operand : before & ~operand);
  }
  const rd = (w >>> 9) & 63;
  if (rd != 0) store<u64>(h + ((w >>> 6) & 0x1f8), old, X);
  return outer ? NEXT_OUTER : NEXT_FAST;
}

// @ts-ignore: decorator
@inline
function register(h: usize, w: u32): u64 {
  return load<u64>(h + ((w >>> 12) & 0xf8), X);
}

// @ts-ignore: decorator
@inline
function immediate(w: u32): u64 {
  return (w >>> 15) & 31;
}

export function sys_csrrw(h: usize, w: u32, csr: i32): i32 {
  return access(h, w, csr, register(h, w), WRITE);
}

export function sys_csrrs(h: usize, w: u32, csr: i32): i32 {
  return access(h, w, csr, register(h, w), SET);
}

export function sys_csrrc(h: usize, w: u32, csr: i32): i32 {
  return access(h, w, csr, register(h, w), CLEAR);
}

export function sys_csrrwi(h: usize, w: u32, csr: i32): i32 {
  return access(h, w, csr, immediate(w), WRITE);
}

export function sys_csrrsi(h: usize, w: u32, csr: i32): i32 {
  return access(h, w, csr, immediate(w), SET);
}

export function sys_csrrci(h: usize, w: u32, csr: i32): i32 {
  return access(h, w, csr, immediate(w), CLEAR);
}

/** A CSR as machine mode reads it, for debuggers; -1 where there is none. */
export function csr_read(hart: u32, csr: u32): u64 {
  const h = HARTS_OFFSET + <usize>hart * HART_STRIDE;
  const priv = load<u32>(h, PRIV);
  store<u32>(h, MACHINE, PRIV);
  writeFflags(load<i32>(h, FFLAGS));
  refused = false;
  const value = read(h, csr);
  store<u32>(h, priv, PRIV);
  return refused ? u64.MAX_VALUE : value;
}

/** Writes a CSR as machine mode does. */
export function csr_write(hart: u32, csr: u32, value: u64): void {
  const h = HARTS_OFFSET + <usize>hart * HART_STRIDE;
  const priv = load<u32>(h, PRIV);
  store<u32>(h, MACHINE, PRIV);
  writeFflags(load<i32>(h, FFLAGS));
  write(h, csr, value);
  store<i32>(h, readFflags(), FFLAGS);
  store<u32>(h, priv, PRIV);
}
