/** The arguments of the commands about labs, checked. */
import { parseArgs } from 'node:util';
import { messageOf, UserError } from '../../machine/errors.ts';
import { LAB_VMS } from '../../resources/lab.ts';

/** With less than that guests hardly come up. */
const LEAST_CPUS = 0.1;

export interface UpArguments {
  readonly file: string;
  readonly name: string | undefined;
  readonly exec: readonly { readonly vm: string; readonly text: string }[];
  readonly timeoutSeconds: number | undefined;
  readonly json: boolean;
  readonly metrics: number | undefined;
  /** Processors of this computer that the lab may use. */
  readonly cpus: number | undefined;
}

export function parseUp(words: readonly string[]): UpArguments {
  const { values, positionals } = parse(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        exec: { type: 'string', multiple: true },
        timeout: { type: 'string' },
        json: { type: 'boolean' },
        metrics: { type: 'string' },
        cpus: { type: 'string' },
      },
    }),
  );
  return {
    file: single(positionals, 'up FILE'),
    name: values.name === undefined ? undefined : labName(values.name),
    exec: (values.exec ?? []).map((text) => {
      const colon = text.indexOf(':');
      if (colon > 0 && colon < text.length - 1) {
        return { vm: text.slice(0, colon), text: text.slice(colon + 1) };
      }
      throw new UserError(`--exec takes a VM and a command such as web:"uname -a", not "${text}".`);
    }),
    timeoutSeconds: number('timeout', values.timeout, 86_400, 1),
    json: values.json ?? false,
    metrics: number('metrics', values.metrics, 65_535, 0),
    cpus: values.cpus === undefined ? undefined : processors(values.cpus),
  };
}

export interface LabArguments {
  readonly name: string | undefined;
  readonly words: readonly string[];
  readonly batch: number | undefined;
}

/** For ps, exec, logs, down and update. */
export function parseLab(words: readonly string[]): LabArguments {
  const { values, positionals } = parse(() =>
    parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { name: { type: 'string' }, batch: { type: 'string' } },
    }),
  );
  return {
    name: values.name === undefined ? undefined : labName(values.name),
    words: positionals,
    batch: number('batch', values.batch, LAB_VMS, 1),
  };
}

function parse<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new UserError(messageOf(error));
  }
}

function single(words: readonly string[], usage: string): string {
  const [word] = words;
  if (words.length === 1 && word !== undefined) return word;
  throw new UserError(`Write it as "tabvisor ${usage}".`);
}

function labName(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9-]{0,29}$/.test(text)) return text;
  throw new UserError(`--name has up to 30 letters, digits and hyphens, so it is not "${text}".`);
}

function processors(text: string): number {
  const value = /^\d{1,3}(\.\d{1,2})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= LEAST_CPUS) return value;
  throw new UserError(`--cpus takes processors such as 1 or 0.75, not "${text}".`);
}

function number(
  option: string,
  text: string | undefined,
  most: number,
  least: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UserError(`--${option} takes a whole number from ${least} to ${most}, not "${text}".`);
}
