/** The arguments of `npm run bench`, checked: what does not fit is refused with a sentence. */
import { parseArgs } from 'node:util';
import { messageOf, UserError } from '../src/machine/errors.ts';
import { BOOT, ROWS, type Row } from './rows.ts';
import type { SideName } from './session.ts';

export const SIDES: readonly SideName[] = ['qemu10', 'qemu7', 'node', 'chromium', 'interpreter'];

export interface BenchArguments {
  /** Whether the row `boot` is reported; it is measured in any case. */
  readonly boot: boolean;
  readonly rows: readonly Row[];
  readonly sides: readonly SideName[];
  readonly rounds: number;
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly help: boolean;
}

export const HELP = `Usage: npm run bench -- [OPTION]...

Measures Tabvisor beside native QEMU: same kernel, initramfs and commands, 512 MB, one CPU.
       npm run bench -- storage [OPTION]...
Measures disks, work on them, snapshots and starts; "storage --help" says how.

  --rows A,B,…    only these rows: ${[BOOT, ...ROWS.map(({ name }) => name)].join(', ')}
  --sides A,B,…   only these sides: ${SIDES.join(', ')}
  --json FILE     the figures as JSON
  --rounds N      boots of each side, of which the median counts (3)
  --quick         tiny amounts, one round: shows that everything runs, measures nothing
`;

export function parseArguments(words: readonly string[]): BenchArguments {
  const { text, common } = parseWords(words, ['rows', 'sides'], 'npm run bench --');
  const names = listed(text('rows'), 'rows', [BOOT, ...ROWS.map(({ name }) => name)]);
  return {
    boot: names.includes(BOOT),
    rows: ROWS.filter(({ name }) => names.includes(name)),
    sides: listed(text('sides'), 'sides', SIDES),
    ...common,
  };
}

/** The options that all benchmarks have, and the text of those in `lists`. `command`: for the help. */
export function parseWords(words: readonly string[], lists: readonly string[], command: string) {
  const values = valuesOf(words, lists, command);
  const text = (name: string) => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const quick = values.quick === true;
  const rounds = text('rounds');
  const count = rounds === undefined ? (quick ? 1 : 3) : parseRounds(rounds);
  return { text, common: { rounds: count, json: text('json'), quick, help: values.help === true } };
}

function valuesOf(
  words: readonly string[],
  lists: readonly string[],
  command: string,
): Readonly<Record<string, unknown>> {
  try {
    return parseArgs({
      args: [...words],
      options: {
        ...Object.fromEntries(lists.map((name) => [name, { type: 'string' } as const])),
        rounds: { type: 'string' },
        json: { type: 'string' },
        quick: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UserError(`${messageOf(error).split('\n')[0]} See "${command} --help".`);
  }
}

/** The names that a list has, in the order of `all`. */
export function listed<T extends string>(
  list: string | undefined,
  option: string,
  all: readonly T[],
): T[] {
  if (list === undefined) return [...all];
  const wanted = list.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !all.some((one) => one === name));
  if (unknown !== undefined) {
    throw new UserError(`--${option} knows no "${unknown}". There is: ${all.join(', ')}.`);
  }
  return all.filter((name) => wanted.includes(name));
}

function parseRounds(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new UserError(`"${text}" is no number of rounds: write it as in --rounds 3.`);
}
