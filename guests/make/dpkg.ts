/**
 * The database of dpkg for packages that were unpacked on the host: what `dpkg --unpack` would have
 * left in /var/lib/dpkg, so that `dpkg --configure -a` in the guest goes on from there.
 */
import { createHash } from 'node:crypto';
import type { Entry } from '../../tools/lib/deb.mjs';
import type { TarEntry } from './tar.ts';

/** A package as it was unpacked. */
export interface Unpacked {
  readonly name: string;
  /** The files of its control archive. */
  readonly control: readonly Entry[];
  /** Paths with a leading slash, in the order of the archive. */
  readonly paths: readonly string[];
  /** Contents of the configuration files, by path. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

const ROOT = 'var/lib/dpkg';
const scripts = new Set(['preinst', 'postinst', 'prerm', 'postrm', 'config']);

/** The files of the database. */
export function dpkgDatabase(packages: readonly Unpacked[]): TarEntry[] {
  const entries: TarEntry[] = [
    { path: ROOT, type: 'folder', mode: 0o755 },
    ...['info', 'alternatives', 'parts', 'triggers', 'updates'].map(
      (name): TarEntry => ({ path: `${ROOT}/${name}`, type: 'folder', mode: 0o755 }),
    ),
    text(`${ROOT}/info/format`, '1\n'),
    text(`${ROOT}/status`, packages.map(status).join('\n')),
    text(`${ROOT}/available`, ''),
    text(`${ROOT}/diversions`, ''),
    text(`${ROOT}/statoverride`, ''),
  ];
  for (const one of packages) entries.push(...infoFiles(one));
  return [...entries, ...triggers(packages)];
}

function controlText(one: Unpacked): string {
  return one.control.find(({ path }) => path === 'control')?.data.toString() ?? '';
}

/** Name of the files in `info`: packages that several architectures may share say which. */
function infoName(one: Unpacked): string {
  const control = controlText(one);
  const architecture = /^Architecture: (\S+)$/m.exec(control)?.[1] ?? '';
  return /^Multi-Arch: same$/m.test(control) ? `${one.name}:${architecture}` : one.name;
}

function infoFiles(one: Unpacked): TarEntry[] {
  const base = `${ROOT}/info/${infoName(one)}`;
  const list = ['/.', ...one.paths].map((path) => `${path}\n`).join('');
  return [
    text(`${base}.list`, list),
    ...one.control
      .filter(({ path, type }) => type === 'file' && path !== 'control')
      .map(({ path, data }): TarEntry => {
        const mode = scripts.has(path) ? 0o755 : 0o644;
        return { path: `${base}.${path}`, type: 'file', mode, data };
      }),
  ];
}

function status(one: Unpacked): string {
  const lines = controlText(one).trimEnd().split('\n');
  const at = lines.findIndex((line) => line.startsWith('Package:')) + 1;
  const conffiles = [...one.contents].map(
    ([path, data]) => ` ${path} ${createHash('md5').update(data).digest('hex')}`,
  );
  return [
    ...lines.slice(0, at),
    'Status: install ok unpacked',
    ...lines.slice(at),
    ...(conffiles.length > 0 ? ['Conffiles:', ...conffiles] : []),
    '',
  ].join('\n');
}

/** Who is interested in which trigger: files in one list, names in a file each. */
function triggers(packages: readonly Unpacked[]): TarEntry[] {
  const files: string[] = [];
  const named = new Map<string, string[]>();
  for (const one of packages) {
    const control = one.control.find(({ path }) => path === 'triggers')?.data.toString() ?? '';
    for (const line of control.split('\n')) {
      const match = /^\s*interest(-await|-noawait)?\s+(\S+)/.exec(line);
      if (!match) continue;
      const [, kind = '', trigger = ''] = match;
      const who = `${infoName(one)}${kind === '-noawait' ? '/noawait' : ''}`;
      if (trigger.startsWith('/')) files.push(`${trigger} ${who}`);
      else named.set(trigger, [...(named.get(trigger) ?? []), who]);
    }
  }
  return [
    text(`${ROOT}/triggers/File`, files.map((line) => `${line}\n`).join('')),
    ...[...named].map(([name, who]) =>
      text(`${ROOT}/triggers/${name}`, who.map((line) => `${line}\n`).join('')),
    ),
  ];
}

function text(path: string, contents: string): TarEntry {
  return { path, type: 'file', mode: 0o644, data: Buffer.from(contents) };
}
