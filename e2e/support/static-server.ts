/**
 * A plain static host for tests: files of the built site and the guest images as any host would
 * serve them, without the headers of cross-origin isolation unless asked. It remembers what was
 * asked of it.
 */
import { createReadStream, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

export interface StaticServer {
  readonly url: string;
  /** Paths that were asked for, queries included. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function serveSite(
  options: { site?: string; images?: string; isolated?: boolean } = {},
): Promise<StaticServer> {
  const site = resolve(options.site ?? process.env.TABVISOR_SITE ?? 'dist');
  const images = resolve(options.images ?? 'images');
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const url = request.url ?? '/';
    requests.push(url);
    let path = normalize(decodeURIComponent(url.split('?')[0] ?? '/'));
    if (path.endsWith('/')) path += 'index.html';
    const file = path.startsWith('/images/')
      ? join(images, path.slice('/images/'.length))
      : join(site, path);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) {
      response.writeHead(404, { 'Access-Control-Allow-Origin': '*' }).end('not here');
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': stat.size,
      ...(options.isolated ? ISOLATION : {}),
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return {
    url: `http://localhost:${address.port}/`,
    requests,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
