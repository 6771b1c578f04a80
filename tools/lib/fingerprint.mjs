/**
 * Fingerprints of files, by which a build step knows whether its inputs have changed. Node alone.
 * Contents count, not times: a fresh clone and an unpacked cache agree.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/**
 * All files under `path` (or `path` itself) in a stable order; nothing when it does not exist.
 * @param {string} path
 * @param {(file: string) => boolean} [accept]
 * @returns {string[]}
 */
export function filesUnder(path, accept = () => true) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return accept(path) ? [path] : [];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const child = join(path, entry.name);
      if (entry.isDirectory())
        return entry.name === 'node_modules' ? [] : filesUnder(child, accept);
      return accept(child) ? [child] : [];
    });
}

/**
 * One SHA-256 over names and contents of files, and over further text such as options or versions.
 * @param {string} root names are taken relative to it
 * @param {string[]} files
 * @param {string} [extra]
 */
export function fingerprint(root, files, extra = '') {
  const hash = createHash('sha256').update(extra);
  for (const file of files) {
    const bytes = readFileSync(file);
    hash.update(`\0${relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

/**
 * True when every output exists and the stamp says that it was made from these inputs.
 * @param {string} stampFile
 * @param {string} key
 * @param {string[]} outputs
 */
export function isFresh(stampFile, key, outputs) {
  return (
    outputs.every((file) => existsSync(file)) &&
    existsSync(stampFile) &&
    readFileSync(stampFile, 'utf8').trim() === key
  );
}

/** Source files proper: no tests. @param {string} file */
export function isSource(file) {
  return !/\.test\.[cm]?tsx?$/.test(file);
}
