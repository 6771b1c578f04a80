/**
 * Modules that import each other in a circle. dependency-cruiser's own rule counts imports of types
 * as well when swc parses for it; those are gone when a program runs. A script that is fetched when
 * it is needed may use what fetched it: dynamic imports do not count either.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

const swc = createRequire(import.meta.url)('@swc/core');

/**
 * What a module needs in order to run, as paths.
 * @param {string} file
 * @returns {string[]}
 */
function needs(file) {
  const { body } = swc.parseFileSync(file, { syntax: 'typescript', tsx: file.endsWith('.tsx') });
  /** @type {string[]} */
  const found = [];
  for (const item of body) {
    const source = item.source?.value;
    if (typeof source !== 'string' || !source.startsWith('.') || item.typeOnly) continue;
    const specifiers = item.specifiers ?? [];
    const typesOnly =
      specifiers.length > 0 &&
      specifiers.every((/** @type {{ isTypeOnly?: boolean }} */ one) => one.isTypeOnly);
    if (!typesOnly) found.push(join(dirname(file), source));
  }
  return found;
}

/**
 * Circles, each as the paths of its modules relative to `baseDir`.
 * @param {string} baseDir the folder that holds src
 * @returns {string[][]}
 */
export function findCycles(baseDir) {
  const files = readdirSync(join(baseDir, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$|\.d\.ts$/.test(file))
    .map((file) => join(baseDir, 'src', file));
  const graph = new Map(files.map((file) => [file, needs(file)]));
  /** @type {string[][]} */
  const cycles = [];
  /** @type {Set<string>} */
  const done = new Set();
  /** @param {string} file @param {string[]} path */
  const visit = (file, path) => {
    const at = path.indexOf(file);
    if (at >= 0) {
      cycles.push(path.slice(at).map((one) => relative(baseDir, one)));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return cycles;
}
