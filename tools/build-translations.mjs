/**
 * Builds the library of translations made ahead of time (tools/translations/record.ts) when it is
 * missing or stale: build/translations.wasm and build/translations-shared.wasm, each also
 * compressed for the page. Relies on npm packages, guest images and the core.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { filesUnder, fingerprint, isFresh, isSource } from './lib/fingerprint.mjs';
import { withLock } from './lib/lock.mjs';
import { Plain, run } from './lib/shell.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const recorder = join(root, 'tools/translations/record.ts');
const stamp = join(root, 'build/translations.stamp');
const modules = ['translations.wasm', 'translations-shared.wasm'].map((name) =>
  join(root, 'build', name),
);
const outputs = modules.flatMap((file) => [file, `${file}.gz`]);

/** What translated code is made of and relies on; another kernel only finds less of its own. */
function currentKey() {
  const files = ['src/core', 'src/isa', 'src/translator', 'wasm', 'tools/translations'].flatMap(
    (part) =>
      filesUnder(join(root, part), (file) => isSource(file) && !file.includes('generated/')),
  );
  return fingerprint(root, [...files, fileURLToPath(import.meta.url)]);
}

/** Removes a library that the sources have outrun: nobody may load it. */
export function dropStaleTranslations() {
  if (isFresh(stamp, currentKey(), outputs)) return;
  for (const file of [stamp, ...outputs]) rmSync(file, { force: true });
}

/** Builds the library when it is stale. @returns {Promise<'built' | 'fresh'>} */
export async function buildTranslations() {
  return withLock(join(root, 'build/translations.lock'), async () => {
    const key = currentKey();
    if (isFresh(stamp, key, outputs)) return 'fresh';
    rmSync(stamp, { force: true });
    const ran = await run(process.execPath, [join(root, 'tools/run-ts.mjs'), recorder], {
      cwd: root,
    });
    if (!ran) throw new Plain('The kernel could not be translated ahead of time: see above.');
    for (const file of modules) writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)));
    writeFileSync(stamp, key);
    return 'built';
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await buildTranslations());
