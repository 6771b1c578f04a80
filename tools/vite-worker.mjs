/**
 * Vite plugin: the VM worker as one bundled script and the CPU core's two builds as files of the
 * site, under the names that `virtual:worker-assets` gives the page. A worker in a frame of opaque
 * origin can import nothing, hence the single script. In development both are made anew when asked
 * for; in a build they get hashed names, and `precache.json` lists what the service worker keeps.
 */
import { existsSync, readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** What the page is given the addresses of, by their names there. */
const ASSETS = {
  worker: 'worker.js',
  core: 'core.wasm',
  coreShared: 'core-shared.wasm',
  translations: 'translations.wasm.gz',
  translationsShared: 'translations-shared.wasm.gz',
};
/** @type {Record<string, string>} */
const TYPES = {
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
  '.gz': 'application/gzip',
};
const ID = 'virtual:worker-assets';
const RESOLVED = `\0${ID}`;

/** @param {string} root @returns {Promise<string>} */
async function bundleWorker(root) {
  const bundle = await rolldown({
    input: resolve(root, 'src/worker/main.ts'),
    platform: 'browser',
    cwd: root,
  });
  const { output } = await bundle.generate({ format: 'iife', minify: true });
  await bundle.close();
  if (output.length !== 1)
    throw new Error('The VM worker must be one script: remove its dynamic imports.');
  return output[0].code;
}

/**
 * An asset's content; undefined for translations made ahead of time where none have been built.
 * @param {string} root @param {string} name
 */
async function sourceOf(root, name) {
  if (name === ASSETS.worker) return bundleWorker(root);
  const file = resolve(root, 'build', name);
  if (existsSync(file)) return readFileSync(file);
  if (name.startsWith('translations')) return undefined;
  throw new Error(`build/${name} is missing. Build the CPU core first: npm run build:core`);
}

/** @returns {import('vite').Plugin} */
export function workerAssets() {
  let root = process.cwd();
  let building = false;
  /** @type {Record<string, string>} */
  let references;
  return {
    name: 'worker-assets',
    configResolved(config) {
      root = config.root;
      building = config.command === 'build';
    },
    async buildStart() {
      if (!building) return;
      references = {};
      for (const [key, name] of Object.entries(ASSETS)) {
        const source = await sourceOf(root, name);
        if (source) references[key] = this.emitFile({ type: 'asset', name, source });
      }
    },
    resolveId: (id) => (id === ID ? RESOLVED : undefined),
    load(id) {
      if (id !== RESOLVED) return undefined;
      if (!building) {
        const paths = Object.entries(ASSETS);
        return `export default { ${paths.map(([key, name]) => `${key}: '/@${name}'`).join(', ')} };`;
      }
      const entries = Object.entries(references).map(
        ([name, reference]) => `${name}: import.meta.ROLLUP_FILE_URL_${reference}`,
      );
      return `export default { ${entries.join(', ')} };`;
    },
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        try {
          const name = /^\/@([^/?]+)/.exec(request.url ?? '')?.[1] ?? '';
          const type = TYPES[extname(name)];
          if (!Object.values(ASSETS).includes(name) || !type) return next();
          const source = await sourceOf(root, name);
          if (source === undefined) response.statusCode = 404;
          response.setHeader('Content-Type', type);
          response.end(source);
        } catch (error) {
          next(error);
        }
      });
    },
    // Hot reload needs inline scripts and a web socket: the page's policy is for built pages.
    transformIndexHtml: {
      order: 'pre',
      handler: (html) =>
        building ? html : html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ''),
    },
    // Last: chunks that held nothing but styles are gone by then.
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const files = Object.keys(bundle).filter((name) => name.startsWith('assets/'));
        this.emitFile({
          type: 'asset',
          fileName: 'precache.json',
          source: JSON.stringify([...files.sort(), 'theme.js', 'icon.svg', 'site.webmanifest']),
        });
      },
    },
  };
}
