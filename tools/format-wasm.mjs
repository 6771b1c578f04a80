/**
 * Formats the AssemblyScript sources, or with `--check` only compares. Biome's parser knows no
 * decorators on functions (`@inline`), so they travel through it as comments.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesUnder, isSource } from './lib/fingerprint.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
const onlyCheck = process.argv.includes('--check');

const files = filesUnder(
  join(root, 'wasm'),
  (file) => file.endsWith('.ts') && isSource(file) && !file.includes('/generated/'),
);
const wrong = [];
for (const file of files) {
  const source = readFileSync(file, 'utf8');
  const veiled = source.replace(/^([ \t]*)@(\w+(?:\(.*\))?)[ \t]*$/gm, '$1//@@$2');
  // The name lies outside wasm/, which biome.json keeps Biome away from.
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [biome, 'format', '--stdin-file-path=tools/assembly-script.ts'],
    { cwd: root, input: veiled, encoding: 'utf8' },
  );
  const name = relative(root, file);
  if (status !== 0) {
    console.error(`${name} cannot be parsed:\n${stderr}`);
    process.exit(1);
  }
  const formatted = stdout.replace(/^([ \t]*)\/\/@@(.*)$/gm, '$1@$2');
  if (formatted === source) continue;
  wrong.push(name);
  if (!onlyCheck) writeFileSync(file, formatted);
}
if (onlyCheck && wrong.length > 0) {
  console.error(`Not formatted (run \`npm run format\`): ${wrong.join(', ')}`);
  process.exit(1);
}
console.log(
  onlyCheck
    ? `${files.length} AssemblyScript files are formatted.`
    : `${wrong.length} of ${files.length} AssemblyScript files changed.`,
);
