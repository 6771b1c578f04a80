/**
 * `npm run dev`: vite's server with hot reload, for work on the page. The core is built again when
 * its sources change; reload the page to start guests on it.
 */
import { watch } from 'node:fs';
import { join } from 'node:path';
import { main } from './lib/main.mjs';
import { ensureParts, root } from './lib/setup.mjs';
import { run } from './lib/shell.mjs';

await main(async () => {
  await ensureParts();
  const { buildCore } = await import('./build-core.mjs');
  /** @type {NodeJS.Timeout | undefined} */
  let pending;
  for (const part of ['wasm', 'src/isa', 'src/core', 'tools/generate']) {
    watch(join(root, part), { recursive: true }, (_, name) => {
      if (name?.startsWith('generated')) return;
      clearTimeout(pending);
      pending = setTimeout(() => {
        buildCore().then(
          (result) => result === 'built' && console.log('Built the CPU core again.'),
          (error) => console.error(String(error)),
        );
      }, 300);
    });
  }
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const ok = await run(process.execPath, [vite, ...process.argv.slice(2)], { cwd: root });
  process.exit(ok ? 0 : 1);
});
