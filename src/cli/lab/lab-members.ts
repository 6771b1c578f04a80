/** A lab file as the command line takes it: read, with the files that it names, and as words for each machine. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../../machine/errors.ts';
import {
  LAB_SOURCE_MAXIMUM,
  type Lab,
  type LabMember,
  labBytes,
  membersOf,
} from '../../resources/lab.ts';
import { readLab } from '../../storage/lab/lab-file.ts';
import { readInput } from '../repository.ts';
import type { GuestFile } from './guest.ts';

export interface LoadedLab {
  readonly lab: Lab;
  readonly members: readonly LabMember[];
  /** The folder that sources are in. */
  readonly folder: string;
}

export async function loadLab(file: string): Promise<LoadedLab> {
  const text = (await readInput(file, 'The lab file')).toString('utf8');
  const read = readLab(text);
  if (read.kind === 'problems') {
    const list = read.problems.map((problem) => `  ${problem}`).join('\n');
    throw new UserError(`The lab file ${file} cannot be used:\n${list}`);
  }
  return { lab: read.lab, members: membersOf(read.lab), folder: dirname(file) };
}

/** Arguments as for `tabvisor run`. `blank` gives the path of a new, empty image of that size. */
export async function wordsOf(
  { vm, limits }: LabMember,
  folder: string,
  blank: (bytes: number) => Promise<string>,
): Promise<string[]> {
  const words = [`--template=${vm.template}`];
  const memory = limits.memory?.maximum;
  if (memory !== undefined) words.push(`--memory=${memory / 1024}K`);
  if (vm.cold) words.push('--cold');
  for (const { size, file, readOnly } of vm.disks ?? []) {
    const path = size === undefined ? join(folder, file ?? '') : await blank(labBytes(size));
    words.push(`--disk=${path}${readOnly ? ',ro' : ''}`);
  }
  return words;
}

export function filesOf({ vm }: LabMember, folder: string): Promise<GuestFile[]> {
  return Promise.all(
    (vm.files ?? []).map(async ({ path, text, source, mode }) => ({
      path,
      mode,
      data:
        source === undefined
          ? new TextEncoder().encode(text ?? '')
          : new Uint8Array(await sourceOf(join(folder, source))),
    })),
  );
}

async function sourceOf(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= LAB_SOURCE_MAXIMUM) return await readFile(path);
  } catch {
    throw new UserError(`The file ${path}, which the lab names, cannot be read.`);
  }
  throw new UserError(
    `The file ${path}, which the lab names, is too large: it has at most ${LAB_SOURCE_MAXIMUM / 1024} KB.`,
  );
}
