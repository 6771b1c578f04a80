/**
 * `npm start`: from a fresh clone to a page that boots guests. Installs, makes and builds what is
 * missing or stale, serves dist/ and prints the URL. Node alone until npm's packages are there.
 */
import { main } from './lib/main.mjs';
import { serve, serveOptions } from './lib/serve.mjs';
import { ensureParts, ensureSite, site } from './lib/setup.mjs';

await main(async () => {
  const options = serveOptions(process.argv.slice(2));
  await ensureParts();
  await ensureSite();
  const { url } = await serve(site, options);
  console.log(`\nTabvisor is at ${url} (Ctrl-C ends it). Boot a guest at once: ${url}?boot=micro`);
});
