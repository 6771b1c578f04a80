/**
 * `npm start`: from a fresh clone to a page that boots guests. Installs, makes and builds what is
 * missing or stale, serves dist/ and prints the URL. Node alone until npm's packages are there.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { main } from './lib/main.mjs';
import { serve, serveOptions } from './lib/serve.mjs';
import { ensureParts, ensureSite, publishImages, root, site } from './lib/setup.mjs';

await main(async () => {
  const options = serveOptions(process.argv.slice(2));
  await ensureParts();
  await ensureSite();
  const { url } = await serve(site, options);
  console.log(`\nTabvisor is at ${url} (Ctrl-C ends it). Boot a guest at once: ${url}?boot=micro`);
  makeDebian();
});

/**
 * Makes the template debian while the page is served already, when TABVISOR_DEBIAN is set: the page
 * cannot boot templates with disks yet, and making one keeps a processor busy for half an hour. How
 * far it is stands in images/progress.json, which is gone when nothing is being made.
 */
function makeDebian() {
  if (!process.env.TABVISOR_DEBIAN) return;
  const progress = join(site, 'images/progress.json');
  rmSync(progress, { force: true });
  const args = ['guests/build.mjs', 'make', '--progress', progress, 'guests/debian/recipe.json'];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  const end = () => child.kill();
  process.on('exit', end);
  child.on('exit', (code) => {
    process.off('exit', end);
    rmSync(progress, { force: true });
    if (code === 0) publishImages();
    else
      console.error(
        'The template debian could not be made; "npm run guests -- make guests/debian/recipe.json" tries again.',
      );
  });
}
