/**
 * `tabvisor snapshot info|verify|diff`: what .tabvm files hold, whether they are whole, and how two
 * of one machine differ.
 */
import { PAGE_SIZE } from '../core/layout.ts';
import { UserError } from '../machine/errors.ts';
import { MIB } from '../machine/memory-map.ts';
import type { Saved } from '../machine/state.ts';
import { ExitCode } from './exit.ts';
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
  const lines: string[] = [];
  for (const path of differences(one!.source.image.state, other!.source.image.state, 'state')) {
    lines.push(path);
  }
  const pages = await pagesOf(one!, paths[0]!);
  let changed = 0;
  let first = -1;
  const others = await pagesOf(other!, paths[1]!);
  for (const page of new Set([...pages.keys(), ...others.keys()])) {
    const [a, b] = [pages.get(page), others.get(page)];
    if (a && b && Buffer.compare(a, b) === 0) continue;
    changed++;
    first = first < 0 ? page : Math.min(first, page);
  }
  if (changed > 0) {
    lines.push(`RAM: ${changed} pages differ, the first at 0x${(first * PAGE_SIZE).toString(16)}`);
  }
  for (const line of lines) print(`${line}\n`);
  return lines.length === 0 ? ExitCode.Done : ExitCode.Failed;
}

async function pagesOf({ source }: OpenTabvm, path: string): Promise<Map<number, Uint8Array>> {
  const pages = new Map<number, Uint8Array>();
  try {
    for await (const { first, bytes } of source.pages()) {
      for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
        const page = bytes.subarray(at, at + PAGE_SIZE);
        if (page.some((byte) => byte !== 0)) pages.set(first + at / PAGE_SIZE, page);
      }
    }
  } catch (error) {
    throw unusable(path, error);
  }
  return pages;
}

/** Paths of values that differ. */
function* differences(
  one: Saved | undefined,
  other: Saved | undefined,
  path: string,
): Generator<string> {
  if (isRecord(one) && isRecord(other)) {
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      yield* differences(one[key], other[key], `${path}.${key}`);
    }
    return;
  }
  const same =
    one instanceof Uint8Array && other instanceof Uint8Array
      ? Buffer.compare(one, other) === 0
      : JSON.stringify(one) === JSON.stringify(other);
  if (!same) yield path.replace(/[^\x20-\x7e]/g, '?');
}

function isRecord(value: Saved | undefined): value is { readonly [key: string]: Saved } {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);
}
