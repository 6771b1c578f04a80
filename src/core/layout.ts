/**
 * The layout of a VM's one WebAssembly.Memory: the only definition. `src/isa/generate` prints the
 * AssemblyScript copy (`wasm/generated/layout.ts`), so the two cannot drift apart. All offsets are
 * in bytes from the start of the memory.
 *
 *   0x0000_0000  null guard and the core's constants
 *   0x0001_0000  harts: HART_STRIDE bytes each (registers, then TLBs)
 *   0x0020_0000  page flags: one byte for each page of guest RAM
 *   0x0030_0000  decode map: u16 for each page of guest RAM, the decode page that holds it (0: none)
 *   0x0040_0000  decode pages: instructions of one guest page, decoded
 *   0x0380_0000  counters of jumps to each decoded instruction
 *   0x0400_0000  guest RAM
 */

export const WASM_PAGE = 65536;
export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;

/** Guest-physical address of RAM. */
export const RAM_BASE = 0x8000_0000;
/** Most RAM a guest can have, in bytes. */
export const RAM_MAX = 0x8000_0000;

export const HARTS_OFFSET = 0x1_0000;
export const HART_STRIDE = 0x2_0000;
export const HARTS_MAX = 8;

export const PAGE_FLAGS_OFFSET = 0x20_0000;
export const DECODE_MAP_OFFSET = 0x30_0000;
export const DECODE_PAGES_OFFSET = 0x40_0000;
/** A decoded instruction: u32 (op, rd, rs1, rs2, bytes to the next one), then i32 (immediate). */
export const DECODE_SLOT = 8;
/** From a decode page's start to the slot that ends it; then u32: where in RAM the page is. */
export const DECODE_PAGE_END = 2048 * DECODE_SLOT;
export const DECODE_PAGE_RAM = DECODE_PAGE_END + 16;
/** u32: stores that hit the page since it was made. */
export const DECODE_PAGE_STORES = DECODE_PAGE_END + 20;
/** u32: entries of translated code in the page. */
export const DECODE_PAGE_REGIONS = DECODE_PAGE_END + 24;
/** One slot for each halfword of a page, one that ends the page, padding to a cache line. */
export const DECODE_PAGE_SIZE = DECODE_PAGE_END + 64;
/** Page 0 is never handed out: it means "none". */
export const DECODE_PAGES = 3200;
/** Counters of taken jumps, u16, by bits 18:3 of the target's slot: what is hot gets translated. */
export const HEAT_OFFSET = 0x380_0000;
export const HEAT_MASK = 0x1_fffe;
export const RAM_OFFSET = 0x400_0000;

/** Flags of a page of guest RAM. A store to a page with any flag leaves the fast path. */
export const PageFlag = {
  /** Decoded or translated code of this page exists. */
  Code: 1,
  /** A store ends `run()` with ExitReason.Watch (HTIF's tohost). */
  Watch: 2,
  /** Not written since the flag was set; the first store clears it (dirty tracking). */
  Clean: 4,
  /** Of a clean page: a capture still needs what it holds; the host is asked before the first store. */
  Pending: 8,
  /** What the page holds has not come yet: an access ends `run()` with ExitReason.Absent. */
  Absent: 16,
} as const;

/** Entries of a TLB: a power of two. */
export const TLB_ENTRIES = 512;
/** tag u64 (virtual page; all ones: empty), then u32: memory offset of the page minus its address. */
export const TLB_ENTRY = 16;
/** Of an address shifted right by 8: the offset of its entry. */
export const TLB_INDEX = (TLB_ENTRIES - 1) * TLB_ENTRY;
export const TLB_SIZE = TLB_ENTRIES * TLB_ENTRY;
/**
 * One set of TLBs for each way in which addresses are checked, so that a change of privilege
 * flushes nothing: user, supervisor, supervisor with SUM, machine.
 */
export const TlbSet = { User: 0, Supervisor: 1, SupervisorSum: 2, Machine: 3 } as const;
export const TLB_SETS = 4;
/** From a hart's start to its TLBs: for each set read, write and fetch. */
export const TLB_OFFSET = 0x1000;
export const TLB_SET_SIZE = 3 * TLB_SIZE;
export const TLB_READ = 0;
export const TLB_WRITE = TLB_SIZE;
export const TLB_FETCH = 2 * TLB_SIZE;

/**
 * Behind the sets: translations for loads and stores of all of them, indexed in another way. Two
 * pages that want one entry of a TLB find their translations here, without a walk of page tables.
 * Entries are like a TLB's, with set and kind of access in the tag's low bits.
 */
export const TLB_SECOND_ENTRIES = 1024;
export const TLB_SECOND_OFFSET = TLB_OFFSET + TLB_SETS * TLB_SET_SIZE;
export const TLB_SECOND_SIZE = TLB_SECOND_ENTRIES * TLB_ENTRY;

export type FieldType = 'u32' | 'u64';

export interface HartField {
  readonly name: string;
  readonly type: FieldType;
  readonly count: number;
  /** Part of the hart's state that a snapshot holds; the rest is derived or a counter. */
  readonly saved: boolean;
  readonly offset: number;
}

type Definition = readonly [name: string, type: FieldType, count?: number, saved?: boolean];

