/**
 * Names of registers: x and f by the calling convention, CSRs by the privileged and unprivileged
 * specifications' tables of CSR addresses. For the disassembler, the assembler and messages.
 */

export const X_NAMES: readonly string[] = (
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 ' +
  's2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'
).split(' ');

export const F_NAMES: readonly string[] = (
  'ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 ' +
  'fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11'
).split(' ');

/** Static rounding modes by number; 7 takes frm. */
export const ROUNDING_MODES = ['rne', 'rtz', 'rdn', 'rup', 'rmm', undefined, undefined, 'dyn'];

/** Names of a run of CSRs: `name` followed by `first`, `first + step`, … */
function run(name: string, address: number, first: number, count: number, step = 1) {
  return Array.from(
    { length: count },
    (_, i) => [`${name}${first + i * step}`, address + i * step] as const,
  );
}

const csrs: readonly (readonly [name: string, address: number])[] = [
  ['fflags', 0x001],
  ['frm', 0x002],
  ['fcsr', 0x003],
  ['cycle', 0xc00],
  ['time', 0xc01],
  ['instret', 0xc02],
  ...run('hpmcounter', 0xc03, 3, 29),
  ['sstatus', 0x100],
  ['sie', 0x104],
  ['stvec', 0x105],
  ['scounteren', 0x106],
  ['senvcfg', 0x10a],
  ['sscratch', 0x140],
  ['sepc', 0x141],
  ['scause', 0x142],
  ['stval', 0x143],
  ['sip', 0x144],
  ['stimecmp', 0x14d],
  ['satp', 0x180],
  ['mvendorid', 0xf11],
  ['marchid', 0xf12],
  ['mimpid', 0xf13],
  ['mhartid', 0xf14],
  ['mconfigptr', 0xf15],
  ['mstatus', 0x300],
  ['misa', 0x301],
  ['medeleg', 0x302],
  ['mideleg', 0x303],
  ['mie', 0x304],
  ['mtvec', 0x305],
  ['mcounteren', 0x306],
  ['menvcfg', 0x30a],
  ['mcountinhibit', 0x320],
  ...run('mhpmevent', 0x323, 3, 29),
  ['mscratch', 0x340],
  ['mepc', 0x341],
  ['mcause', 0x342],
  ['mtval', 0x343],
  ['mip', 0x344],
  ...run('pmpcfg', 0x3a0, 0, 8, 2),
  ...run('pmpaddr', 0x3b0, 0, 64),
  ['tselect', 0x7a0],
  ['tdata1', 0x7a1],
  ['tdata2', 0x7a2],
  ['tdata3', 0x7a3],
  ['mcycle', 0xb00],
  ['minstret', 0xb02],
  ...run('mhpmcounter', 0xb03, 3, 29),
];

/** Numbers of the CSRs that have a name here. */
export const CSR_NUMBERS: ReadonlyMap<string, number> = new Map(csrs);

const csrNames = new Map(csrs.map(([name, number]) => [number, name]));

/** Name of CSR `number`, or the number in hexadecimal. */
export function csrName(number: number): string {
  return csrNames.get(number) ?? `0x${number.toString(16)}`;
}

const xNumbers = new Map<string, number>([
  ...X_NAMES.map((name, i) => [name, i] as const),
  ...X_NAMES.map((_, i) => [`x${i}`, i] as const),
  ['fp', 8],
]);
const fNumbers = new Map<string, number>([
  ...F_NAMES.map((name, i) => [name, i] as const),
  ...F_NAMES.map((_, i) => [`f${i}`, i] as const),
]);

/** Number of an integer register by either of its names. */
export function xNumber(name: string): number | undefined {
  return xNumbers.get(name);
}

/** Number of a floating-point register by either of its names. */
export function fNumber(name: string): number | undefined {
  return fNumbers.get(name);
}
