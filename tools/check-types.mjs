/**
 * Type-checks every layer with its own compiler options (each layer's tsconfig.json gives it only
 * the `lib` that exists where it runs). Relies on the references in the root's tsconfig.json.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** @type {{ references: { path: string }[] }} */
const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));

/** @param {string} project @returns {Promise<{ project: string, ok: boolean, output: string }>} */
function check(project) {
  return new Promise((done, fail) => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const child = spawn(process.execPath, [tsc, '-p', project, '--pretty', 'false'], { cwd: root });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', fail);
    child.on('close', (code) => {
      const empty = output.includes('error TS18003'); // a layer without files yet
      done({ project, ok: code === 0 || empty, output: empty ? '' : output });
    });
  });
}

const queue = references.map(({ path }) => path);
const results = await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    const mine = [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      mine.push(await check(next));
    }
    return mine;
  }),
);
// A file that two projects share is reported once.
const lines = new Set(results.flat().flatMap(({ output }) => output.split('\n').filter(Boolean)));
for (const line of lines) console.error(line);
const failed = results.flat().filter(({ ok }) => !ok);
if (failed.length > 0) {
  console.error(`Types do not hold in: ${failed.map(({ project }) => project).join(', ')}.`);
  process.exit(1);
}
console.log(`Types hold in ${results.flat().length} projects.`);
