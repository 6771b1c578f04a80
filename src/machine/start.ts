/**
 * How a hart begins: in M-mode at an entry, as after power-on; or in S-mode, as firmware hands a
 * hart to a kernel (RISC-V boot requirements of Linux; SBI 2.0 §9). Relies on a hart that has just
 * been reset.
 */
import type { CoreExports } from '../core/core.ts';
import type { HartView } from '../core/hart.ts';

const PRIV_SUPERVISOR = 1;
const PRIV_MACHINE = 3;
const A0 = 10;

const SCOUNTEREN = 0x106;
const MEDELEG = 0x302;
const MIDELEG = 0x303;
const MCOUNTEREN = 0x306;
const MENVCFG = 0x30a;
const PMPCFG0 = 0x3a0;
const PMPADDR0 = 0x3b0;

/** Every exception but calls from S-mode, which the machine answers as SBI. */
const DELEGATED_EXCEPTIONS = 0xb1ffn;
/** Software, timer and external interrupts of the supervisor. */
const DELEGATED_INTERRUPTS = 0x222n;
/** STCE, ADUE; CBZE, CBCFE, CBIE = 3: timer, A and D bits, cache blocks are the supervisor's. */
const SUPERVISOR_ENVIRONMENT = (1n << 63n) | (1n << 61n) | 0xf0n;
/** cycle, time and instret for user mode: OpenSBI hands them over so, and Linux relies on it. */
const USER_COUNTERS = 7n;
/** NAPOT, readable, writable, executable; with all address bits set: everything. */
const PMP_ALL = 0x1fn;

export function startMachineMode(
  hart: HartView,
  entry: number,
  args: readonly (number | bigint)[],
): void {
  hart.setU32('priv', PRIV_MACHINE);
  hart.setU32('sbi', 0);
  begin(hart, BigInt(entry), args);
}

export function startSupervisorMode(
  exports: CoreExports,
  id: number,
  hart: HartView,
  entry: bigint,
  args: readonly (number | bigint)[],
): void {
  exports.csr_write(id, PMPADDR0, 0x3f_ffff_ffff_ffffn);
  exports.csr_write(id, PMPCFG0, PMP_ALL);
  exports.csr_write(id, MEDELEG, DELEGATED_EXCEPTIONS);
  exports.csr_write(id, MIDELEG, DELEGATED_INTERRUPTS);
  exports.csr_write(id, MCOUNTEREN, 0xffff_ffffn);
  exports.csr_write(id, SCOUNTEREN, USER_COUNTERS);
  exports.csr_write(id, MENVCFG, SUPERVISOR_ENVIRONMENT);
  hart.setU32('priv', PRIV_SUPERVISOR);
  hart.setU32('sbi', 1);
  begin(hart, entry, args);
}

function begin(hart: HartView, entry: bigint, args: readonly (number | bigint)[]): void {
  for (const [i, value] of args.entries()) hart.setX(A0 + i, BigInt(value));
  hart.pc = entry;
}
