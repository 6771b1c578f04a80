/**
 * A static file server for the built page, with the headers that isolate it from other origins
 * (shared memory needs them). Node alone. Serves one folder to this machine, nothing above it.
 */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream';
import { Plain } from './shell.mjs';

/** @type {Record<string, string>} */
const types = {
  '.css': 'text/css; charset=utf-8',
  '.gz': 'application/gzip',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/**
 * @param {string} folder
 * @param {{ host?: string, port?: number, strict?: boolean }} [options] `strict`: that port or none
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function serve(folder, { host = '127.0.0.1', port = 5173, strict = false } = {}) {
  const server = createServer((request, response) => answer(folder, request, response));
  const last = strict ? port : port + 50;
  for (let candidate = port; candidate <= last; candidate += 1) {
    if (await listen(server, candidate, host)) {
      const address = server.address();
      const actual = typeof address === 'object' && address ? address.port : candidate;
      const name = host === '127.0.0.1' || host === '0.0.0.0' || host === '::' ? 'localhost' : host;
      return { url: `http://${name}:${actual}/`, close: () => server.close() };
    }
  }
  throw new Plain(
    strict
      ? `Port ${port} is taken. End the program that uses it, or name another with --port.`
      : `The ports ${port} to ${last} are all taken. Name a free one with --port.`,
  );
}

/**
 * @param {import('node:http').Server} server
 * @param {number} port
 * @param {string} host
 * @returns {Promise<boolean>} false when the port is taken
 */
function listen(server, port, host) {
  return new Promise((done, fail) => {
    const onError = (/** @type {NodeJS.ErrnoException} */ error) => {
      server.off('listening', onListening);
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') done(false);
      else fail(error);
    };
    const onListening = () => {
      server.off('error', onError);
      done(true);
    };
    server.once('error', onError).once('listening', onListening).listen(port, host);
  });
}

/**
 * @param {string} folder
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
function answer(folder, request, response) {
  const refuse = (/** @type {number} */ status, /** @type {string} */ text) =>
    response.writeHead(status, { ...isolationHeaders, 'Content-Type': types['.txt'] }).end(text);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(405, 'Only GET and HEAD are served here.\n');
    return;
  }
  let path;
  try {
    path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname));
  } catch {
    refuse(400, 'This address cannot be read.\n');
    return;
  }
  if (path.endsWith(sep)) path = join(path, 'index.html');
  const file = join(folder, path);
  const hidden = path.split(sep).some((part) => part.startsWith('.'));
  const stat = statSync(file, { throwIfNoEntry: false });
  if (hidden || !file.startsWith(folder + sep) || !stat?.isFile()) {
    refuse(404, `There is no ${path} here.\n`);
    return;
  }
  const tag = `"${stat.size.toString(36)}-${Math.round(stat.mtimeMs).toString(36)}"`;
  const headers = {
    ...isolationHeaders,
    'Content-Type': types[extname(file)] ?? 'application/octet-stream',
    'Cache-Control': path.startsWith('/assets/') ? 'max-age=31536000, immutable' : 'no-cache',
    ETag: tag,
  };
  if (request.headers['if-none-match'] === tag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, 'Content-Length': stat.size });
  if (request.method === 'HEAD') response.end();
  else pipeline(createReadStream(file), response, () => {});
}

/**
 * `--port N`, `--host NAME` and `--strict-port` of the programs that serve.
 * @param {string[]} argv
 */
export function serveOptions(argv) {
  /** @type {{ host?: string, port?: number, strict?: boolean }} */
  const options = {};
  for (let index = 0; index < argv.length; index += 1) {
    const option = argv[index];
    const value = argv[index + 1];
    if (option === '--strict-port') options.strict = true;
    else if (option === '--port' && /^\d{1,5}$/.test(value ?? '') && Number(value) < 65536) {
      options.port = Number(value);
      index += 1;
    } else if (option === '--host' && value) {
      options.host = value;
      index += 1;
    } else {
      throw new Plain(
        `The argument ${option} is not understood. There are: --port NUMBER, --host NAME, --strict-port.`,
      );
    }
  }
  return options;
}
