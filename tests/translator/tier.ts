/**
 * One core that runs a program of the tests in this folder, interpreted or translated, and shows all
 * that the program can have changed. Devices: none, unless the test answers for them.
 */
import { readFileSync } from 'node:fs';
import { type CoreHost, createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import { RAM_BASE, RAM_OFFSET } from '../../src/core/layout.ts';
import type { EngineFeature } from '../../src/translator/features.ts';
import { Translator, type TranslatorOptions } from '../../src/translator/translator.ts';
import { BASE, DATA } from './programs.ts';

const RAM = 1 << 20;
const DATA_BYTES = 1024;

const coreModule = new WebAssembly.Module(
  readFileSync(new URL('../../build/core.wasm', import.meta.url)),
);

export interface TierOptions {
  /** Left out: all is interpreted. */
  readonly translate?: TranslatorOptions;
  /** What the tests' devices answer, beside nothing. */
  readonly host?: Partial<CoreHost>;
}

/** How each test of two tiers runs the translated one: as this engine can, and with less. */
export const FORMS: readonly (readonly [name: string, without: readonly EngineFeature[]])[] = [
  ['with all that the engine has', []],
  ['without tail calls and fused multiply-add', ['tailCalls', 'fusedMultiplyAdd']],
];

export class TierRun {
  readonly hart: HartView;
  readonly translator: Translator | undefined;
  readonly core;
  readonly ram: Uint8Array;

  constructor(code: Uint8Array, { translate, host = {} }: TierOptions = {}) {
    const memory = createMemory(RAM, false);
    const hart = new HartView(memory, 0);
    this.hart = hart;
    const bad = () => {
      hart.setU32('bus_error', 1);
      return 0;
    };
    this.core = instantiateCore(coreModule, memory, {
      mmio_load: bad,
      mmio_load64: () => BigInt(bad()),
      mmio_store: bad,
      mmio_store64: bad,
      time: () => 0,
      hot: (ramOffset, offset) => this.translator?.hot(ramOffset >>> 0, offset),
      code_dropped: (ramOffset) => this.translator?.dropped(ramOffset >>> 0),
      ...host,
    });
    if (translate) {
      this.translator = new Translator(this.core, false, () => 0, {
        threshold: 3,
        batch: 2,
        ...translate,
      });
    }
    hart.setU32('ram_size', RAM);
    this.core.exports.reset(0);
    this.ram = new Uint8Array(memory.buffer, RAM_OFFSET, RAM);
    this.ram.set(code);
    hart.pc = BASE;
  }

  /** Runs at most `budget` instructions; what got hot in them is translated afterwards. */
  run(budget: number) {
    this.core.exports.run(0, budget);
    this.translator?.poll();
    this.translator?.flush();
    return this.state();
  }

  state() {
    const { hart } = this;
    const at = DATA - RAM_BASE;
    return {
      pc: hart.pc,
      instret: hart.u64('instret'),
      mstatus: hart.u64('mstatus'),
      mepc: hart.u64('mepc'),
      mcause: hart.u64('mcause'),
      fflags: hart.u32('fflags'),
      x: Array.from({ length: 32 }, (_, i) => hart.x(i)),
      f: Array.from({ length: 32 }, (_, i) => hart.f(i)),
      data: Buffer.from(this.ram.buffer, this.ram.byteOffset + at, DATA_BYTES).toString('hex'),
    };
  }
}
