/**
 * `tabvisor snapshot info|verify|diff`: what .tabvm files hold, whether they are whole, and how two
 * of one machine differ.
 */
import { UserError } from '../machine/errors.ts';
import { MIB } from '../machine/memory-map.ts';
import { ExitCode } from './exit.ts';
import { differences } from './snapshot-diff.ts';
import { type OpenTabvm, openTabvm, unusable } from './tabvm.ts';

const USAGE = 'Write it as in "tabvisor snapshot info FILE".';

export async function snapshot(
  words: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  const [verb, ...paths] = words;
  if (verb !== 'info' && verb !== 'verify' && verb !== 'diff') {
    throw new UserError(
      `snapshot knows info, verify and diff, not ${verb === undefined ? 'nothing' : `"${verb}"`}. ${USAGE}`,
    );
  }
  const files = verb === 'diff' ? 2 : 1;
  if (paths.length !== files) {
    throw new UserError(
      `snapshot ${verb} takes ${files === 1 ? 'one file' : 'two files'}, not ${paths.length}. ${USAGE}`,
    );
  }
  const opened: OpenTabvm[] = [];
  try {
    for (const path of paths) opened.push(await openTabvm(path));
    if (verb === 'info') print(await info(opened[0]!));
    else if (verb === 'verify') print(await verify(opened[0]!, paths[0]!));
    else return await diff(opened, paths, print);
    return ExitCode.Done;
  } finally {
    for (const one of opened) await one.close();
  }
}

async function info({ file, setup }: OpenTabvm): Promise<string> {
  const { head } = file;
  const rows: [string, string][] = [
    ['name', head.name],
    ['template', head.template || 'none'],
    ['taken', new Date(head.time).toISOString()],
    ['memory', `${head.memory / MIB} MB`],
    ['kernel', `${head.kernel} bytes`],
    ['initrd', `${head.initrd} bytes`],
    ['append', head.append],
    ['ports', setup.ports.join(', ') || 'none'],
    ['disks', head.disks.map(({ size }) => `${size} bytes`).join(', ') || 'none'],
    ['token', head.token],
  ];
  // The name comes from the file: a terminal is not to obey it.
  return rows
    .map(([name, value]) => `${name.padEnd(10)}${value.replace(/[^\x20-\x7e]/g, '?')}\n`)
    .join('');
}

async function verify({ file }: OpenTabvm, path: string): Promise<string> {
  try {
    await file.verify();
  } catch (error) {
    throw unusable(path, error);
  }
  return `${path} is whole.\n`;
}

/** Exit code 0: the same; 1: they differ, as with diff(1). */
async function diff(
  [one, other]: readonly OpenTabvm[],
  paths: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  let code: number = ExitCode.Done;
  try {
    for await (const line of differences(one!, other!)) {
      print(`${line}\n`);
      code = ExitCode.Failed;
    }
  } catch (error) {
    throw unusable(paths.join(' or '), error);
  }
  return code;
}
