/**
 * Runs a RAM image on this repository's core, without the machine around it: RAM, the test
 * finisher, and a timer that never fires. Gives the RAM as the core left it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CoreHost, createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import { ExitReason, RAM_OFFSET } from '../../src/core/layout.ts';
import { Translator, type TranslatorStats } from '../../src/translator/translator.ts';
import { RAM_BASE, RAM_SIZE } from './layout.ts';

const FINISHER = 0x10_0000;
const MTIMECMP = 0x200_4000;
/** Instructions of one call of run(). */
const SLICE = 5_000_000;

export interface TargetRun {
  readonly ram: Uint8Array;
  readonly instructions: number;
  /** The program wrote to the finisher before its budget was spent. */
  readonly ended: boolean;
  readonly translator: TranslatorStats | undefined;
}

/** How the program is run: all interpreted, or everything translated at its first run. */
export type Tier = 'interpreter' | 'translator';

/** Starts in M-mode at the start of RAM and runs at most `budget` instructions. */
export function createTarget(
  tier: Tier = 'interpreter',
): (image: Uint8Array, budget?: number) => TargetRun {
  const path = fileURLToPath(new URL('../../build/core.wasm', import.meta.url));
  const module = new WebAssembly.Module(readFileSync(path));
  return (image, budget = 2e9) => runOn(module, image, budget, tier);
}

function runOn(
  module: WebAssembly.Module,
  image: Uint8Array,
  budget: number,
  tier: Tier,
): TargetRun {
  const memory = createMemory(RAM_SIZE, false);
  let finished = false;
  let ticks = 0;
  const answer = (address: number) => {
    const at = address >>> 0;
    if (at === FINISHER) finished = true;
    else if (at !== MTIMECMP && at !== MTIMECMP + 4) hart.setU32('bus_error', 1);
    if (finished) hart.setU32('attention', 1);
  };
  const host: CoreHost = {
    mmio_load: (address) => {
      answer(address);
      return 0;
    },
    mmio_load64: (address) => {
      answer(address);
      return 0n;
    },
    mmio_store: (address) => answer(address),
    mmio_store64: (address) => answer(address),
    time: () => ++ticks,
    hot: (ramOffset, offset) => translator?.hot(ramOffset >>> 0, offset),
    code_dropped: (ramOffset) => translator?.dropped(ramOffset >>> 0),
  };
  const hart = new HartView(memory, 0);
  const core = instantiateCore(module, memory, host);
  const translator =
    tier === 'translator'
      ? new Translator(core, false, () => 0, { threshold: 1, batch: 1 })
      : undefined;
  const ram = new Uint8Array(memory.buffer, RAM_OFFSET, RAM_SIZE);
  ram.set(image);
  hart.setU32('ram_size', RAM_SIZE);
  core.exports.reset(0);
  hart.pc = BigInt(RAM_BASE);
  let instructions = 0;
  while (!finished && instructions < budget) {
    const before = Number(hart.u64('instret'));
    const reason = core.exports.run(0, SLICE);
    instructions += Number(hart.u64('instret')) - before;
    // Waiting with nothing that could come: the same as never ending.
    if (reason === ExitReason.Wfi) break;
  }
  return { ram, instructions, ended: finished, translator: translator?.stats };
}
