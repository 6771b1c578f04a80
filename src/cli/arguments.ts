/**
 * The arguments of `tabvisor run`, from words to a checked description. Relies on node:util's
 * parser; guarantees that what does not fit is refused with one sentence before a file is opened.
 */
import { parseArgs } from 'node:util';
import { SECTOR } from '../machine/devices/virtio/block-backend.ts';
import { UserError } from '../machine/errors.ts';
import type { EngineFeature, Tier } from '../machine/machine.ts';
import { DISKS_MAX, MEMORY_MAX, MEMORY_MIN, MEMORY_STEP, MIB } from '../machine/memory-map.ts';
import type { DiskLimit, Limits } from '../resources/limits.ts';
import { DISK_MAX } from '../storage/disk/disk-store.ts';
import { limitExamples, limitOptions, parseDiskLimit, parseLimits } from './limit-arguments.ts';
import type { OverlayArgument } from './overlay.ts';
import { bytesOf } from './sizes.ts';

export interface DiskArgument {
  readonly file: string;
  readonly readOnly: boolean;
}

export interface ShareArgument {
  readonly folder: string;
  readonly readOnly: boolean;
}

export interface RunArguments {
  readonly template?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly elf?: string;
  readonly firmware?: string;
  /** Bytes; undefined: what the template or the kind of program wants. */
  readonly memory?: number;
  /** Bytes that the guest is to get by with; undefined: all of them. */
  readonly memoryTarget?: number | undefined;
  readonly disks: readonly DiskArgument[];
  /** A disk of an image in chunks and what the guest writes over it. */
  readonly overlay?: OverlayArgument | undefined;
  /** What it may take of this computer; the limits of disks are in the order of `disks`. */
  readonly limits?: Limits | undefined;
  readonly share?: ShareArgument | undefined;
  readonly exec?: string;
  /** A file that gets the machine once the command of `exec` has ended. */
  readonly save?: string;
  /** A file to go on from. */
  readonly snapshot?: string;
  /** Boots the kernel, although the template has a snapshot. */
  readonly cold: boolean;
  readonly timeoutSeconds?: number;
  readonly tier?: Tier;
  /** Both tiers beside each other. */
  readonly lockstep: boolean;
  readonly without: readonly EngineFeature[];
  readonly stats: boolean;
  readonly trace: boolean;
}

const options = {
  template: { type: 'string' },
  kernel: { type: 'string' },
  initrd: { type: 'string' },
  append: { type: 'string' },
  elf: { type: 'string' },
  firmware: { type: 'string' },
  memory: { type: 'string' },
  'memory-target': { type: 'string' },
  disk: { type: 'string', multiple: true },
  image: { type: 'string' },
  overlay: { type: 'string' },
  ...limitOptions,
  share: { type: 'string' },
  exec: { type: 'string' },
  save: { type: 'string' },
  snapshot: { type: 'string' },
  cold: { type: 'boolean' },
  timeout: { type: 'string' },
  tier: { type: 'string' },
  lockstep: { type: 'boolean' },
  without: { type: 'string' },
  stats: { type: 'boolean' },
  trace: { type: 'boolean' },
} as const;

type OptionName = keyof typeof options;
type OptionValues = ReturnType<
  typeof parseArgs<{ options: typeof options; strict: true }>
>['values'];

/** A value for each option that takes one, as an example in sentences. */
const examples: Partial<Record<OptionName, string>> = {
  template: 'micro',
  kernel: 'Image',
  initrd: 'initrd.img',
  append: '"quiet"',
  elf: 'program.elf',
  firmware: 'fw_dynamic.bin',
  memory: '256M',
  'memory-target': '96M',
  disk: 'disk.img',
  image: 'disk/manifest.json',
  overlay: 'my-disk',
  ...limitExamples,
  share: 'folder',
  exec: '"uname -a"',
  save: 'booted.tabvm',
  snapshot: 'booted.tabvm',
  timeout: '60',
  tier: 'both',
  without: 'tail-calls',
};

/** `run`, or a command that takes its options too. */
type Command = 'run' | 'profile';

const helpOf = (command: Command): string => `See "tabvisor ${command} --help".`;

