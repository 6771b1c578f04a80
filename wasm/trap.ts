// Traps and returns from them, and which interrupts are pending (privileged ISA, 'Machine-Level
// ISA' §Machine Trap Delegation, §Machine Interrupt Registers; 'Supervisor-Level ISA').
import {
  ABSENT_HIT,
  CLOCK_INTERVAL,
  EXT_PENDING,
  FAULT,
  FAULT_TVAL,
  INSTRET,
  MCAUSE,
  MEDELEG,
  MENVCFG,
  MEPC,
  MIDELEG,
  MIE,
  MIP,
  MSTATUS,
  MTVAL,
  MTVEC,
  PC,
  PRIV,
  SCAUSE,
  SEPC,
  STAT_INTERRUPTS,
  STAT_TRAPS,
  STIMECMP,
  STVAL,
  STVEC,
} from './generated/layout';
import { instructionBits } from './fetch';
import {
  CAUSE_ABSENT,
  CAUSE_ILLEGAL,
  IP_STIP,
  look,
  MACHINE,
  MENVCFG_STCE,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  SUPERVISOR,
} from './hart';
import { time } from './host';
import { loadShared } from './shared';

const INTERRUPT: u64 = 1 << 63;

/** Retired instructions at which the clock is looked at again. */
let nextLook: u64 = 0;
let timerPending: bool = false;

/** The supervisor timer's line, from the clock as it is now (privileged ISA, Sstc). */
export function lookAtClock(h: usize): void {
  nextLook = load<u64>(h, INSTRET) + CLOCK_INTERVAL;
  timerPending = <u64>time() >= load<u64>(h, STIMECMP);
}

/** mip as of the last look at the clock. */
function pendingNow(h: usize): u64 {
  let pending = load<u64>(h, MIP) | <u64>loadShared<u32>(h + EXT_PENDING);
  if (load<u64>(h, MENVCFG) & MENVCFG_STCE) {
    pending = timerPending ? pending | IP_STIP : pending & ~IP_STIP;
  }
  return pending;
}

/** mip, exactly. */
export function pendingInterrupts(h: usize): u64 {
  if (load<u64>(h, MENVCFG) & MENVCFG_STCE) lookAtClock(h);
  return pendingNow(h);
}

/** Whether WFI's wait is over: an enabled interrupt is pending, whatever mstatus says. */
export function wakes(h: usize): bool {
  return (pendingInterrupts(h) & load<u64>(h, MIE)) != 0;
}

function enter(h: usize, cause: u64, tval: u64): void {
  const priv = load<u32>(h, PRIV);
  const pc = load<u64>(h, PC);
  let status = load<u64>(h, MSTATUS);
  const interrupt = (cause & INTERRUPT) != 0;
  const code = cause & 63;
  const delegated = interrupt ? load<u64>(h, MIDELEG) : load<u64>(h, MEDELEG);
  if (interrupt) store<u64>(h, load<u64>(h, STAT_INTERRUPTS) + 1, STAT_INTERRUPTS);
  else store<u64>(h, load<u64>(h, STAT_TRAPS) + 1, STAT_TRAPS);
  let vector: u64;
  if (priv <= SUPERVISOR && ((delegated >> code) & 1) != 0) {
    store<u64>(h, pc, SEPC);
    store<u64>(h, cause, SCAUSE);
    store<u64>(h, tval, STVAL);
    const enabled = (status & MSTATUS_SIE) != 0;
    status &= ~(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP);
    if (enabled) status |= MSTATUS_SPIE;
    if (priv == SUPERVISOR) status |= MSTATUS_SPP;
    store<u32>(h, SUPERVISOR, PRIV);
    vector = load<u64>(h, STVEC);
  } else {
    store<u64>(h, pc, MEPC);
    store<u64>(h, cause, MCAUSE);
    store<u64>(h, tval, MTVAL);
    const enabled = (status & MSTATUS_MIE) != 0;
    status &= ~(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP);
    if (enabled) status |= MSTATUS_MPIE;
    status |= (<u64>priv) << 11;
    store<u32>(h, MACHINE, PRIV);
    vector = load<u64>(h, MTVEC);
  }
  store<u64>(h, status, MSTATUS);
  const target = vector & ~(<u64>3);
  store<u64>(h, interrupt && (vector & 1) != 0 ? target + 4 * code : target, PC);
}

/** Takes an exception at the hart's pc. */
export function raise(h: usize, cause: u32, tval: u64): void {
  enter(h, cause, tval);
}

/** Takes the exception that a slow path noted; for a page that has not come yet, ends run(). */
export function raiseFault(h: usize): void {
  const cause = load<u32>(h, FAULT) - 1;
  store<u32>(h, 0, FAULT);
  if (cause == CAUSE_ABSENT) {
    store<u32>(h, 1, ABSENT_HIT);
    look(h);
    return;
  }
  enter(h, cause, load<u64>(h, FAULT_TVAL));
}

/** Illegal instruction at the hart's pc; its bits are the trap value. */
export function raiseIllegal(h: usize): void {
  enter(h, CAUSE_ILLEGAL, instructionBits(h));
}

/** Takes the interrupt of highest priority that is pending and enabled, if any. */
export function takeInterrupt(h: usize): void {
  if (load<u64>(h, INSTRET) >= nextLook) lookAtClock(h);
  const pending = pendingNow(h) & load<u64>(h, MIE);
  if (pending == 0) return;
  const priv = load<u32>(h, PRIV);
  const status = load<u64>(h, MSTATUS);
  const mideleg = load<u64>(h, MIDELEG);
  let ready: u64 = 0;
  if (priv < MACHINE || (status & MSTATUS_MIE) != 0) ready = pending & ~mideleg;
  if (ready == 0 && (priv < SUPERVISOR || (priv == SUPERVISOR && (status & MSTATUS_SIE) != 0))) {
    ready = pending & mideleg;
  }
  if (ready == 0) return;
  // MEI, MSI, MTI, SEI, SSI, STI.
  let code: u64;
  if (ready & (1 << 11)) code = 11;
  else if (ready & (1 << 3)) code = 3;
  else if (ready & (1 << 7)) code = 7;
  else if (ready & (1 << 9)) code = 9;
  else if (ready & (1 << 1)) code = 1;
  else code = 5;
  enter(h, INTERRUPT | code, 0);
}
