/**
 * Builds the CPU core: runs the instruction table's generator (tools/generate writes
 * wasm/generated), then AssemblyScript's compiler for both kinds of memory (wasm/asconfig.json holds
 * its options). Guarantees build/core.wasm and build/core-shared.wasm that match the sources; does
 * nothing when they already do. Relies on node_modules.
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesUnder, fingerprint, isFresh, isSource } from './lib/fingerprint.mjs';
import { withLock } from './lib/lock.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const generator = join(root, 'tools/generate/main.ts');
const stamp = join(root, 'build/core.stamp');
const outputs = ['plain', 'shared'].map((target) => ({
  target,
  file: join(root, 'build', target === 'plain' ? 'core.wasm' : 'core-shared.wasm'),
}));

function currentKey() {
  const files = [
    ...filesUnder(join(root, 'wasm'), (file) => isSource(file) && !file.includes('/generated/')),
    ...['src/isa', 'src/core', 'tools/generate'].flatMap((part) =>
      filesUnder(join(root, part), isSource),
    ),
    fileURLToPath(import.meta.url),
  ];
  const compiler = join(root, 'node_modules/assemblyscript/package.json');
  const { version } = JSON.parse(readFileSync(compiler, 'utf8'));
  return fingerprint(root, files, version);
}

/** True when the built core matches the sources. */
export function coreIsFresh() {
  return isFresh(
    stamp,
    currentKey(),
    outputs.map(({ file }) => file),
  );
}

/** Builds the core when it is stale. @returns {Promise<'built' | 'fresh'>} */
export async function buildCore() {
  if (!existsSync(join(root, 'wasm/index.ts'))) {
    throw new Error(
      'The core has no entry: wasm/index.ts is missing. Restore it from the repository.',
    );
  }
  mkdirSync(join(root, 'build'), { recursive: true });
  return withLock(join(root, 'build/core.lock'), async () => {
    const key = currentKey();
    if (
      isFresh(
        stamp,
        key,
        outputs.map(({ file }) => file),
      )
    )
      return 'fresh';
    await run([join(root, 'tools/run-ts.mjs'), generator], 'The instruction generator failed');
    await Promise.all(
      outputs.map(async ({ target, file }) => {
        const draft = `${file}.draft`;
        await run(
          [
            join(root, 'node_modules/assemblyscript/bin/asc.js'),
            ...['--config', 'wasm/asconfig.json', '--target', target],
            ...['--outFile', draft],
          ],
          `The AssemblyScript compiler refused the core (${target} memory)`,
        );
        renameSync(draft, file);
      }),
    );
    writeFileSync(stamp, key);
    return 'built';
  });
}

/** @param {string[]} args @param {string} failure */
function run(args, failure) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
    child.on('error', fail);
    child.on('exit', (code) =>
      code === 0 ? done(undefined) : fail(new Error(`${failure}: see its messages above.`)),
    );
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const result = await buildCore();
    console.log(result === 'built' ? 'Core built: build/core.wasm' : 'Core is up to date.');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
