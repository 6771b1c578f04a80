/**
 * Runs one TypeScript program in Node, which cannot read TypeScript by itself at version 20:
 * `node tools/run-ts.mjs FILE.ts [ARGUMENT…]`. Relies on rolldown; bundles the file and everything
 * it imports from the repository (packages stay outside) into build/tools, then imports the result
 * in this very process, so signals, stdin and the exit code are the program's own. `import.meta.url`
 * keeps naming each source file, and `process.argv` looks as if the source had been started.
 */
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, renameSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Bundles `file` and returns the path of the JavaScript made from it. @param {string} file */
export async function bundleForNode(file) {
  const { rolldown } = await import('rolldown');
  const key = createHash('sha256').update(file).digest('hex').slice(0, 8);
  const output = join(
    root,
    'build/tools',
    `${basename(file).replace(/\.[cm]?tsx?$/, '')}-${key}.mjs`,
  );
  const bundle = await rolldown({
    input: file,
    platform: 'node',
    external: /^(?![./]|\0)/,
    plugins: [sourceUrls()],
    logLevel: 'warn',
  });
  // Under a name of its own first: two runs of the same program must not see half a file.
  const draft = `${output}.${process.pid}`;
  await bundle.write({ file: draft, format: 'esm', sourcemap: 'inline', codeSplitting: false });
  await bundle.close();
  renameSync(draft, output);
  return output;
}

/** Makes `import.meta.url` in a bundled module name its source. @returns {import('rolldown').Plugin} */
function sourceUrls() {
  return {
    name: 'source-urls',
    transform(code, id) {
      if (!code.includes('import.meta.url') || !existsSync(id)) return null;
      return {
        code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)),
        map: null, // a change inside lines: the existing map stays good enough
      };
    },
  };
}

const invoked = process.argv[1];
if (invoked !== undefined && realpathSync(invoked) === fileURLToPath(import.meta.url)) {
  const file = process.argv[2];
  if (file === undefined || !existsSync(file)) {
    console.error(
      file === undefined
        ? 'No program was named. Say: node tools/run-ts.mjs FILE.ts [ARGUMENT…]'
        : `The program ${file} does not exist. Check the path.`,
    );
    process.exit(2);
  }
  const source = resolve(file);
  const program = await bundleForNode(source);
  process.argv.splice(1, 2, source);
  await import(pathToFileURL(program).href);
}
