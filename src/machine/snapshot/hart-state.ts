/**
 * The state of a hart: the saved fields of `src/core/layout.ts` by name. What no hart of this
 * machine can hold is refused, for the core does not look twice: an odd pc, a privilege that does
 * not exist, x0 that is not 0. Size of RAM and number of the hart belong to the machine, not to
 * its state; interrupt lines are the devices', which drive them again when they are restored.
 */
import type { HartView } from '../../core/hart.ts';
import { HART_FIELDS, type HartField, type HartFieldName } from '../../core/layout.ts';
import { type FieldType, type State, StateError, stateOf } from '../state.ts';

type Words = readonly bigint[];

/** What a field may hold, where that is less than its width. */
interface Rule {
  legal(value: bigint, index: number): boolean;
  other(value: bigint, index: number): bigint;
}

const upTo = (most: bigint): Rule => ({
  legal: (value) => value <= most,
  other: (value) => (value < most ? value + 1n : 0n),
});
const even: Rule = { legal: (value) => (value & 1n) === 0n, other: (value) => value ^ 2n };

/** Bits of mstatus that exist here; of MPP, the reserved value does not. */
const MSTATUS_BITS = 0x8000_000f_007e_79aan;
const MPP = 3n << 11n;
const MPP_RESERVED = 2n << 11n;
/** Bare, Sv39, Sv48. */
const SATP_MODES = [0n, 8n, 9n];

const RULES: { readonly [K in HartFieldName]?: Rule } = {
  x: {
    legal: (value, index) => index !== 0 || value === 0n,
    other: (value, index) => (index === 0 ? 0n : BigInt.asUintN(64, value + 1n)),
  },
  pc: even,
  mepc: even,
  sepc: even,
  // Budgets are added to it.
  instret: upTo((1n << 62n) - 1n),
  mstatus: {
    legal: (value) => (value & ~MSTATUS_BITS) === 0n && (value & MPP) !== MPP_RESERVED,
    other: (value) => value ^ 2n,
  },
  satp: {
    legal: (value) => SATP_MODES.includes(value >> 60n),
    other: (value) => value ^ 1n,
  },
  priv: {
    legal: (value) => value === 0n || value === 1n || value === 3n,
    other: (value) => (value === 0n ? 1n : 0n),
  },
  fflags: upTo(31n),
  frm: upTo(7n),
  sbi: upTo(1n),
  waiting: upTo(1n),
};

const OTHERS: readonly string[] = ['hartid', 'ram_size', 'ext_pending'] satisfies HartFieldName[];

/** The state of `hart`. After a restore the caller has the core `refresh` it. */
export function hartState(hart: HartView): State {
  const saved = HART_FIELDS.filter(({ saved, name }) => saved && !OTHERS.includes(name));
  const target: Record<string, Words> = {};
  for (const field of saved) {
    Object.defineProperty(target, field.name, {
      enumerable: true,
      get: () => hart.words(field),
      set: (words: Words) => hart.setWords(field, words),
    });
  }
  const rules: Partial<Record<string, Rule>> = RULES;
  return stateOf<Record<string, Words>>(
    1,
    target,
    Object.fromEntries(saved.map((field) => [field.name, wordsOf(field, rules[field.name])])),
  );
}

/** The words of a field, saved as bytes: little endian, 4 or 8 for each. */
function wordsOf({ type, count }: HartField, rule: Rule | undefined): FieldType<Words> {
  const width = type === 'u64' ? 8 : 4;
  return {
    save(words) {
      const bytes = new Uint8Array(count * width);
      const view = new DataView(bytes.buffer);
      words.forEach((word, i) => {
        if (width === 8) view.setBigUint64(i * 8, word, true);
        else view.setUint32(i * 4, Number(word), true);
      });
      return bytes;
    },
    parse(saved, where) {
      if (!(saved instanceof Uint8Array) || saved.length !== count * width) {
        throw new StateError(`${where} must be ${count} registers of ${width} bytes.`);
      }
      const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
      return Array.from({ length: count }, (_, i) => {
        const word =
          width === 8 ? view.getBigUint64(i * 8, true) : BigInt(view.getUint32(i * 4, true));
        if (rule && !rule.legal(word, i)) {
          throw new StateError(`${where} is 0x${word.toString(16)}, which no hart here can hold.`);
        }
        return word;
      });
    },
    assign: (parsed) => parsed,
    vary: (words) =>
      words.map((word, i) => (rule ? rule.other(word, i) : BigInt.asUintN(8 * width, word + 1n))),
  };
}
