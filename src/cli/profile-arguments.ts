/** The options that `tabvisor profile` has beyond those of `run`, which it leaves for that parser. */
import { UserError } from '../machine/errors.ts';
import type { Grouping } from './profile-report.ts';

export interface ProfileArguments {
  readonly top: number;
  readonly by: Grouping;
  readonly json: boolean;
  readonly region?: string;
  readonly boot: boolean;
  readonly interval: number;
  /** For the parser of `run`. */
  readonly rest: readonly string[];
}

const TOP = 20;
const TOP_MAX = 1_000_000;
/** A sample costs a few microseconds: at this interval some per cent of the run. */
const INTERVAL = 20_000;
const INTERVAL_MIN = 100;
const INTERVAL_MAX = 1e9;

const examples: Readonly<Record<string, string>> = {
  top: '10',
  by: 'address',
  region: 'schedule',
  interval: '5000',
};
const flags: ReadonlySet<string> = new Set(['json', 'boot']);

export function parseProfileArguments(words: readonly string[]): ProfileArguments {
  const values = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const [, name = '', inline] = /^--([a-z]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (flags.has(name)) {
      if (inline !== undefined) {
        throw new UserError(`--${name} takes no value, so not "${inline}".`);
      }
      values.set(name, '');
    } else if (Object.hasOwn(examples, name)) {
      const value = inline ?? words[++i];
      if (value === undefined || value === '' || (inline === undefined && value.startsWith('--'))) {
        throw new UserError(`--${name} needs a value. Write it as in --${name} ${examples[name]}.`);
      }
      values.set(name, value);
    } else rest.push(word);
  }
  if (values.has('region') && values.has('json')) {
    throw new UserError('--region and --json exclude each other. Give one of them.');
  }
  return {
    top: number(values, 'top', TOP, 1, TOP_MAX),
    by: grouping(values.get('by') ?? 'function'),
    json: values.has('json'),
    region: values.get('region'),
    boot: values.has('boot'),
    interval: number(values, 'interval', INTERVAL, INTERVAL_MIN, INTERVAL_MAX),
    rest,
  };
}

function grouping(text: string): Grouping {
  if (text === 'function' || text === 'address') return text;
  throw new UserError(`--by is one of function, address, not "${text}".`);
}

function number(
  values: ReadonlyMap<string, string>,
  name: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const text = values.get(name);
  if (text === undefined) return otherwise;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UserError(`--${name} is a number from ${least} to ${most}, not "${text}".`);
}