const definitions = [
  // x[32] takes the results that instructions with rd = x0 throw away.
  ['x', 'u64', 33],
  ['f', 'u64', 32],
  ['pc', 'u64'],
  /** Instructions retired since reset. */
  ['instret', 'u64'],
  ['mcycle_offset', 'u64'],
  ['minstret_offset', 'u64'],
  ['mstatus', 'u64'],
  ['mepc', 'u64'],
  ['mcause', 'u64'],
  ['mtval', 'u64'],
  ['mtvec', 'u64'],
  ['mscratch', 'u64'],
  ['medeleg', 'u64'],
  ['mideleg', 'u64'],
  ['mie', 'u64'],
  /** The bits of mip that software writes; devices' bits are in ext_pending. */
  ['mip', 'u64'],
  ['mcounteren', 'u64'],
  ['mcountinhibit', 'u64'],
  ['menvcfg', 'u64'],
  ['sepc', 'u64'],
  ['scause', 'u64'],
  ['stval', 'u64'],
  ['stvec', 'u64'],
  ['sscratch', 'u64'],
  ['scounteren', 'u64'],
  ['senvcfg', 'u64'],
  ['satp', 'u64'],
  ['stimecmp', 'u64'],
  ['pmpcfg', 'u64', 2],
  ['pmpaddr', 'u64', 16],
  /** Physical address of the reservation of LR, all ones: none; and the value that LR read. */
  ['res_addr', 'u64'],
  ['res_value', 'u64'],
  ['watch_addr', 'u64', 1, false],
  ['fault_tval', 'u64', 1, false],
  ['stat_tlb_misses', 'u64', 1, false],
  ['stat_traps', 'u64', 1, false],
  ['stat_interrupts', 'u64', 1, false],
  ['stat_decoded', 'u64', 1, false],
  ['stat_translated', 'u64', 1, false],
  ['hartid', 'u32'],
  ['priv', 'u32'],
  ['fflags', 'u32'],
  ['frm', 'u32'],
  /** Interrupt lines from devices, bits as in mip; written with atomics from anywhere. */
  ['ext_pending', 'u32'],
  /** Not zero: run() returns ExitReason.Attention as soon as it can. */
  ['attention', 'u32', 1, false],
  /** Set by the machine in a mmio_* import: nothing answers at that address. */
  ['bus_error', 'u32', 1, false],
  /** 1: the machine is the SBI, ecall from S-mode leaves run(). */
  ['sbi', 'u32'],
  /** Bytes of guest RAM. */
  ['ram_size', 'u32'],
  /** 1 + cause of a fault found on a slow path, 0: none. */
  ['fault', 'u32', 1, false],
  /** A Wait-For-Interrupt stopped the last run(). */
  ['waiting', 'u32'],
  /** Not zero: leave the inner loop after this instruction. */
  ['event', 'u32', 1, false],
  /** The watched page was stored to. */
  ['watch_hit', 'u32', 1, false],
  /** Bytes of that store, from watch_addr on. */
  ['watch_size', 'u32', 1, false],
  /** An access met a page that is flagged Absent: its number, and that run() is to end for it. */
  ['absent_page', 'u32', 1, false],
  ['absent_hit', 'u32', 1, false],
  /** Translations larger than a page are in the TLBs: below, above the middle of the addresses. */
  ['super_low', 'u32', 1, false],
  ['super_high', 'u32', 1, false],
  /** Slot of decode page 0 that is in use. */
  ['borrowed', 'u32', 1, false],
  /** For translated code: instructions that may still run, and the TLBs in force. */
  ['budget', 'u32', 1, false],
  ['data_tlb', 'u32', 1, false],
  /** Jumps to a slot after which it is given to the translator; 0: never. */
  ['heat_threshold', 'u32', 1, false],
  ['fetch_tlb', 'u32', 1, false],
  /** Decode pages handed out so far, and the first of those that were given back (0: none). */
  ['decode_next', 'u32', 1, false],
  ['decode_free', 'u32', 1, false],
] as const satisfies readonly Definition[];

export type HartFieldName = (typeof definitions)[number][0];

function place(): readonly HartField[] {
  let offset = 0;
  return (definitions as readonly Definition[]).map(([name, type, count = 1, saved = true]) => {
    const size = type === 'u64' ? 8 : 4;
    offset = (offset + size - 1) & -size;
    const field = { name, type, count, saved, offset };
    offset += size * count;
    return field;
  });
}

export const HART_FIELDS: readonly HartField[] = place();

const byName = new Map(HART_FIELDS.map((field) => [field.name, field]));

/** Offset of a field from the start of its hart. */
export function hartOffset(name: HartFieldName, index = 0): number {
  const field = byName.get(name);
  if (!field) throw new Error(`The hart has no field named ${name}.`);
  return field.offset + index * (field.type === 'u64' ? 8 : 4);
}

/** Start of hart `hart` in the memory. */
export function hartBase(hart: number): number {
  return HARTS_OFFSET + hart * HART_STRIDE;
}

/** Pages of WebAssembly memory for a guest with `ram` bytes of RAM. */
export function memoryPages(ram: number): number {
  return Math.ceil((RAM_OFFSET + ram) / WASM_PAGE);
}

/**
 * The core looks at interrupt lines when run() begins, after every store to a device, after what
 * changes which interrupts are enabled, and at the latest after so many instructions. Translated
 * code stops where the interpreter would, so this bounds the latency of a line that rises meanwhile.
 */
export const LOOK_INTERVAL = 16384;
/**
 * Looks closer to each other than so many instructions share what the clock showed: a supervisor's
 * timer is taken within LOOK_INTERVAL + CLOCK_INTERVAL.
 */
export const CLOCK_INTERVAL = 2048;

/** Why `run()` came back. */
export const ExitReason = {
  Budget: 0,
  Wfi: 1,
  Sbi: 2,
  Attention: 3,
  Watch: 4,
  /** The page `absent_page` has not come yet; the instruction at pc has done nothing. */
  Absent: 5,
} as const;
export type ExitReason = (typeof ExitReason)[keyof typeof ExitReason];
