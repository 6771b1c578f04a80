/**
 * Bundles the command line: src/cli/main.ts and what it imports become build/cli.mjs. Node alone to
 * find out that nothing is to be done (a few milliseconds); rolldown for the bundle. The core
 * stands beside it (build/core.wasm), so the same check covers both.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesUnder, fingerprint, isFresh, isSource } from './lib/fingerprint.mjs';
import { withLock } from './lib/lock.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = join(root, 'src/cli/main.ts');
const output = join(root, 'build/cli.mjs');
const stamp = join(root, 'build/cli.stamp');
const parts = [
  'src/core',
  'src/isa',
  'src/translator',
  'src/machine',
  'src/resources',
  'src/storage',
  'src/cli',
  'wasm',
  'tools/build-cli.mjs',
];

function currentKey() {
  return fingerprint(
    root,
    parts.flatMap((part) =>
      filesUnder(join(root, part), (file) => isSource(file) && !file.includes('/generated/')),
    ),
  );
}

/** Makes build/cli.mjs (and the core) match the sources. @returns {Promise<string>} its path */
export async function buildCli() {
  if (!existsSync(entry) && existsSync(output)) return output; // installed without sources
  const outputs = [output, join(root, 'build/core.wasm')];
  if (isFresh(stamp, currentKey(), outputs)) return output;
  if (!existsSync(join(root, 'node_modules/rolldown'))) {
    throw new Error(
      'The npm packages that build the command line are missing. Run `npm ci` in the repository.',
    );
  }
  const { buildCore } = await import('./build-core.mjs');
  await buildCore();
  const { dropStaleTranslations } = await import('./build-translations.mjs');
  dropStaleTranslations();
  mkdirSync(join(root, 'build'), { recursive: true });
  return withLock(join(root, 'build/cli.lock'), async () => {
    const key = currentKey();
    if (isFresh(stamp, key, outputs)) return output;
    const { rolldown } = await import('rolldown');
    const bundle = await rolldown({
      input: entry,
      platform: 'node',
      external: /^node:/,
      logLevel: 'warn',
    });
    const draft = `${output}.draft`;
    await bundle.write({ file: draft, format: 'esm', codeSplitting: false });
    await bundle.close();
    renameSync(draft, output);
    writeFileSync(stamp, key);
    return output;
  });
}
