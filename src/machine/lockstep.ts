/**
 * Two harts that run the same program and must never differ: one interpreted (the reference), one
 * translated (the subject). Runs both the same number of instructions and compares all of the
 * harts' state. Relies on both seeing the same clock, devices and memory; what memory they compare
 * is the caller's choice, for nobody can look at all of it after each slice.
 */
import type { Core } from '../core/core.ts';
import type { HartView } from '../core/hart.ts';
import { ExitReason, HART_FIELDS, hartBase } from '../core/layout.ts';

export interface LockstepSide {
  readonly core: Core;
  readonly hart: HartView;
  /** Runs at most `budget` instructions. */
  run(budget: number): ExitReason;
}

export interface LockstepDifference {
  /** A field of the hart, or what else differs. */
  readonly what: string;
  readonly reference: bigint;
  readonly subject: bigint;
}

const HART = 0;
/** x[32] takes what nobody reads: results for x0. */
const X_REGISTERS = 32;

/** What holds the guest's state, as opposed to what a tier keeps for itself, in 32-bit words. */
const COMPARED = HART_FIELDS.filter(({ saved }) => saved).flatMap(
  ({ name, type, count, offset }) => {
    const step = type === 'u64' ? 2 : 1;
    const values = name === 'x' ? X_REGISTERS : count;
    return Array.from({ length: values }, (_, i) => ({
      name: count > 1 ? `${name}[${i}]` : name,
      at: offset / 4 + step * i,
      step,
    }));
  },
);
/** The same without names: most slices differ nowhere, and that must cost little. */
const WORDS = COMPARED.flatMap(({ at, step }) => (step === 2 ? [at, at + 1] : [at]));

function wordsOf({ core }: LockstepSide): Uint32Array {
  return new Uint32Array(core.memory.buffer, hartBase(HART), Math.max(...WORDS) + 1);
}

function valueAt(words: Uint32Array, at: number, step: number): bigint {
  const low = BigInt(words[at] ?? 0);
  return step === 1 ? low : (BigInt(words[at + 1] ?? 0) << 32n) | low;
}

export class Lockstep {
  readonly #reference: LockstepSide;
  readonly #subject: LockstepSide;
  readonly #referenceWords: Uint32Array;
  readonly #subjectWords: Uint32Array;
  /** What ended the last slice of both. */
  reason: ExitReason = ExitReason.Budget;

  constructor(reference: LockstepSide, subject: LockstepSide) {
    this.#reference = reference;
    this.#subject = subject;
    this.#referenceWords = wordsOf(reference);
    this.#subjectWords = wordsOf(subject);
  }

  /** Runs both for `budget` instructions, or to where both stop earlier; says what differs then. */
  run(budget: number): LockstepDifference | undefined {
    this.reason = this.#reference.run(budget);
    const right = this.#subject.run(budget);
    const a = this.#reference.hart.u64('instret');
    const b = this.#subject.hart.u64('instret');
    if (a !== b) return { what: 'instret', reference: a, subject: b };
    if (this.reason !== right) {
      return { what: 'why it stops', reference: BigInt(this.reason), subject: BigInt(right) };
    }
    return this.compare();
  }

  /** What differs now: the first field that does. */
  compare(): LockstepDifference | undefined {
    const a = this.#referenceWords;
    const b = this.#subjectWords;
    if (WORDS.every((at) => a[at] === b[at])) return undefined;
    const field = COMPARED.find(({ at, step }) => valueAt(a, at, step) !== valueAt(b, at, step));
    if (!field) return undefined;
    const { name, at, step } = field;
    return {
      what: name,
      reference: valueAt(a, at, step),
      subject: valueAt(b, at, step),
    };
  }
}
