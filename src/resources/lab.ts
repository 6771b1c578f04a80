/**
 * A lab: a set of VMs as data. The one definition for the page, the command line and editors (the
 * JSON schema in public/lab.schema.json is made from it). Relies on nothing but limits.ts; guarantees
 * that what has passed `checkLab` can be brought up: names are there, and the order has no circle.
 */
import * as v from 'valibot';
import {
  CPU_CAP,
  CPU_WEIGHT,
  DISK_BURST,
  DISK_OPERATIONS,
  type DiskLimit,
  type Limits,
  LimitsSchema,
  PRESETS,
  withLimits,
} from './limits.ts';

/** VMs that one lab may have, replicas counted. */
export const LAB_VMS = 16;
export const LAB_DISKS = 6;
const FILE_TEXT = 64 * 1024;
/** Bytes of a file that a lab names as a source. */
export const LAB_SOURCE_MAXIMUM = 64 * 1024 ** 2;

const named = (what: string) =>
  v.pipe(
    v.string(`${what} is a word.`),
    v.regex(
      /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,28}[a-zA-Z0-9])?$/,
      `${what} has up to 30 letters, digits and hyphens, such as web-1.`,
    ),
  );
const Name = named('A name');
const Size = v.pipe(
  v.string('A size is a word such as 256M or 1G.'),
  v.regex(/^\d{1,9}(\.\d{1,3})?[kKmMgG]$/, 'A size is written as 256M or 1G.'),
);
const Duration = v.pipe(
  v.string('A time is a word such as 30s or 5m.'),
  v.regex(/^\d{1,6}(\.\d{1,3})?[smhd]$/, 'A time is written as 30s, 5m, 2h or 7d.'),
);
const Text = (most: number) => v.pipe(v.string(), v.nonEmpty('This is empty.'), v.maxLength(most));
/** No way out of the folder that the lab file lies in. */
const Source = v.pipe(
  Text(200),
  v.regex(
    /^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\\:?#]+$/,
    'A source is a path below the folder of the lab file.',
  ),
);
const whole = (least: number, most: number) =>
  v.pipe(
    v.number(`This is a whole number from ${least} to ${most}.`),
    v.integer(`This is a whole number from ${least} to ${most}.`),
    v.minValue(least, `This is a whole number from ${least} to ${most}.`),
    v.maxValue(most, `This is a whole number from ${least} to ${most}.`),
  );

const rates = {
  /** Operations a second. */
  iops: v.optional(whole(DISK_OPERATIONS.minimum, DISK_OPERATIONS.maximum)),
  /** Bytes a second. */
  bandwidth: v.optional(Size),
  /** Seconds of both that an idle disk saves up. */
  burst: v.optional(
    v.pipe(v.number(), v.minValue(DISK_BURST.minimum), v.maxValue(DISK_BURST.maximum)),
  ),
};

const ResourcesSchema = v.strictObject({
  preset: v.optional(v.picklist(['tiny', 'small', 'standard', 'large'])),
  cpu: v.optional(
    v.strictObject({
      /** Percent of a processor of the host. */
      cap: v.optional(whole(CPU_CAP.minimum, CPU_CAP.maximum)),
      weight: v.optional(whole(CPU_WEIGHT.minimum, CPU_WEIGHT.maximum)),
    }),
  ),
  memory: v.optional(
    v.strictObject({
      maximum: v.optional(Size),
      minimum: v.optional(Size),
      target: v.optional(Size),
    }),
  ),
  /** All disks of the VM together. */
  disk: v.optional(v.strictObject(rates)),
});

const DiskSchema = v.pipe(
  v.strictObject({
    /** A blank disk of that size, gone with the VM. */
    size: v.optional(Size),
    /** A raw image beside the lab file; the command line's only. */
    file: v.optional(Source),
    readOnly: v.optional(v.boolean()),
    ...rates,
  }),
  v.check(
    ({ size, file }) => (size === undefined) !== (file === undefined),
    'A disk has either a size or a file.',
  ),
);

const FileSchema = v.pipe(
  v.strictObject({
    /** Where it is in the guest. */
    path: v.pipe(
      Text(200),
      v.regex(/^\/[^\0]*[^/\0]$/, 'The path of a file in the guest begins with /.'),
    ),
    text: v.optional(v.pipe(v.string(), v.maxLength(FILE_TEXT))),
    source: v.optional(Source),
    mode: v.optional(v.pipe(v.string(), v.regex(/^0?[0-7]{3}$/, 'A mode is written as "0755".'))),
  }),
  v.check(
    ({ text, source }) => (text === undefined) !== (source === undefined),
    'A file has either a text or a source.',
  ),
);

