/**
 * The CPU core as TypeScript sees it: creates the VM's memory, links the compiled core to the
 * machine's imports, and types its exports. Relies on `layout.ts` alone for what lies where.
 */
import { type ExitReason, memoryPages, RAM_MAX } from './layout.ts';

/** What the machine gives to the core. Addresses are guest-physical, below 4 GiB, as i32. */
export interface CoreHost {
  /** Reads 1, 2 or 4 bytes of a device. Where nothing answers: sets the hart's bus_error. */
  mmio_load(address: number, size: number): number;
  mmio_load64(address: number): bigint;
  mmio_store(address: number, size: number, value: number): void;
  mmio_store64(address: number, value: bigint): void;
  /** A jump's target became hot: the page's place in RAM, the offset in the page. */
  hot?(ramOffset: number, offset: number): void;
  /** The translated code of the page at `ramOffset` has lost its entries. */
  code_dropped?(ramOffset: number): void;
  /** The page at `ramOffset`, flagged Pending, is about to be written. Not 0: leave run() soon. */
  first_store?(ramOffset: number): number;
  /** mtime in ticks of the timebase: a whole number. */
  time(): number;
}

export interface CoreExports {
  reset(hart: number): void;
  /** Runs at most `budget` instructions of a hart. */
  run(hart: number, budget: number): ExitReason;
  flush_tlb(hart: number): void;
  /** The host wrote `length` bytes of guest RAM at `ramOffset`: drops decoded code there. */
  invalidate(hart: number, ramOffset: number, length: number): void;
  /** Recomputes what is derived from saved fields, after a restore. */
  refresh(hart: number): void;
  csr_read(hart: number, csr: number): bigint;
  csr_write(hart: number, csr: number, value: bigint): void;
  /** Guest-physical address of `address`, -1, or -2 (see absent_page); access: 0 load, 1 store, 2 fetch. */
  translate(hart: number, address: bigint, access: number): bigint;
  /** Helpers of instructions, by the names that the instruction table uses; and fflags. */
  readonly [helper: string]: unknown;
}

export interface Core {
  readonly memory: WebAssembly.Memory;
  readonly exports: CoreExports;
  /** Translated code's functions. */
  readonly table: WebAssembly.Table;
}

/** Creates the memory of a VM with `ram` bytes of guest RAM (a multiple of 64 KiB, up to 2 GiB). */
export function createMemory(ram: number, shared: boolean): WebAssembly.Memory {
  if (!Number.isInteger(ram) || ram <= 0 || ram > RAM_MAX || ram % 65536 !== 0) {
    throw new RangeError(
      `A guest cannot have ${ram} bytes of memory: give a multiple of 64 KiB up to 2 GiB.`,
    );
  }
  const pages = memoryPages(ram);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
}

/** Links the core to a memory. `module` is the build that fits the memory (shared or plain). */
export function instantiateCore(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  host: CoreHost,
): Core {
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 });
  const instance = new WebAssembly.Instance(module, {
    env: { memory, table },
    host: { hot: () => {}, code_dropped: () => {}, first_store: () => 0, ...host },
  });
  // The core is compiled from wasm/index.ts of this repository: its exports are known.
  return { memory, table, exports: instance.exports as unknown as CoreExports };
}