/** Options that cannot be given together, and why not. */
const conflicts: readonly (readonly [string, string])[] = [
  ['template', 'kernel'],
  ['template', 'initrd'],
  ['template', 'elf'],
  ['kernel', 'elf'],
  ['initrd', 'elf'],
  ['append', 'elf'],
  ['firmware', 'elf'],
  ['exec', 'elf'],
  ...['template', 'kernel', 'elf', 'firmware', 'append', 'memory', 'disk', 'image', 'overlay'].map(
    (name): [string, string] => ['snapshot', name],
  ),
  // Its memory is that of the machine which was saved.
  ['snapshot', 'preset'],
  ['snapshot', 'share'],
  ['snapshot', 'lockstep'],
  ['save', 'lockstep'],
  ['save', 'share'],
  ['save', 'firmware'],
  ['memory-target', 'elf'],
  ['lockstep', 'memory-target'],
  ['lockstep', 'trace'],
  ['lockstep', 'disk'],
  ['lockstep', 'image'],
  ['lockstep', 'overlay'],
  ['lockstep', 'share'],
  ...Object.keys(limitOptions).map((name): [string, string] => ['lockstep', name]),
];

export function parseRunArguments(
  words: readonly string[],
  command: Command = 'run',
): RunArguments {
  const values = parseWords(words, command);
  for (const [one, other] of conflicts) {
    if (one in values && other in values) {
      throw new UserError(`--${one} and --${other} exclude each other. Give one of them.`);
    }
  }
  for (const [name, value] of Object.entries(values)) {
    if (value === '' && name !== 'append') {
      throw new UserError(`--${name} needs a value that is not empty.`);
    }
  }
  if (values.initrd !== undefined && values.kernel === undefined) {
    throw new UserError('--initrd needs --kernel. Give the kernel that the initrd belongs to.');
  }
  if (values.save !== undefined && values.exec === undefined) {
    throw new UserError('--save needs --exec. Give the command after which the machine is saved.');
  }
  if (values.lockstep && values.tier === 'interpreter') {
    throw new UserError(
      '--lockstep compares the interpreter with another tier. Give "translator" or "both".',
    );
  }
  const given = (values.disk ?? []).map(parseDisk);
  const disks = given.map(({ disk }) => disk);
  const limits = parseLimits(
    values,
    given.map(({ limit }) => limit),
  );
  const overlay = parseOverlay(values.image, values.overlay);
  const count = disks.length + (overlay ? 1 : 0);
  if (count > DISKS_MAX) {
    throw new UserError(`A machine takes ${DISKS_MAX} disks; ${count} were given.`);
  }
  return {
    ...pick(values, [
      'template',
      'kernel',
      'initrd',
      'append',
      'elf',
      'firmware',
      'exec',
      'save',
      'snapshot',
    ]),
    memory: values.memory === undefined ? limits?.memory?.maximum : parseMemory(values.memory),
    memoryTarget: parseTarget(values['memory-target']),
    disks,
    overlay,
    limits,
    share: values.share === undefined ? undefined : parseShare(values.share),
    timeoutSeconds: values.timeout === undefined ? undefined : parseSeconds(values.timeout),
    tier: values.tier === undefined ? undefined : parseTier(values.tier),
    cold: values.cold ?? false,
    lockstep: values.lockstep ?? false,
    without: values.without === undefined ? [] : parseWithout(values.without),
    stats: values.stats ?? false,
    trace: values.trace ?? false,
  };
}

