/**
 * A guest that makes ever-new code does not make its translator's memory grow: modules are dropped
 * with their generation, and the engine frees them. What is counted are modules that the engine has
 * not freed, after collections of garbage that the test asks for, so nothing depends on when the
 * engine likes to collect.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import type { TranslatorOptions } from '../../src/translator/translator.ts';
import { everNew } from './ever-new.ts';
import { BASE, program } from './programs.ts';
import { FORMS, TierRun } from './tier.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const Module = WebAssembly.Module;
let alive = 0;
const freed = new FinalizationRegistry(() => {
  alive--;
});
beforeAll(() => {
  WebAssembly.Module = new Proxy(Module, {
    construct(target, args: ConstructorParameters<typeof Module>) {
      const module = new target(...args);
      alive++;
      freed.register(module, undefined);
      return module;
    },
  });
});
afterAll(() => {
  WebAssembly.Module = Module;
});

/** Modules that are alive once the engine has freed what it can. */
async function modulesAlive(): Promise<number> {
  // The engine holds on to a few until a later collection; more than enough, and it ends early.
  for (let i = 0, before = -1; i < 20 && alive !== before; i++) {
    before = alive;
    for (let turn = 0; turn < 3; turn++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  return alive;
}

const SLICE = 20_000;

/** Runs until so many functions were made, each of which gave what it should. */
function make(run: TierRun, functions: bigint): void {
  for (let slices = 0; run.hart.x(21) < functions; slices++) {
    run.core.exports.run(0, SLICE);
    run.translator?.poll();
    run.translator?.flush();
    expect(run.hart.x(26)).toBe(0n);
    expect(slices).toBeLessThan(50_000);
  }
}

const LIMITS: readonly (readonly [string, TranslatorOptions])[] = [
  ['modules', { maxModules: 100 }],
  ['bytes', { maxBytes: 40_000 }],
  ['functions', { maxFunctions: 60 }],
];

describe.each(FORMS)('code that is ever new, %s', (_, without) => {
  it.each(LIMITS)('is dropped and freed at a bound of %s', async (bound, limits) => {
    // Many pages: functions stay in the table until the generation ends.
    const { bytes } = assemble(everNew({ functions: 2000, calls: 8 }), { base: BASE });
    const run = new TierRun(bytes, { translate: { ...limits, without } });
    const { stats } = run.translator ?? {};
    make(run, 1000n);
    const first = { ...stats };
    make(run, 4000n);
    expect(stats?.evictions).toBeGreaterThan((first.evictions ?? 0) + 2);
    expect(stats?.modules).toBeGreaterThan(2000);
    expect(run.hart.u64('stat_translated')).toBeGreaterThan(0n);
    // One generation, and what a single slice compiles beyond its bound.
    const most = { modules: 100, bytes: 40_000 / 200, functions: 60 }[bound] ?? 0;
    expect(await modulesAlive()).toBeLessThan(2 * most + 400);
  });

  it('written over and over in one page is freed, too', async () => {
    const { bytes } = assemble(everNew({ functions: 4, calls: 8 }), { base: BASE });
    const run = new TierRun(bytes, { translate: { maxModules: 200, without } });
    make(run, 3000n);
    const { stats } = run.translator ?? {};
    expect(stats?.invalidations).toBeGreaterThan(500);
    expect(stats?.evictions).toBeGreaterThan(2);
    // Slots of functions that were dropped are used again.
    expect(run.core.table.length).toBeLessThan(2048);
    expect(await modulesAlive()).toBeLessThan(500);
  });

  it('does the same when all is dropped in the midst of programs', () => {
    let evictions = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const { bytes } = assemble(program(seed), { base: BASE });
      const interpreted = new TierRun(bytes);
      const translated = new TierRun(bytes, {
        translate: { without, maxFunctions: 1 + (seed % 5) },
      });
      for (let slice = 0; slice < 60; slice++) {
        const budget = 50 + ((slice * 37) % 300);
        expect(translated.run(budget)).toEqual(interpreted.run(budget));
      }
      evictions += translated.translator?.stats.evictions ?? 0;
    }
    expect(evictions).toBeGreaterThan(500);
  });
});
