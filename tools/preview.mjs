/** `npm run preview`: serves what `npm run build` made, without making anything. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { main } from './lib/main.mjs';
import { serve, serveOptions } from './lib/serve.mjs';
import { site } from './lib/setup.mjs';
import { Plain } from './lib/shell.mjs';

await main(async () => {
  const options = serveOptions(process.argv.slice(2));
  if (!existsSync(join(site, 'index.html'))) {
    throw new Plain('There is no built site in dist/. Build it first: npm run build');
  }
  const { url } = await serve(site, options);
  console.log(`The built site is at ${url} (Ctrl-C ends it).`);
});
