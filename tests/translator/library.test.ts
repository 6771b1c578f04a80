/** Translations made ahead of time: found by the code that they translate, and only by that. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import { RAM_OFFSET } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import { engineFeatures } from '../../src/translator/features.ts';
import { describeRegions, type LibraryEntry } from '../../src/translator/library.ts';
import { buildModule } from '../../src/translator/module.ts';
import { Translator, type TranslatorOptions } from '../../src/translator/translator.ts';

const RAM = 1 << 20;
const BASE = 0x8000_0000n;
const PAGE = 4096;

const program = (step: number) => `
  li s0, 500
next:
  mv a0, s0
  jal ra, work
  add s1, s1, a0
  addi s0, s0, -1
  bnez s0, next
end:
  j end
work:
  slli a0, a0, 3
  j far
  ${'ebreak\n'.repeat(20)}
far:
  andi t0, s0, 1
  beqz t0, even
  addi a0, a0, ${step}
even:
  ret
`;

const coreModule = new WebAssembly.Module(
  readFileSync(new URL('../../build/core.wasm', import.meta.url)),
);

/** A hart with `code` at page `page` of RAM. */
function machine(code: Uint8Array, page: number, options: TranslatorOptions = {}) {
  const memory = createMemory(RAM, false);
  const hart = new HartView(memory, 0);
  const none = () => 0;
  let translator: Translator | undefined;
  const core = instantiateCore(coreModule, memory, {
    mmio_load: none,
    mmio_load64: () => 0n,
    mmio_store: none,
    mmio_store64: none,
    time: none,
    hot: (ramOffset, offset) => translator?.hot(ramOffset >>> 0, offset),
    code_dropped: (ramOffset) => translator?.dropped(ramOffset >>> 0),
  });
  translator = new Translator(core, false, () => 0, {
    threshold: 20,
    batch: 1,
    ...options,
  });
  hart.setU32('ram_size', RAM);
  core.exports.reset(0);
  new Uint8Array(memory.buffer, RAM_OFFSET + page * PAGE, code.length).set(code);
  hart.pc = BASE + BigInt(page * PAGE);
  const run = (budget = 20_000) => {
    core.exports.run(0, budget);
    return { x: Array.from({ length: 32 }, (_, i) => hart.x(i)), instret: hart.u64('instret') };
  };
  return { run, translator };
}

/** What a run of the program translates, as a library. */
function library(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const entries: LibraryEntry[] = [];
  machine(code, 0, { record: (entry) => entries.push(entry) }).run();
  expect(entries.length).toBeGreaterThan(1);
  const { bytes } = buildModule(
    entries.map(({ region }) => region),
    { shared: false, features: engineFeatures(), linkage: 'table' },
  );
  return new Uint8Array(Buffer.concat([bytes, describeRegions(entries).view]));
}

const { bytes: code } = assemble(program(5), { base: BASE });

describe('a library of translations', () => {
  it('serves the same code wherever it lies, with the same result', async () => {
    const expected = machine(code, 0);
    const plain = expected.run();
    for (const page of [0, 3]) {
      const { run, translator } = machine(code, page);
      await translator.loadLibrary(library(code));
      const found = run();
      expect(found.instret).toBe(plain.instret);
      // ra tells where the code lies.
      expect(found.x.with(1, 0n)).toEqual(plain.x.with(1, 0n));
      expect(translator.stats.library_regions).toBeGreaterThan(0);
      expect(translator.stats.regions).toBe(0);
    }
  });

  it('is left alone where one instruction differs, in any stretch of its code', async () => {
    const { bytes: other } = assemble(program(6), { base: BASE });
    const expected = machine(other, 0).run();
    const { run, translator } = machine(other, 0);
    await translator.loadLibrary(library(code));
    expect(run()).toEqual(expected);
    expect(translator.stats.regions).toBeGreaterThan(0);
  });

  it('is put in place again after all was dropped', async () => {
    const expected = machine(code, 0).run();
    // Full from the start, so each look between runs drops everything.
    const { run, translator } = machine(code, 0, { maxFunctions: 0 });
    await translator.loadLibrary(library(code));
    const slices = 10;
    for (let slice = 1; slice <= slices; slice++) {
      const before = translator.stats.library_regions;
      run(500);
      expect(translator.stats.library_regions, `slice ${slice}`).toBeGreaterThan(before);
      translator.poll();
      expect(translator.stats.evictions).toBe(slice);
      expect(translator.entries(0)).toEqual([]);
    }
    expect(run(20_000 - 500 * slices)).toEqual(expected);
    expect(translator.stats.regions).toBe(0);
  });

  it('can come while other code is being translated', async () => {
    const { run, translator } = machine(code, 0);
    const loading = translator.loadLibrary(library(code));
    const result = run();
    await loading;
    expect(translator.stats.regions).toBeGreaterThan(1);
    expect(result).toEqual(machine(code, 0).run());
    expect(run().x).toEqual(machine(code, 0).run().x);
  });

  it('refuses what is none', async () => {
    const { translator } = machine(code, 0);
    const whole = library(code);
    await expect(translator.loadLibrary(new Uint8Array(8))).rejects.toThrow();
    await expect(translator.loadLibrary(whole.slice(0, whole.length - 20))).rejects.toThrow();
    const { bytes } = buildModule([], {
      shared: false,
      features: engineFeatures(),
      linkage: 'table',
    });
    await expect(translator.loadLibrary(new Uint8Array(bytes))).rejects.toThrow('damaged');
  });
});
