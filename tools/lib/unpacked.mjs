/**
 * Programs of Debian trixie for this machine without installing them: the packages and all that
 * they depend on are unpacked under .cache, and a program starts through its own dynamic linker with
 * its own libraries, so that neither root nor a matching distribution is needed.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstWords, readDeb } from './deb.mjs';
import { debianPackages, hostArchitecture } from './debian.mjs';
import { withLock } from './lock.mjs';
import { capture, Plain, which } from './shell.mjs';

const cache = fileURLToPath(new URL('../../.cache', import.meta.url));

/**
 * @param {string} folder name under .cache
 * @param {string[]} names packages
 * @param {(line: string) => void} [log]
 * @returns {Promise<(program: string) => { command: string, args: string[], root: string }>} how to
 *   start a program of these packages, given its path
 */
export async function unpackedPrograms(folder, names, log = console.log) {
  const root = join(cache, folder);
  const stamp = join(root, '.packages.json');
  await withLock(join(cache, `${folder}.lock`), async () => {
    const key = createHash('sha256').update(JSON.stringify(names)).digest('hex');
    if (existsSync(stamp) && JSON.parse(readFileSync(stamp, 'utf8')).key === key) return;
    const packages = await debianPackages(hostArchitecture(), names, { closure: true, log });
    const draft = `${root}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    for (const { file } of packages) await unpack(file, draft);
    const versions = Object.fromEntries(packages.map(({ name, version }) => [name, version]));
    writeFileSync(join(draft, '.packages.json'), JSON.stringify({ key, versions }));
    rmSync(root, { recursive: true, force: true });
    renameSync(draft, root);
  });
  const linker = findLinker(root);
  const libraries = libraryFolders(root).join(':');
  return (program) => {
    const path = join(root, program);
    if (!existsSync(path)) {
      throw new Plain(
        `The packages ${names.join(', ')} hold no ${program}. Remove ${root} and try again.`,
      );
    }
    return { command: linker, args: ['--library-path', libraries, path], root };
  };
}

/** @param {string} file @param {string} root */
async function unpack(file, root) {
  if (which('dpkg-deb')) {
    const { ok, stderr } = capture('dpkg-deb', ['-x', file, root]);
    if (!ok) {
      throw new Plain(
        `The package ${file} cannot be unpacked (${firstWords(stderr)}). Fetch it again if it is ` +
          'damaged, and see that the disk is not full.',
      );
    }
    return;
  }
  for (const { path, type, mode, target, data } of await readDeb(file, (path) => path !== '')) {
    const place = join(root, path);
    mkdirSync(type === 'folder' ? place : dirname(place), { recursive: true });
    if (type === 'file') writeFileSync(place, data, { mode });
    else if (type === 'link' && !existsSync(place)) symlinkSync(target, place);
  }
}

/** @param {string} root */
function findLinker(root) {
  for (const folder of ['usr/lib64', 'lib64', 'usr/lib', 'lib', ...libraryNames(root)]) {
    const path = join(root, folder);
    if (!existsSync(path)) continue;
    const name = readdirSync(path).find((file) =>
      /^ld-linux.*\.so\.\d+$|^ld64\.so\.\d+$/.test(file),
    );
    if (name) return join(path, name);
  }
  throw new Plain(`The dynamic linker is missing in ${root}. Remove that folder and try again.`);
}

/** @param {string} root folders such as usr/lib/x86_64-linux-gnu */
function libraryNames(root) {
  return ['usr/lib', 'lib'].flatMap((base) =>
    existsSync(join(root, base))
      ? readdirSync(join(root, base))
          .filter((name) => /-linux-gnu/.test(name))
          .map((name) => join(base, name))
      : [],
  );
}

/** @param {string} root */
function libraryFolders(root) {
  return libraryNames(root).flatMap((folder) => {
    const path = join(root, folder);
    // Some libraries hide one level deeper (pulseaudio's, for instance).
    const deeper = readdirSync(path, { withFileTypes: true })
      .filter(
        (entry) =>
          entry.isDirectory() && readdirSync(join(path, entry.name)).some((n) => /\.so\./.test(n)),
      )
      .map((entry) => join(path, entry.name));
    return [path, ...deeper];
  });
}
