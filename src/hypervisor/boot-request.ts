/**
 * VMs that the page's address asks for: `?boot=micro`, `?boot=micro:3&memory=128M&run=CMD`, and
 * `&disk=64M` for a blank disk in the browser's memory, gone when the VM is. Every value is checked;
 * what does not fit becomes a sentence that says what would.
 */
import type { Template } from '../machine/manifest.ts';
import { formatMemorySize, MEMORY_MAXIMUM, parseMemorySize } from './memory-size.ts';

/** VMs that one address may start: an address is one click away for everybody. */
export const BOOT_COUNT_MAXIMUM = 16;
const COMMAND_LIMIT = 1000;
/** Disks in memory compete with the VMs for it. */
const DISK_MAXIMUM = 1024 ** 3;

export interface BootRequest {
  template: string;
  count: number;
  memory?: number;
  /** Bytes of a blank disk. */
  disk?: number;
  run?: string;
}

export type BootParse =
  | { kind: 'none' }
  | { kind: 'request'; request: BootRequest }
  | { kind: 'problems'; problems: string[] };

export function parseBootRequest(query: string, templates: readonly Template[]): BootParse {
  const parameters = new URLSearchParams(query);
  const boot = parameters.get('boot');
  if (boot === null) return { kind: 'none' };
  const problems: string[] = [];
  for (const name of ['boot', 'memory', 'disk', 'run']) {
    if (parameters.getAll(name).length > 1) problems.push(`“${name}” is given more than once.`);
  }

  const [name = '', countText, ...rest] = boot.split(':');
  if (!templates.some((template) => template.name === name)) {
    problems.push(
      name === '' ? '“boot” names no template.' : `There is no template “${clip(name)}”.`,
    );
  }
  let count = 1;
  if (countText !== undefined) {
    count = /^\d{1,6}$/.test(countText) ? Number(countText) : 0;
    if (count < 1 || count > BOOT_COUNT_MAXIMUM || rest.length > 0) {
      problems.push(
        `“${clip(boot.slice(name.length + 1))}” is no number of VMs: give 1 to ${BOOT_COUNT_MAXIMUM}, as in boot=${clip(name)}:3.`,
      );
    }
  }

  const request: BootRequest = { template: name, count };
  const memoryText = parameters.get('memory');
  if (memoryText !== null) {
    const memory = parseMemorySize(memoryText);
    if (memory === undefined) {
      problems.push(`“${clip(memoryText)}” is no size of memory: write it as memory=128M.`);
    } else if (memory > MEMORY_MAXIMUM) {
      problems.push(
        `${formatMemorySize(memory)} of memory is too much: at most ${formatMemorySize(MEMORY_MAXIMUM)}.`,
      );
    } else {
      request.memory = memory;
    }
  }
  const diskText = parameters.get('disk');
  if (diskText !== null) {
    const disk = parseMemorySize(diskText);
    if (disk === undefined || disk === 0) {
      problems.push(`“${clip(diskText)}” is no size of a disk: write it as disk=64M.`);
    } else if (disk > DISK_MAXIMUM) {
      problems.push(
        `A disk of ${formatMemorySize(disk)} is too large: at most ${formatMemorySize(DISK_MAXIMUM)}.`,
      );
    } else {
      request.disk = disk;
    }
  }
  const run = parameters.get('run');
  if (run !== null) {
    if (run.trim() === '') problems.push('“run” names no command.');
    else if (run.length > COMMAND_LIMIT) {
      problems.push(`The command of “run” is longer than ${COMMAND_LIMIT} characters.`);
    } else request.run = run;
  }
  return problems.length > 0 ? { kind: 'problems', problems } : { kind: 'request', request };
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
