/** `npm run build`: the static site in dist/, guest images included, for any static host. */
import { relative } from 'node:path';
import { main } from './lib/main.mjs';
import { ensureParts, ensureSite, site } from './lib/setup.mjs';

await main(async () => {
  await ensureParts();
  await ensureSite();
  console.log(
    `The site is in ${relative(process.cwd(), site) || '.'}: any static host can serve it.`,
  );
});