const ReadySchema = v.pipe(
  v.strictObject({
    /** The guest takes commands. */
    prompt: v.optional(v.literal(true)),
    /** This command ends with 0. */
    command: v.optional(Text(1000)),
    /** The console shows this text. */
    console: v.optional(Text(200)),
    /** The guest's agent answers. */
    agent: v.optional(v.literal(true)),
    /** Time for it; 60s unless given. */
    within: v.optional(Duration),
  }),
  v.check(
    ({ prompt, command, console, agent }) =>
      [prompt, command, console, agent].filter((one) => one !== undefined).length === 1,
    'A readiness check is one of prompt, command, console and agent.',
  ),
);

const VmSchema = v.strictObject({
  template: v.optional(named('The name of a template'), 'micro'),
  /** Replicas: NAME-1, NAME-2, … */
  count: v.optional(whole(1, LAB_VMS)),
  resources: v.optional(ResourcesSchema),
  disks: v.optional(v.pipe(v.array(DiskSchema), v.maxLength(LAB_DISKS))),
  files: v.optional(v.pipe(v.array(FileSchema), v.maxLength(64))),
  /** Commands, one after the other, before it counts as ready. */
  run: v.optional(v.pipe(v.array(Text(4000)), v.maxLength(32))),
  tags: v.optional(v.pipe(v.array(Name), v.maxLength(16))),
  /** Time after which it is powered off. */
  expires: v.optional(Duration),
  /** What must be ready before it starts. */
  after: v.optional(v.pipe(v.array(Name), v.maxLength(LAB_VMS))),
  ready: v.optional(ReadySchema),
  /** Boots the kernel, although the template has a snapshot. */
  cold: v.optional(v.boolean()),
});
export type LabVm = v.InferOutput<typeof VmSchema>;

const UpdateSchema = v.strictObject({
  /** VMs that are replaced at a time. */
  batch: v.optional(whole(1, LAB_VMS)),
});

export const LabSchema = v.strictObject({
  $schema: v.optional(v.string()),
  format: v.literal(1, 'The format is 1.'),
  name: Name,
  description: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  /** How an update goes about it. */
  update: v.optional(UpdateSchema),
  vms: v.record(Name, VmSchema),
});
export type Lab = v.InferOutput<typeof LabSchema>;

export interface LabProblem {
  /** Where in the data it is. */
  readonly path: readonly (string | number)[];
  readonly text: string;
}
export type LabCheck =
  | { readonly kind: 'lab'; readonly lab: Lab }
  | { readonly kind: 'problems'; readonly problems: readonly LabProblem[] };

/** One VM of those that a lab stands for. */
export interface LabMember {
  readonly name: string;
  /** What the lab calls it, and its replicas. */
  readonly group: string;
  readonly vm: LabVm;
  readonly limits: Limits;
  /** Names of the VMs that must be ready before. */
  readonly after: readonly string[];
}

export function checkLab(data: unknown): LabCheck {
  const hidden = prototypeKey(data, []);
  if (hidden) {
    const text = `“${hidden.at(-1)}” cannot be a key. Take another name.`;
    return { kind: 'problems', problems: [{ path: hidden, text }] };
  }
  const result = v.safeParse(LabSchema, data);
  if (!result.success) return { kind: 'problems', problems: result.issues.map(problemOf) };
  const problems = [...meaning(result.output)];
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'lab', lab: result.output };
}

/** Each VM of a lab, replicas apart, in the order of the file. */
export function membersOf({ vms }: Lab): LabMember[] {
  const names = (group: string) => {
    const count = vms[group]?.count;
    if (count === undefined) return [group];
    return Array.from({ length: count }, (_, i) => `${group}-${i + 1}`);
  };
  return Object.entries(vms).flatMap(([group, vm]) => {
    const after = (vm.after ?? []).flatMap(names);
    return names(group).map((name) => ({ name, group, vm, limits: limitsOf(vm), after }));
  });
}

const UNITS: Record<string, number> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Bytes of a size that has passed the schema. */
export function labBytes(size: string): number {
  return Math.floor(Number(size.slice(0, -1)) * (UNITS[size.slice(-1).toLowerCase()] ?? 1));
}

/** Seconds of a time that has passed the schema. */
export function labSeconds(time: string): number {
  return Number(time.slice(0, -1)) * (SECONDS[time.slice(-1)] ?? 1);
}

