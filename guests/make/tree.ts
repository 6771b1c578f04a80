/**
 * The unpacked root file system as one tar archive: the files of all packages with their owners and
 * modes, dpkg's database, kernel modules. Packages are read one after the other, so that memory holds
 * one at a time; the same packages give the same archive.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { type Entry, readControlFiles, readDeb } from '../../tools/lib/deb.mjs';
import type { Package } from '../../tools/lib/debian.mjs';
import { Plain } from '../../tools/lib/shell.mjs';
import { dpkgDatabase, type Unpacked } from './dpkg.ts';
import { type TarEntry, tarEnd, tarEntry } from './tar.ts';

export interface TreeOptions {
  readonly packages: readonly Package[];
  /** Patterns of paths that are left out, and exceptions. */
  readonly exclude: readonly string[];
  readonly include: readonly string[];
  /** Further files. */
  readonly extra: readonly TarEntry[];
}

export interface Tree {
  /** Bytes of files that were unpacked, and of those left out. */
  readonly bytes: number;
  readonly excluded: number;
  readonly files: number;
}

/** Folders that merged-/usr moved; packages of trixie name the new places, older ones may not. */
const merged = /^(bin|sbin|lib)(?=\/)/;

export async function writeTree(file: string, options: TreeOptions): Promise<Tree> {
  const output = openSync(file, 'w');
  const seen = new Map<string, { kind: string; owner: string }>();
  const left = matcher(options.exclude);
  const kept = matcher(options.include);
  let [bytes, excluded, files] = [0, 0, 0];
  const put = (entry: TarEntry) => {
    for (const part of tarEntry(entry)) if (part.length > 0) writeSync(output, part);
    bytes += entry.data?.length ?? 0;
    files++;
  };
  /** Whether a path is new; folders may come several times. */
  const claim = (path: string, kind: string, owner: string): boolean => {
    const before = seen.get(path);
    if (before === undefined) {
      putParents(path);
      seen.set(path, { kind, owner });
      return true;
    }
    if (kind === 'folder' && before.kind !== 'file') return false;
    throw new Plain(
      `The packages ${before.owner} and ${owner} both hold /${path}. Leave one of them out of the recipe.`,
    );
  };
  const putParents = (path: string) => {
    const slash = path.lastIndexOf('/');
    if (slash < 0) return;
    const parent = path.slice(0, slash);
    if (seen.has(parent)) return;
    putParents(parent);
    seen.set(parent, { kind: 'folder', owner: 'several packages' });
    put({ path: parent, type: 'folder', mode: 0o755 });
  };
  try {
    const unpacked: Unpacked[] = [];
    for (const one of options.packages) {
      const control = await readControlFiles(one.file);
      const conffiles = new Set(
        (control.find(({ path }) => path === 'conffiles')?.data.toString() ?? '')
          .split('\n')
          .filter((line) => line.startsWith('/')),
      );
      const contents = new Map<string, Uint8Array>();
      const paths: string[] = [];
      for (const entry of await readDeb(one.file, (path) => path !== '' && path !== '.')) {
        paths.push(`/${entry.path}`);
        const path = entry.path.replace(merged, 'usr/$1');
        if (left(`/${entry.path}`) && !kept(`/${entry.path}`) && entry.type !== 'folder') {
          excluded += entry.data.length;
          continue;
        }
        if (conffiles.has(`/${entry.path}`)) contents.set(`/${entry.path}`, entry.data);
        const type = plainType(entry, one.name);
        if (!claim(path, type, one.name)) continue;
        const target = type === 'hard' ? hardTarget(entry.target) : entry.target;
        put({ ...entry, path, type, target });
      }
      unpacked.push({ name: one.name, control, paths, contents });
    }
    for (const entry of [...dpkgDatabase(unpacked), ...options.extra]) {
      if (claim(entry.path, entry.type, 'the recipe')) put(entry);
    }
    writeSync(output, tarEnd());
  } finally {
    closeSync(output);
  }
  return { bytes, excluded, files };
}

function plainType(entry: Entry, owner: string): TarEntry['type'] {
  if (entry.type !== 'other') return entry.type;
  throw new Plain(`The package ${owner} holds /${entry.path}, which is no plain file.`);
}

function hardTarget(target: string): string {
  return target.replace(/^\.?\//, '').replace(merged, 'usr/$1');
}

/** Whether one of dpkg's patterns (recipe.ts) fits a path. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const all = patterns.map((pattern) => {
    const parts = pattern
      .replace(/[.+^$]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${parts}$`);
  });
  return (path) => all.some((one) => one.test(path));
}
