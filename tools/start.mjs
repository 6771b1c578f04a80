/**
 * `npm start`: from a fresh clone to a page that boots guests. Installs, makes and builds what is
 * missing or stale, serves dist/ and prints the URL. Node alone until npm's packages are there.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { filesUnder, fingerprint, isSource } from './lib/fingerprint.mjs';
import { main } from './lib/main.mjs';
import { serve, serveOptions } from './lib/serve.mjs';
import {
  ensureParts,
  ensureSite,
  nothingIsMade,
  progressFile,
  publishImages,
  root,
  site,
} from './lib/setup.mjs';

await main(async () => {
  const options = serveOptions(process.argv.slice(2));
  await ensureParts();
  await ensureSite();
  const { url } = await serve(site, options);
  console.log(`\nTabvisor is at ${url} (Ctrl-C ends it). Boot a guest at once: ${url}?boot=micro`);
  makeDebian();
});

/**
 * Makes the template debian while the page is served already, with the least claim to the processor;
 * TABVISOR_DEBIAN=no leaves it out. How far it is stands in images/progress.json.
 */
function makeDebian() {
  nothingIsMade();
  if (process.env.TABVISOR_DEBIAN === 'no') return;
  const stamp = join(root, 'images/debian/.sources');
  const key = debianKey();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  console.log(
    'The template debian is being made in the background: some twenty minutes the first time, ' +
      'and 170 MB of packages. TABVISOR_DEBIAN=no leaves it out.',
  );
  const args = [
    'guests/build.mjs',
    'make',
    '--progress',
    progressFile,
    'guests/debian/recipe.json',
  ];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  child.on('spawn', () => {
    try {
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    } catch {
      // Then it claims as much as others.
    }
  });
  const end = () => child.kill();
  process.on('exit', end);
  const failed = () =>
    console.error(
      'The template debian could not be made; "npm run guests -- make guests/debian/recipe.json" tries again.',
    );
  child.on('error', failed);
  child.on('exit', (code) => {
    process.off('exit', end);
    nothingIsMade();
    if (code !== 0) {
      failed();
      return;
    }
    writeFileSync(stamp, key);
    publishImages();
    console.log('The template debian is there: reload the page to see it.');
  });
}

/** What debian is made of, but for the packages themselves: as long as it is the same, so is debian. */
function debianKey() {
  const parts = ['guests', 'src/machine', 'src/core', 'wasm'];
  const files = parts.flatMap((part) =>
    filesUnder(join(root, part), (file) => isSource(file) && !/\/generated\/|\.md$/.test(file)),
  );
  return fingerprint(root, files);
}
