/**
 * One core with a RAM image and nothing of the machine around it but the test finisher and a timer
 * that never fires. It runs slices of instructions; it can be rewound to its first state without
 * losing decoded or translated code, which is how a program that runs once is run translated.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Core, createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import {
  DECODE_MAP_OFFSET,
  DECODE_PAGE_SIZE,
  DECODE_PAGES_OFFSET,
  type ExitReason,
  HEAT_MASK,
  HEAT_OFFSET,
  RAM_OFFSET,
} from '../../src/core/layout.ts';
import type { EngineFeature } from '../../src/translator/features.ts';
import { Translator, type TranslatorStats } from '../../src/translator/translator.ts';
import { BLOCKS, POOL, RAM_BASE, RAM_SIZE, RESULTS } from './layout.ts';

const FINISHER = 0x10_0000;
const MTIMECMP = 0x200_4000;
/** Regions of one module: compiling many at once is what makes forced translation affordable. */
const MODULE_REGIONS = 256;
const HART = 0;

let compiled: WebAssembly.Module | undefined;

function coreModule(): WebAssembly.Module {
  const path = fileURLToPath(new URL('../../build/core.wasm', import.meta.url));
  compiled ??= new WebAssembly.Module(readFileSync(path));
  return compiled;
}

export interface EngineOptions {
  /** Code of the blocks, or of blocks and harness, is translated; nothing unless given. */
  readonly translate?: 'blocks' | 'all';
  /** Features of the engine that translated code does without. */
  readonly without?: readonly EngineFeature[];
}

export class Engine {
  readonly core: Core;
  readonly hart: HartView;
  readonly ram: Uint8Array;
  /** The program wrote to the finisher. */
  finished = false;
  readonly #image: Uint8Array;
  readonly #start: ReturnType<HartView['save']>;
  readonly #translator: Translator | undefined;
  readonly #view: DataView;
  /** Where translation begins, as an offset in RAM. */
  readonly #from: number;
  /** While collecting: hot addresses, by place in RAM. Afterwards they are compiled at once. */
  #collected: Map<number, readonly [ramOffset: number, offset: number]> | undefined;
  #ticks = 0;

  constructor(image: Uint8Array, { translate, without = [] }: EngineOptions = {}) {
    const memory = createMemory(RAM_SIZE, false);
    this.#image = image;
    this.#view = new DataView(memory.buffer);
    this.hart = new HartView(memory, HART);
    this.ram = new Uint8Array(memory.buffer, RAM_OFFSET, RAM_SIZE);
    this.#from = translate === 'all' ? 0 : POOL - RAM_BASE;
    const answer = (address: number) => this.#answer(address >>> 0);
    this.core = instantiateCore(coreModule(), memory, {
      mmio_load: (address) => answer(address),
      mmio_load64: (address) => BigInt(answer(address)),
      mmio_store: (address) => void answer(address),
      mmio_store64: (address) => void answer(address),
      time: () => ++this.#ticks,
      hot: (ramOffset, offset) => this.#hot(ramOffset >>> 0, offset),
      code_dropped: (ramOffset) => this.#translator?.dropped(ramOffset >>> 0),
    });
    if (translate) {
      this.#collected = new Map();
      this.#translator = new Translator(this.core, false, () => 0, {
        threshold: 1,
        batch: MODULE_REGIONS,
        without,
      });
    }
    this.ram.set(image);
    this.hart.setU32('ram_size', RAM_SIZE);
    this.core.exports.reset(HART);
    this.hart.pc = BigInt(RAM_BASE);
    this.#start = this.hart.save();
  }

  get instructions(): number {
    return Number(this.hart.u64('instret'));
  }

  /** Instructions that translated code ran. */
  get translated(): number {
    return Number(this.hart.u64('stat_translated'));
  }

  get stats(): TranslatorStats | undefined {
    return this.#translator?.stats;
  }

  run(budget: number): ExitReason {
    return this.core.exports.run(HART, budget);
  }

  /** Compiles all that was reached so far; from now on what is new is compiled when it is reached. */
  translate(): void {
    const found = this.#collected;
    this.#collected = undefined;
    if (!this.#translator || !found) return;
    // By address: what lies in one page follows each other, and so do regions that overlap.
    const order = [...found].sort(([a], [b]) => a - b);
    for (const [, [ramOffset, offset]] of order) this.#translator.hot(ramOffset, offset);
    this.#translator.flush();
  }

  /** Back to the first state. Blocks are never written, so their code stays as it is. */
  rewind(): void {
    for (const [from, to] of [
      [0, BLOCKS - RAM_BASE],
      [RESULTS - RAM_BASE, RAM_SIZE],
    ] as const) {
      this.ram.set(this.#image.subarray(from, to), from);
      this.core.exports.invalidate(HART, from, to - from);
    }
    this.hart.restore(this.#start);
    for (const name of ['attention', 'event', 'fault'] as const) this.hart.setU32(name, 0);
    this.hart.setU64('stat_translated', 0n);
    this.core.exports.flush_tlb(HART);
    this.finished = false;
  }

  #answer(address: number): number {
    if (address === FINISHER) this.finished = true;
    else if (address !== MTIMECMP && address !== MTIMECMP + 4) this.hart.setU32('bus_error', 1);
    if (this.finished) this.hart.setU32('attention', 1);
    return 0;
  }

  #hot(ramOffset: number, offset: number): void {
    if (!this.#translator || ramOffset < this.#from) return;
    if (this.#collected) this.#collected.set(ramOffset + offset, [ramOffset, offset]);
    else {
      this.#translator.hot(ramOffset, offset);
      this.#translator.flush();
    }
    this.#cool(ramOffset, offset);
  }

  /** Counters are shared by many addresses: at zero again, the next address is seen too. */
  #cool(ramOffset: number, offset: number): void {
    const page = this.#view.getUint16(DECODE_MAP_OFFSET + (ramOffset >>> 12) * 2, true);
    const slot = DECODE_PAGES_OFFSET + page * DECODE_PAGE_SIZE + offset * 4;
    this.#view.setUint16(HEAT_OFFSET + ((slot >>> 2) & HEAT_MASK), 0, true);
  }
}
