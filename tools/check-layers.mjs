/**
 * Checks the layer rule (.dependency-cruiser.mjs) and prints each violation as a sentence. Fails
 * too when no module was read: a parser that is missing would otherwise pass everything.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import config from '../.dependency-cruiser.mjs';
import { findCycles } from './lib/cycles.mjs';

// dependency-cruiser 17 lets swc parse TypeScript but does not tell it of JSX. Its import takes what
// the module exports at that moment, so the correction comes first.
const swc = createRequire(import.meta.url)('@swc/core');
const { parseFileSync } = swc;
swc.parseFileSync = (/** @type {string} */ file, /** @type {object} */ options) =>
  parseFileSync(file, { ...options, tsx: file.endsWith('.tsx') });
const { cruise } = await import('dependency-cruiser');

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @typedef {{ rule: string, from: string, to: string, comment: string }} Violation
 * @param {string} [baseDir] the folder that holds src
 * @returns {Promise<{ modules: number, violations: Violation[] }>}
 */
export async function checkLayers(baseDir = root) {
  const { forbidden = [], options } = config;
  const { output } = await cruise(['src'], {
    ...options,
    ruleSet: { forbidden },
    validate: true,
    baseDir,
  });
  if (typeof output === 'string') throw new Error('dependency-cruiser gave text, not a result.');
  return {
    modules: output.modules.filter(({ source }) => source.startsWith('src/')).length,
    violations: [
      ...output.summary.violations.map(({ rule, from, to }) => ({
        rule: rule.name,
        from,
        to,
        comment: forbidden.find(({ name }) => name === rule.name)?.comment ?? '',
      })),
      ...findCycles(baseDir).map((cycle) => ({
        rule: 'no-cycle',
        from: cycle.at(-1) ?? '',
        to: cycle[0] ?? '',
        comment:
          'Modules that import each other in a circle cannot be understood one at a time: ' +
          `${cycle.join(' → ')}.`,
      })),
    ],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, violations } = await checkLayers();
  for (const { rule, from, to, comment } of violations) {
    console.error(`${from} imports ${to}: ${comment} (${rule})`);
  }
  if (modules === 0) {
    console.error('No module was read: dependency-cruiser needs @swc/core to parse TypeScript.');
  }
  if (violations.length > 0 || modules === 0) process.exit(1);
  console.log(`Layers hold in ${modules} modules.`);
}
