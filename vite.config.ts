/** The page's build and development server. */
import { createReadStream, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { workerAssets } from './tools/vite-worker.mjs';

/** Cross-origin isolation: shared memory between a VM and its helpers. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** Guest images are no part of the build: the development server reads them from their folder. */
function guestImages(): Plugin {
  return {
    name: 'guest-images',
    configureServer(server) {
      server.middlewares.use('/images', (request, response, next) => {
        const path = normalize(decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/'));
        const file = join(server.config.root, 'images', path);
        const stat = statSync(file, { throwIfNoEntry: false });
        if (!stat?.isFile()) {
          next();
          return;
        }
        response.setHeader('Content-Length', stat.size);
        createReadStream(file).pipe(response);
      });
    },
  };
}

/** The scripts that bring the page up are fetched beside the entry that imports them, not after. */
function preloadPage(): Plugin {
  const wanted = ['/src/ui/start.ts', '/src/ui/page.tsx'];
  return {
    name: 'preload-page',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const files = new Set<string>();
        for (const chunk of Object.values(bundle ?? {})) {
          const facade = chunk.type === 'chunk' ? chunk.facadeModuleId : undefined;
          if (chunk.type !== 'chunk' || !wanted.some((end) => facade?.endsWith(end))) continue;
          for (const file of [chunk.fileName, ...chunk.imports]) files.add(file);
        }
        return [...files]
          .filter((file) => !html.includes(file))
          .map((file) => ({
            tag: 'link',
            attrs: { rel: 'modulepreload', crossorigin: true, href: `./${file}` },
            injectTo: 'head' as const,
          }));
      },
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [react(), workerAssets(), guestImages(), preloadPage()],
  build: {
    target: 'es2023',
    chunkSizeWarningLimit: 900,
    // Where the build spends its time is for those who work on it, not for who starts the page.
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  server: { headers },
  preview: { headers },
});
