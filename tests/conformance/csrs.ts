/**
 * Which CSRs the generated programs read and write, and with what values. A value outside these
 * sets is either no fixed behaviour (time, and what a hart may implement or not: WARL fields and
 * optional CSRs), or would take the harness away from under the program. Each restriction says why.
 */
import { CSR_NUMBERS } from '../../src/isa/registers.ts';
import type { Random } from './random.ts';
import { integer } from './values.ts';

const MSTATUS = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
} as const;

export { MSTATUS };

/** Interrupts of a supervisor that software raises, as bits of mip. */
export const LINES = { software: 2n, timer: 32n, external: 512n } as const;

const NEVER = (1n << 64n) - 1n;
const any = integer;
const within = (mask: bigint) => (random: Random) =>
  random.chance(0.5) ? random.u64() & mask : integer(random) & mask;

/** All fields with an effect; UXL and SXL stay as they are: 64 bits is all there is here. */
const status = within(Object.values(MSTATUS).reduce((all, bit) => all | bit, 0n));
/** CY, TM and IR: the other counters are read-only zero here and real in QEMU. */
const counters = within(7n);
/**
 * Software's own bit of mip, one in a block: of several QEMU 10 takes the lowest number first, not
 * as privileged ISA, 'Machine Interrupt Registers', orders them (SEI before SSI before STI).
 */
const pending = (random: Random, line: bigint) => within(line)(random);
/** Even: QEMU 10 keeps bit 0, which is always zero (privileged ISA, 'Machine Exception PC'). */
const programCounter = within(~1n & 0xffff_ffff_ffff_ffffn);

/** Local interrupts of S and M. QEMU also holds bits of extensions that are off. */
const interrupts = within(0xaaan);
const delegated = within(0x222n);
/** FIOM, CBIE (2 is reserved), CBCFE, CBZE and other bits of a CSR of environment settings. */
const environment = (bits: bigint) => (random: Random) => {
  const value = within(0xf1n | bits)(random);
  return ((value >> 4n) & 3n) === 2n ? value & ~0x30n : value;
};

/** Configurations without L (nothing unlocks an entry again) and without reserved combinations. */
function protections(random: Random): bigint {
  let value = 0n;
  for (let i = 0; i < 8; i++) {
    const rwx = random.pick([0, 1, 3, 4, 5, 7]);
    value = (value << 8n) | BigInt((random.below(4) << 3) | rwx);
  }
  return value;
}

/** 56-bit addresses. QEMU keeps all 64 bits (privileged ISA, 'Physical Memory Protection CSRs'). */
const protectedAddress = within((1n << 54n) - 1n);

/** Modes of all numbers; ASID always 0, of which this machine has no bits and QEMU 16. */
function translation(random: Random): bigint {
  return (BigInt(random.below(16)) << 60n) | (random.u64() & 0xfff_ffff_ffffn);
}

export interface CsrUse {
  readonly number: number;
  /** Undefined: written values are not compared, so nothing is written. */
  readonly value: ((random: Random, line: bigint) => bigint) | undefined;
  /** Its value may be compared. */
  readonly readable: boolean;
  /** Single bits of it may be set and cleared. */
  readonly bitwise: boolean;
}

function use(name: string, value: CsrUse['value'], readable = true): CsrUse {
  const number = CSR_NUMBERS.get(name);
  if (number === undefined) throw new Error(`There is no CSR ${name}.`);
  return { number, value, readable, bitwise: true };
}

/** A CSR in which single bits, set or cleared, would give reserved combinations. */
function whole(name: string, value: CsrUse['value']): CsrUse {
  return { ...use(name, value), bitwise: false };
}

/** For blocks in U-mode, and in every other mode too. */
export const USER_CSRS: readonly CsrUse[] = [
  // Zero bits set or cleared leave FS as it is in QEMU; here any write makes it dirty. Both may.
  whole('fflags', any),
  whole('frm', any),
  whole('fcsr', any),
  // Counters run: only the right to read them is compared.
  use('cycle', undefined, false),
  use('time', undefined, false),
  use('instret', undefined, false),
];

/** stvec and satp are left out: the way to the harness leads through them. */
export const SUPERVISOR_CSRS: readonly CsrUse[] = [
  ...USER_CSRS,
  use('sstatus', status),
  use('sie', interrupts),
  use('sip', pending),
  use('scounteren', counters),
  whole('senvcfg', environment(0n)),
  use('sscratch', any),
  use('sepc', programCounter),
  use('scause', within((1n << 63n) | 0x3fn)),
  use('stval', any),
  // Never: also where menvcfg.STCE is off QEMU 10 sets and clears STIP by this register, which is
  // software's then (privileged ISA, 'Sstc'). The wait blocks let the timer fire.
  whole('stimecmp', (random) => random.pick([NEVER, 1n << 62n])),
];

/** mtvec is left out: it leads to the harness. */
export const MACHINE_CSRS: readonly CsrUse[] = [
  ...SUPERVISOR_CSRS,
  use('mstatus', status),
  use('misa', any),
  // Ecalls from S are how the stub reaches the harness.
  use('medeleg', within(0xb1ffn)),
  use('mideleg', delegated),
  use('mie', interrupts),
  use('mip', pending),
  use('mcounteren', counters),
  // ADUE and STCE too. STIP, once set by software, stays in QEMU 10 when STCE is switched on.
  whole('menvcfg', (random, line) =>
    environment(line === LINES.timer ? 1n << 61n : 5n << 61n)(random),
  ),
  // Its bits are optional; QEMU has some, this machine none.
  use('mcountinhibit', undefined),
  use('mscratch', any),
  use('mepc', programCounter),
  use('mcause', within((1n << 63n) | 0x3fn)),
  use('mtval', any),
  use('satp', translation),
  use('stvec', any),
  whole('pmpcfg0', protections),
  whole('pmpcfg2', protections),
  use('pmpaddr1', protectedAddress),
  use('pmpaddr2', protectedAddress),
  use('pmpaddr3', protectedAddress),
  use('pmpaddr9', protectedAddress),
  use('mcycle', any, false),
  use('minstret', any, false),
  // Another maker's numbers.
  use('mvendorid', undefined, false),
  use('marchid', undefined, false),
  use('mimpid', undefined, false),
  use('mhartid', any),
  use('mconfigptr', any),
  use('mhpmcounter3', undefined),
  use('mhpmevent3', undefined),
];

/** CSRs that a block with this interrupt leaves alone. */
export function isApartFrom(line: bigint, { number }: CsrUse): boolean {
  return line === LINES.timer && number === CSR_NUMBERS.get('stimecmp');
}

/**
 * Whether an access to CSR `number`, none of those above, is illegal on both sides. QEMU has the
 * trigger module (Sdtrig) that its -cpu string leaves on and this machine does not have, and
 * hardware counters where this machine has zeros.
 */
export function isUnknownCsr(number: number): boolean {
  const isTrigger = number >= 0x7a0 && number <= 0x7af;
  const isCounter =
    (number >= 0xb00 && number <= 0xb1f) ||
    (number >= 0xc00 && number <= 0xc1f) ||
    (number >= 0x320 && number <= 0x33f);
  const isPmp = number >= 0x3a0 && number <= 0x3ef;
  if (isTrigger || isCounter || isPmp) return false;
  return ![...CSR_NUMBERS.values()].includes(number);
}
