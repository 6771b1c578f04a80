/**
 * Where everything lies in the guest-physical memory of a conformance run, and the layout of a
 * block's description and result. The harness (assembly) and the TypeScript around it share it.
 */

export const RAM_BASE = 0x8000_0000;
export const RAM_SIZE = 32 << 20;

/** The harness's code: read and execute only, for M-mode too (PMP entry 0, locked). */
export const HARNESS = RAM_BASE;
export const HARNESS_SIZE = 0x2000;
/** The supervisor's trap vector: ecalls that the harness answers, then an sret. */
export const STUB = 0x8000_2000;
/** The stub's 64 words of ecall; sret comes next. */
export const STUB_VECTORS = 256;
/** The harness's variables. */
export const FRAME = STUB + 0x800;
/** Page tables: the root of Sv48, the root of Sv39, level 1 and level 0 of the playground. */
export const ROOT48 = 0x8000_3000;
export const ROOT39 = 0x8000_4000;
export const LEVEL1 = 0x8000_5000;
export const LEVEL0 = 0x8000_6000;
export const TABLES_END = 0x8001_0000;
/** 16 pages that the blocks load from and store to, around their boundaries. */
export const POOL = 0x8001_0000;
export const POOL_PAGES = 16;
export const POOL_END = 0x8002_0000;
/** Bytes at each end of each page of the pool that are set before a block and hashed after it. */
export const WINDOW = 64;
/** Descriptions and code of blocks. Nobody writes here (PMP entry 7, locked). */
export const BLOCKS = 0x8002_0000;
export const RESULTS = 0x8100_0000;
/** QEMU puts its device tree into the last 2 MiB. */
export const RESULTS_END = RAM_BASE + RAM_SIZE - (2 << 20);

/** Virtual addresses, the same under Sv39 and Sv48. */
export const Virtual = {
  /** 16 pages of 4 KiB: one group of Svnapot. */
  level0: 0x4000_0000n,
  /** Entries 1 to 8 of level 1: 2 MiB each, the pool at +0x10000 where they map RAM. */
  level1: 0x4000_0000n,
  /** The stub, for supervisors only: entry 3 of the root. */
  stub: 0xc000_2000n,
  /** Entries 4 to 7 of the root: 1 GiB each. */
  root39: 0x1_0000_0000n,
  /** Entries 1 to 3 of Sv48's root: 512 GiB each. */
  root48: 0x80_0000_0000n,
  /** The last GiB: another name of the playground's level 1. */
  high: 0xffff_ffff_c000_0000n,
} as const;

/** Fields of a block's description, in bytes from its start. */
export const Block = {
  next: 0,
  start: 8,
  end: 16,
  result: 24,
  mstatus: 32,
  satp: 40,
  medeleg: 48,
  mideleg: 56,
  mie: 64,
  mip: 72,
  menvcfg: 80,
  senvcfg: 88,
  mcounteren: 96,
  scounteren: 104,
  pmpcfg: 112,
  pmpaddr: 120, // entries 1 to 5
  stvec: 160,
  seed: 168,
  /** 0: no page tables. 1: tables. FETCHES: tables, and code that returns in the whole pool. */
  translates: 176,
  fcsr: 184,
  patches: 192, // 4 pairs of address and value
  x: 256,
  f: 512,
  ptes: 768,
  code: 1024,
} as const;

export const FETCHES = 2;
export const PATCHES = 4;
export const PTES = 32;

/** Fields of a block's result. */
export const Result = {
  pc: 0,
  x: 0, // x1 to x31 at +8 …
  f: 256,
  csrs: 512,
  hash: 760,
  ptes: 768,
  log: 1024,
  size: 1024 + 25 * 32,
} as const;

/** Traps that are recorded: after the last one the block ends. */
export const TRAPS = 24;
/** Bytes of a trap's record: cause, epc, tval, status. */
export const TRAP_SIZE = 32;

/** CSRs that a result holds, in order. */
export const RECORDED_CSRS = [
  'fcsr',
  'mstatus',
  'sepc',
  'scause',
  'stval',
  'sscratch',
  'stvec',
  'satp',
  'mie',
  'mip',
  'medeleg',
  'mideleg',
  'menvcfg',
  'senvcfg',
  'mcounteren',
  'scounteren',
  'pmpcfg0',
  'pmpaddr1',
  'pmpaddr2',
  'pmpaddr3',
  'mscratch',
] as const;

/** PTEs of the playground, by their place in the description's list. */
export const PteIndex = { level0: 0, level1: 16, root39: 24, identity: 28, root48: 29 } as const;

/** The address at which entry `i` of a block's list of PTEs lies. */
export function pteAddress(i: number): number {
  if (i < PteIndex.level1) return LEVEL0 + 8 * i;
  if (i < PteIndex.root39) return LEVEL1 + 8 * (i - PteIndex.level1 + 1);
  if (i < PteIndex.identity) return ROOT39 + 8 * (i - PteIndex.root39 + 4);
  if (i === PteIndex.identity) return ROOT39 + 8 * 2;
  return ROOT48 + 8 * (i - PteIndex.root48 + 1);
}
