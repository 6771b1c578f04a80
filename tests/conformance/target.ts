/**
 * Runs a RAM image on this repository's core and gives the RAM as the core left it. Three ways: all
 * interpreted; all that can be translated run translated, the first time that it runs; or both
 * beside each other, compared after every slice.
 */

import { ExitReason } from '../../src/core/layout.ts';
import { disassemble } from '../../src/isa/disassemble.ts';
import { Lockstep, type LockstepDifference } from '../../src/machine/lockstep.ts';
import type { EngineFeature } from '../../src/translator/features.ts';
import type { TranslatorStats } from '../../src/translator/translator.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { BLOCKS, HARNESS_SIZE, RAM_BASE } from './layout.ts';
import { Random } from './random.ts';

/** Instructions of one call of run(). */
const SLICE = 5_000_000;

export interface TargetRun {
  readonly ram: Uint8Array;
  readonly instructions: number;
  /** Of those, what translated code ran. */
  readonly translated: number;
  /** The program wrote to the finisher before its budget was spent. */
  readonly ended: boolean;
  readonly translator: TranslatorStats | undefined;
  /** Lockstep: the RAM as the interpreter left it; and where the tiers first went apart. */
  readonly expected?: Uint8Array;
  readonly apart?: string;
}

export const MODES = ['interpreter', 'translator', 'lockstep'] as const;
export type Mode = (typeof MODES)[number];

export type Target = (image: Uint8Array, budget?: number) => TargetRun;

/** Starts in M-mode at the start of RAM and runs at most `budget` instructions. */
export function createTarget(
  mode: Mode = 'interpreter',
  without: readonly EngineFeature[] = [],
): Target {
  if (mode === 'lockstep') return (image, budget = 2e9) => runLockstep(image, budget);
  const options: EngineOptions = mode === 'translator' ? { translate: 'blocks', without } : {};
  return (image, budget = 2e9) => {
    const engine = prepared(image, budget, options);
    return outcomeOf(engine, runToEnd(engine, budget));
  };
}

/** An engine at the program's start, with everything translated that the program reaches. */
function prepared(image: Uint8Array, budget: number, options: EngineOptions): Engine {
  const engine = new Engine(image, options);
  if (options.translate) {
    runToEnd(engine, budget);
    engine.translate();
    engine.rewind();
  }
  return engine;
}

function runToEnd(engine: Engine, budget: number): boolean {
  while (!engine.finished && engine.instructions < budget) {
    const before = engine.instructions;
    // Waiting with nothing that could come, or trapping for ever: the same as never ending.
    if (engine.run(SLICE) === ExitReason.Wfi || engine.instructions === before) break;
  }
  return engine.finished;
}

function outcomeOf(engine: Engine, ended: boolean): TargetRun {
  const { ram, instructions, translated, stats } = engine;
  return { ram, instructions, translated, ended, translator: stats };
}

/** Pages that blocks and harness write while they run; results are compared when the run ended. */
const WRITTEN_FROM = HARNESS_SIZE;
const WRITTEN_TO = BLOCKS - RAM_BASE;
/** Slices in which nothing retires, after which the program traps for ever. */
const MOST_IDLE = 1000;

function runLockstep(image: Uint8Array, budget: number): TargetRun {
  const reference = new Engine(image);
  const subject = prepared(image, budget, { translate: 'all' });
  const lockstep = new Lockstep(reference, subject);
  // Slices of all lengths: their ends fall on every instruction of a region, and between regions.
  const random = new Random(image.length, 7);
  let apart: string | undefined;
  let idle = 0;
  while (!reference.finished && reference.instructions < budget) {
    const before = reference.instructions;
    const length = random.chance(0.2) ? random.between(1, 64) : random.between(64, 3000);
    const pc = reference.hart.pc;
    const different = lockstep.run(length) ?? memoryDifference(reference, subject);
    if (different) {
      apart = report(different, pc, length, reference);
      break;
    }
    // A short slice may hold nothing but faults of fetches.
    idle = reference.instructions === before ? idle + 1 : 0;
    if (idle > MOST_IDLE) break;
  }
  if (apart !== undefined) {
    // Which block it was shows at the end.
    runToEnd(reference, budget);
    runToEnd(subject, budget);
  } else if (Buffer.compare(reference.ram, subject.ram) !== 0) {
    apart = 'The tiers leave different memory at the end of the program.';
  }
  const run = outcomeOf(subject, reference.finished && subject.finished);
  return { ...run, expected: reference.ram, ...(apart !== undefined && { apart }) };
}

function memoryDifference(a: Engine, b: Engine): LockstepDifference | undefined {
  const left = a.ram.subarray(WRITTEN_FROM, WRITTEN_TO);
  const right = b.ram.subarray(WRITTEN_FROM, WRITTEN_TO);
  if (Buffer.compare(left, right) === 0) return undefined;
  const at = left.findIndex((byte, i) => byte !== right[i]);
  return {
    what: `memory at 0x${(RAM_BASE + WRITTEN_FROM + at).toString(16)}`,
    reference: BigInt(left[at] ?? 0),
    subject: BigInt(right[at] ?? 0),
  };
}

function report(
  { what, reference, subject }: LockstepDifference,
  pc: bigint,
  length: number,
  engine: Engine,
): string {
  const lines = [
    `After ${engine.instructions} instructions ${what} is 0x${reference.toString(16)} interpreted ` +
      `and 0x${subject.toString(16)} translated. The slice of ${length} began with`,
  ];
  let at = pc;
  for (let i = 0; i < 24; i++) {
    const physical = engine.core.exports.translate(0, at, 2);
    if (physical < BigInt(RAM_BASE)) break;
    const offset = Number(physical) - RAM_BASE;
    const low = (engine.ram[offset] ?? 0) | ((engine.ram[offset + 1] ?? 0) << 8);
    const high = (engine.ram[offset + 2] ?? 0) | ((engine.ram[offset + 3] ?? 0) << 8);
    const isLong = (low & 3) === 3;
    const word = isLong ? (low | (high << 16)) >>> 0 : low;
    lines.push(`    ${at.toString(16)}  ${disassemble(word, at)}`);
    at += isLong ? 4n : 2n;
  }
  return lines.join('\n');
}
