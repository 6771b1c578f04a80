/**
 * VMs that the page's address asks for: `?boot=micro`, `?boot=micro:3&memory=128M&run=CMD`, and
 * `&disk=64M` for a blank disk in the browser's memory, gone when the VM is; `&cold` boots the kernel
 * where the template would start from its snapshot. Several `boot` ask for several kinds of VMs: what
 * follows one, up to the next, is about its VMs. Every name and value is checked; what does not fit
 * becomes a sentence that says what would.
 */
import type { Template } from '../machine/manifest.ts';
import { formatMemorySize, MEMORY_MAXIMUM, parseMemorySize } from './memory-size.ts';

/** VMs that one address may start: an address is one click away for everybody. */
export const BOOT_COUNT_MAXIMUM = 16;
export const NAME_LIMIT = 40;
const COMMAND_LIMIT = 1000;
/** Disks in memory compete with the VMs for it. */
export const DISK_MAXIMUM = 1024 ** 3;

export const BOOT_PARAMETERS: ReadonlySet<string> = new Set([
  'boot',
  'name',
  'memory',
  'disk',
  'start',
  'cold',
  'run',
]);

/** Of the address, too, but about what the page shows, or a lab that it brings up. */
const PAGE_PARAMETERS: ReadonlySet<string> = new Set(['filter', 'sort', 'lab']);
/** What others hang on links to follow them; it is none of this page's business. */
const TRACKING = /^(utm_\w+|\w*clid)$/;

export interface BootRequest {
  template: string;
  count: number;
  name?: string;
  memory?: number;
  /** Bytes of a blank disk. */
  disk?: number;
  /** False: it is listed only. */
  start?: boolean;
  /** Boots the kernel, although the template has a snapshot. */
  cold?: boolean;
  run?: string;
}

export type BootParse =
  | { kind: 'none' }
  | { kind: 'request'; requests: BootRequest[] }
  | { kind: 'problems'; problems: string[] };

export function parseBootRequest(query: string, templates: readonly Template[]): BootParse {
  const problems: string[] = [];
  const groups = groupsOf(query, problems);
  if (groups.length === 0 && problems.length === 0) return { kind: 'none' };
  const requests = groups.map((group) => readGroup(group, templates, problems));
  const total = requests.reduce((sum, { count }) => sum + count, 0);
  if (requests.length > 1 && total > BOOT_COUNT_MAXIMUM) {
    problems.push(`The address asks for ${total} VMs: at most ${BOOT_COUNT_MAXIMUM}.`);
  }
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'request', requests };
}

/** The parameters of each `boot`; those before the first are the first one's. */
function groupsOf(query: string, problems: string[]): Map<string, string>[] {
  const groups: Map<string, string>[] = [];
  const ahead = new Map<string, string>();
  const unknown = new Set<string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!BOOT_PARAMETERS.has(name)) {
      if (!TRACKING.test(name) && !PAGE_PARAMETERS.has(name)) unknown.add(name);
      continue;
    }
    if (name === 'boot') groups.push(groups.length === 0 ? ahead : new Map());
    const group = groups.at(-1) ?? ahead;
    if (group.has(name)) problems.push(`“${name}” is given more than once for the same VMs.`);
    else group.set(name, value);
  }
  for (const name of unknown) {
    problems.push(
      `There is no parameter “${clip(name)}”: there are ${[...BOOT_PARAMETERS].join(', ')}.`,
    );
  }
  return groups;
}

function readGroup(
  group: ReadonlyMap<string, string>,
  templates: readonly Template[],
  problems: string[],
): BootRequest {
  const boot = group.get('boot') ?? '';
  const [template = ''] = boot.split(':', 1);
  if (!templates.some(({ name }) => name === template)) {
    problems.push(
      template === '' ? '“boot” names no template.' : `There is no template “${clip(template)}”.`,
    );
  }
  const request: BootRequest = { template, count: readCount(boot, template, problems) };
  const name = group.get('name')?.trim();
  if (name !== undefined) {
    if (name === '') problems.push('“name” gives no name.');
    else if (name.length > NAME_LIMIT) {
      problems.push(`The name “${clip(name)}” is longer than ${NAME_LIMIT} characters.`);
    } else request.name = name;
  }
  const memory = readMemory(group.get('memory'), problems);
  if (memory !== undefined) request.memory = memory;
  const disk = readDisk(group.get('disk'), problems);
  if (disk !== undefined) request.disk = disk;
  const start = group.get('start');
  if (start === 'no') request.start = false;
  else if (start !== undefined && start !== 'yes') {
    problems.push(`“start” is yes or no, not “${clip(start)}”.`);
  }
  const cold = group.get('cold');
  if (cold === '' || cold === 'yes') request.cold = true;
  else if (cold !== undefined && cold !== 'no') {
    problems.push(`“cold” stands alone, or is yes or no, not “${clip(cold)}”.`);
  }
  const run = group.get('run');
  if (run !== undefined) {
    if (run.trim() === '') problems.push('“run” names no command.');
    else if (run.length > COMMAND_LIMIT) {
      problems.push(`The command of “run” is longer than ${COMMAND_LIMIT} characters.`);
    } else request.run = run;
  }
  return request;
}

function readCount(boot: string, template: string, problems: string[]): number {
  if (!boot.includes(':')) return 1;
  const text = boot.slice(template.length + 1);
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= BOOT_COUNT_MAXIMUM) return count;
  problems.push(
    `“${clip(text)}” is no number of VMs: give 1 to ${BOOT_COUNT_MAXIMUM}, as in boot=${clip(template)}:3.`,
  );
  return 1;
}

function readMemory(text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined) return undefined;
  const memory = parseMemorySize(text);
  if (memory === undefined) {
    problems.push(`“${clip(text)}” is no size of memory: write it as memory=128M.`);
  } else if (memory > MEMORY_MAXIMUM) {
    problems.push(
      `${formatMemorySize(memory)} of memory is too much: at most ${formatMemorySize(MEMORY_MAXIMUM)}.`,
    );
  } else return memory;
  return undefined;
}

function readDisk(text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined) return undefined;
  const disk = parseMemorySize(text);
  if (disk === undefined) {
    problems.push(`“${clip(text)}” is no size of a disk: write it as disk=64M.`);
  } else if (disk > DISK_MAXIMUM) {
    problems.push(
      `A disk of ${formatMemorySize(disk)} is too large: at most ${formatMemorySize(DISK_MAXIMUM)}.`,
    );
  } else return disk;
  return undefined;
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