function limitsOf({ resources = {}, disks = [] }: LabVm): Limits {
  const { preset, cpu, memory, disk } = resources;
  const size = (text: string | undefined) => (text === undefined ? undefined : labBytes(text));
  const each = disks.map(ratesOf);
  const changes: Limits = {
    ...(cpu && { cpu }),
    ...(memory && {
      memory: defined({
        maximum: size(memory.maximum),
        minimum: size(memory.minimum),
        target: size(memory.target),
      }),
    }),
    ...(disk && { disk: ratesOf(disk) }),
    ...(each.some((one) => Object.keys(one).length > 0) && { disks: each }),
  };
  return withLimits(preset === undefined ? {} : PRESETS[preset], changes);
}

function ratesOf(disk: {
  iops?: number | undefined;
  bandwidth?: string | undefined;
  burst?: number | undefined;
}): DiskLimit {
  const { iops, bandwidth, burst } = disk;
  return defined({
    iops,
    bandwidth: bandwidth === undefined ? undefined : labBytes(bandwidth),
    burst,
  });
}

/** What a schema cannot see. */
function* meaning(lab: Lab): Generator<LabProblem> {
  const groups = Object.keys(lab.vms);
  if (groups.length === 0) yield { path: ['vms'], text: 'The lab has no VM. Name one.' };
  for (const [group, vm] of Object.entries(lab.vms)) {
    for (const [at, other] of (vm.after ?? []).entries()) {
      if (Object.hasOwn(lab.vms, other)) continue;
      const text = `There is no VM “${other}” to start after.${suggestion(other, groups)}`;
      yield { path: ['vms', group, 'after', at], text };
    }
    const limits = v.safeParse(LimitsSchema, limitsOf(vm));
    if (!limits.success) {
      yield { path: ['vms', group, 'resources'], text: limits.issues[0].message };
    }
  }
  const names = membersOf(lab).map(({ name }) => name);
  if (names.length > LAB_VMS) {
    yield { path: ['vms'], text: `The lab has ${names.length} VMs: at most ${LAB_VMS}.` };
  }
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    yield { path: ['vms'], text: `Two VMs would be called “${twice}”. Rename one of them.` };
  }
  const circle = circleOf(lab);
  if (circle) {
    const path = ['vms', circle[0] ?? '', 'after'];
    yield { path, text: `These wait for each other: ${circle.join(' → ')}.` };
  }
}

function circleOf({ vms }: Lab): string[] | undefined {
  const done = new Set<string>();
  const visit = (name: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name];
    if (done.has(name) || !Object.hasOwn(vms, name)) return undefined;
    for (const other of vms[name]?.after ?? []) {
      const circle = visit(other, [...way, name]);
      if (circle) return circle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(vms)) {
    const circle = visit(name, []);
    if (circle) return circle;
  }
  return undefined;
}

const ENTRIES = {
  lab: Object.keys(LabSchema.entries),
  vm: Object.keys(VmSchema.entries),
  all: [
    ...[
      ResourcesSchema,
      ResourcesSchema.entries.cpu.wrapped,
      ResourcesSchema.entries.memory.wrapped,
    ],
    ...[DiskSchema.pipe[0], FileSchema.pipe[0], ReadySchema.pipe[0], UpdateSchema],
  ].flatMap(({ entries }) => Object.keys(entries)),
};

function problemOf(issue: v.BaseIssue<unknown>): LabProblem {
  const path = (issue.path ?? []).flatMap(({ key }) =>
    typeof key === 'string' || typeof key === 'number' ? [key] : [],
  );
  const key = path.at(-1);
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const known = path.length === 1 ? ENTRIES.lab : path.length === 3 ? ENTRIES.vm : ENTRIES.all;
    return { path, text: `There is no “${key}” here.${suggestion(String(key), known)}` };
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    return { path: path.slice(0, -1), text: `“${key}” is missing.` };
  }
  return {
    path,
    text: path.length === 0 ? issue.message : `“${path.join('.')}”: ${issue.message}`,
  };
}

function suggestion(word: string, known: readonly string[]): string {
  const near = known
    .map((one) => ({ one, far: distance(word.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, far }) => far <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.far - b.far)[0];
  return near ? ` Is it “${near.one}”?` : '';
}

/** Letters to change, add or take away. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

const HIDDEN = ['__proto__', 'constructor', 'prototype'];

function prototypeKey(
  data: unknown,
  path: readonly (string | number)[],
): (string | number)[] | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  for (const key of Object.keys(data)) {
    const here = [...path, Array.isArray(data) ? Number(key) : key];
    if (HIDDEN.includes(key)) return here;
    const below = prototypeKey(Reflect.get(data, key), here);
    if (below) return below;
  }
  return undefined;
}

function defined<T extends object>(values: T): T {
  // Only leaves out keys whose values are undefined, which the type allows to be absent.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
