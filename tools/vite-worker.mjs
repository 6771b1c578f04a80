/**
 * Vite plugin: the VM worker as one bundled script and the CPU core's two builds as files of the
 * site, under the names that `virtual:worker-assets` gives the page. A worker in a frame of opaque
 * origin can import nothing, hence the single script. In development both are made anew when asked
 * for; in a build they get hashed names, and `precache.json` lists what the service worker keeps.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** What the page is given the addresses of, by their names there. */
const FILES = { worker: 'worker.js', core: 'core.wasm', coreShared: 'core-shared.wasm' };
const TRANSLATIONS = {
  translations: 'translations.wasm.gz',
  translationsShared: 'translations-shared.wasm.gz',
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

/** @param {string} root @param {string} name */
function readCore(root, name) {
  try {
    return readFileSync(resolve(root, 'build', name));
  } catch {
    throw new Error(`build/${name} is missing. Build the CPU core first: npm run build:core`);
  }
}

/** Translations made ahead of time, compressed, where they have been built. @param {string} root @param {string} name */
function readTranslations(root, name) {
  const file = resolve(root, 'build', name);
  return existsSync(file) ? readFileSync(file) : undefined;
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
      references = {
        worker: this.emitFile({
          type: 'asset',
          name: 'worker.js',
          source: await bundleWorker(root),
        }),
        core: this.emitFile({
          type: 'asset',
          name: 'core.wasm',
          source: readCore(root, 'core.wasm'),
        }),
        coreShared: this.emitFile({
          type: 'asset',
          name: 'core-shared.wasm',
          source: readCore(root, 'core-shared.wasm'),
        }),
      };
      for (const [key, name] of Object.entries(TRANSLATIONS)) {
        const source = readTranslations(root, name);
        if (source) references[key] = this.emitFile({ type: 'asset', name, source });
      }
    },
    resolveId: (id) => (id === ID ? RESOLVED : undefined),
    load(id) {
      if (id !== RESOLVED) return undefined;
      if (!building) {
        const paths = Object.entries({ ...FILES, ...TRANSLATIONS });
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
          const path = request.url?.split('?')[0];
          if (path === '/@worker.js') {
            response.setHeader('Content-Type', 'text/javascript');
            response.end(await bundleWorker(root));
          } else if (path === '/@core.wasm' || path === '/@core-shared.wasm') {
            response.setHeader('Content-Type', 'application/wasm');
            response.end(readCore(root, path.slice(2)));
          } else if (path && Object.values(TRANSLATIONS).includes(path.slice(2))) {
            const source = readTranslations(root, path.slice(2));
            if (!source) response.statusCode = 404;
            response.end(source);
          } else next();
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
    generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter((name) => name.startsWith('assets/'));
      this.emitFile({
        type: 'asset',
        fileName: 'precache.json',
        source: JSON.stringify([...files.sort(), 'theme.js', 'icon.svg', 'site.webmanifest']),
      });
    },
  };
}