/** Takes the words apart. The parser is lenient; what does not fit is refused here, in our words. */
function parseWords(words: readonly string[], command: Command) {
  const { values, tokens } = parseArgs({ args: [...words], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional') {
      throw new UserError(`"${token.value}" belongs to no option. ${helpOf(command)}`);
    }
    if (token.kind === 'option') checkOption(token, command);
  }
  // Each option is known and has a value of its type by now: checkOption has looked at all.
  return values as OptionValues;
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function checkOption({ name, rawName, value, inlineValue }: OptionToken, command: Command): void {
  if (!isOption(name) || !rawName.startsWith('--')) {
    throw new UserError(`There is no option ${rawName}. ${helpOf(command)}`);
  }
  if (options[name].type === 'boolean') {
    if (value === undefined) return;
    throw new UserError(`--${name} takes no value, so not "${value}".`);
  }
  const example = `Write it as in --${name} ${examples[name]}.`;
  if (value === undefined) throw new UserError(`--${name} needs a value. ${example}`);
  if (!inlineValue && /^--?[a-z]/i.test(value)) {
    throw new UserError(
      `--${name} needs a value, and "${value}" looks like the next option. If it is the value, ` +
        `write --${name}="${value}".`,
    );
  }
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const result = {} as Pick<T, K>;
  for (const key of keys) if (from[key] !== undefined) result[key] = from[key];
  return result;
}

export function parseMemory(text: string): number {
  const given = bytesOf(text);
  if (given === undefined) {
    throw new UserError(`"${text}" is no size of memory. Write it as in --memory 256M.`);
  }
  const bytes = Math.floor(given / MEMORY_STEP) * MEMORY_STEP;
  if (!(bytes >= MEMORY_MIN && bytes <= MEMORY_MAX)) {
    throw new UserError(
      `A machine has from ${MEMORY_MIN / MIB} MB to ${MEMORY_MAX / MIB} MB of memory; ` +
        `"${text}" is not in that range.`,
    );
  }
  return bytes;
}

/** Whether it fits the guest's memory is known only when that is. */
function parseTarget(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const given = bytesOf(text);
  if (given !== undefined) return Math.floor(given);
  throw new UserError(`"${text}" is no size of memory. Write it as in --memory-target 96M.`);
}

/** `FILE[,ro][,iops=N][,bandwidth=SIZE][,burst=S]`. */
function parseDisk(text: string): { disk: DiskArgument; limit: DiskLimit } {
  let file = text;
  let readOnly = false;
  let limit: DiskLimit = {};
  for (let comma = file.lastIndexOf(','); comma >= 0; comma = file.lastIndexOf(',')) {
    const option = file.slice(comma + 1);
    const own = option === 'ro' ? {} : parseDiskLimit(option);
    if (own === undefined) {
      // A comma may be a part of the name.
      if (option.includes('.')) break;
      throw new UserError(
        `--disk knows the options "ro", "iops=N", "bandwidth=SIZE" and "burst=S", not "${option}".`,
      );
    }
    readOnly ||= option === 'ro';
    limit = { ...own, ...limit };
    file = file.slice(0, comma);
  }
  if (file !== '') return { disk: { file, readOnly }, limit };
  throw new UserError('--disk needs a file. Write it as in --disk disk.img or --disk disk.img,ro.');
}

/** `--overlay FOLDER[,SIZE]`: a size only makes sense where no image gives one. */
function parseOverlay(image?: string, text?: string): OverlayArgument | undefined {
  if (image === undefined && text === undefined) return undefined;
  const match = /^(.+),(\d+(?:\.\d+)?[kmg](?:i?b)?)$/is.exec(text ?? '');
  if (!match) return { image, overlay: text };
  const bytes = bytesOf(match[2] ?? '') ?? 0;
  const size = Math.floor(bytes / SECTOR) * SECTOR;
  if (size < SECTOR || size > DISK_MAX) {
    throw new UserError(
      `A disk has from ${SECTOR} bytes to ${DISK_MAX / 1024 ** 3} GB; "${match[2]}" is not in that range.`,
    );
  }
  return { image, overlay: match[1], size };
}

/** `FOLDER` or `FOLDER:ro`. */
function parseShare(text: string): ShareArgument {
  const readOnly = text.endsWith(':ro');
  const folder = readOnly ? text.slice(0, -':ro'.length) : text;
  if (folder !== '') return { folder, readOnly };
  throw new UserError(
    '--share needs a folder. Write it as in --share folder or --share folder:ro.',
  );
}

const TIERS: readonly Tier[] = ['interpreter', 'translator', 'both'];

function parseTier(text: string): Tier {
  const tier = TIERS.find((one) => one === text);
  if (tier) return tier;
  throw new UserError(`--tier is one of ${TIERS.join(', ')}, not "${text}".`);
}

const FEATURES: Readonly<Record<string, EngineFeature>> = {
  'tail-calls': 'tailCalls',
  'fused-multiply-add': 'fusedMultiplyAdd',
};

/** `tail-calls,fused-multiply-add`. */
function parseWithout(text: string): EngineFeature[] {
  return text.split(',').map((name) => {
    const feature = Object.hasOwn(FEATURES, name) ? FEATURES[name] : undefined;
    if (feature) return feature;
    throw new UserError(
      `--without takes ${Object.keys(FEATURES).join(' and ')}, not "${name}". ` +
        'Put a comma between several.',
    );
  });
}

function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= 1e6)) {
    throw new UserError(`"${text}" is no number of seconds. Write it as in --timeout 60.`);
  }
  return seconds;
}
