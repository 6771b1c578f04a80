/**
 * What a machine may take of this computer, from words to checked limits. Relies on the one
 * definition of limits (resources/limits.ts) for bounds and sentences; guarantees that what it gives
 * can be handed to a machine.
 */
import * as v from 'valibot';
import { UserError } from '../machine/errors.ts';
import {
  type DiskLimit,
  isPreset,
  type Limits,
  LimitsSchema,
  PRESET_NAMES,
  PRESETS,
  withLimits,
} from '../resources/limits.ts';
import { bytesOf } from './sizes.ts';

export const limitOptions = {
  preset: { type: 'string' },
  'cpu-cap': { type: 'string' },
  'cpu-weight': { type: 'string' },
  harts: { type: 'string' },
  'disk-iops': { type: 'string' },
  'disk-bandwidth': { type: 'string' },
  'disk-burst': { type: 'string' },
} as const;

export type LimitOption = keyof typeof limitOptions;
type LimitValues = Partial<Record<LimitOption, string | undefined>>;

/** A value for each of them, as an example in sentences. */
export const limitExamples: Record<LimitOption, string> = {
  preset: 'small',
  'cpu-cap': '25',
  'cpu-weight': '50',
  harts: '1',
  'disk-iops': '500',
  'disk-bandwidth': '10M',
  'disk-burst': '1',
};

/** `disks`: limits of each disk, in order. Nothing when nothing is limited. */
export function parseLimits(values: LimitValues, disks: readonly DiskLimit[]): Limits | undefined {
  const number = (name: LimitOption) => {
    const text = values[name];
    return text === undefined ? undefined : numberOf(`--${name}`, text, limitExamples[name]);
  };
  const bandwidth = values['disk-bandwidth'];
  const given = {
    cpu: defined({ cap: number('cpu-cap'), weight: number('cpu-weight'), harts: number('harts') }),
    disk: defined({
      iops: number('disk-iops'),
      bandwidth: bandwidth === undefined ? undefined : bandwidthOf('--disk-bandwidth', bandwidth),
      burst: number('disk-burst'),
    }),
    disks: disks.some((limit) => Object.keys(limit).length > 0) ? [...disks] : undefined,
  };
  const changes = check(defined(given) ?? {});
  const limits = withLimits(presetOf(values.preset), changes);
  return Object.keys(limits).length === 0 ? undefined : limits;
}

/** `iops=500`, `bandwidth=10M` or `burst=2` of one disk; undefined: it is none of these. */
export function parseDiskLimit(text: string): DiskLimit | undefined {
  const match = /^(iops|bandwidth|burst)=(.*)$/.exec(text);
  const [, name = '', value = ''] = match ?? [];
  const option = `The option "${name}" of --disk`;
  switch (name) {
    case 'iops':
      return { iops: numberOf(option, value, limitExamples['disk-iops']) };
    case 'bandwidth':
      return { bandwidth: bandwidthOf(option, value) };
    case 'burst':
      return { burst: numberOf(option, value, limitExamples['disk-burst']) };
    default:
      return undefined;
  }
}

function presetOf(name: string | undefined): Limits {
  if (name === undefined) return {};
  if (isPreset(name)) return PRESETS[name];
  throw new UserError(`--preset is one of ${PRESET_NAMES.join(', ')}, not "${name}".`);
}

function check(limits: unknown): Limits {
  const result = v.safeParse(LimitsSchema, limits);
  if (result.success) return result.output;
  throw new UserError(result.issues[0].message);
}

function numberOf(option: string, text: string, example: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new UserError(`${option} takes a number such as ${example}, not "${text}".`);
}

/** Bytes of `10M`; a bare number means megabytes, as everywhere. */
function bandwidthOf(option: string, text: string): number {
  const bytes = bytesOf(text);
  if (bytes !== undefined) return Math.floor(bytes);
  throw new UserError(
    `${option} takes bytes a second such as ${limitExamples['disk-bandwidth']}, not "${text}".`,
  );
}

/** Without what is undefined; undefined when nothing is left. */
function defined<T extends object>(values: T): Partial<T> | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Partial<T>);
}
