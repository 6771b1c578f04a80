/** The server isolates the page, serves its folder and nothing above or hidden. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serve, serveOptions } from './serve.mjs';

let parent: string;
let server: { url: string; close: () => void };
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'serve-'));
  mkdirSync(join(parent, 'site/assets'), { recursive: true });
  writeFileSync(join(parent, 'secret.txt'), 'classified');
  writeFileSync(join(parent, 'site/index.html'), '<p>page</p>');
  writeFileSync(join(parent, 'site/assets/a b.js'), 'code');
  writeFileSync(join(parent, 'site/.stamp'), 'hidden');
  server = await serve(join(parent, 'site'), { port: 38_200 });
});
afterAll(() => {
  server.close();
  rmSync(parent, { recursive: true });
});

/** The path exactly as given, which fetch would tidy first. */
function get(path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (done, fail) => {
      const { hostname, port } = new URL(server.url);
      request({ hostname, port, path, ...options }, (response) => {
        let body = '';
        response.on('data', (data) => {
          body += data;
        });
        response.on('end', () =>
          done({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      })
        .on('error', fail)
        .end();
    },
  );
}

test('files come with the headers of isolation', async () => {
  const { status, headers, body } = await get('/?boot=micro');
  expect([status, body]).toEqual([200, '<p>page</p>']);
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect((await get('/assets/a%20b.js')).headers['content-type']).toContain('text/javascript');
});

test('an unchanged file is not sent again', async () => {
  const { headers } = await get('/index.html');
  const again = await get('/index.html', { headers: { 'if-none-match': String(headers.etag) } });
  expect([again.status, again.body]).toEqual([304, '']);
});

test.each([
  '/../secret.txt',
  '/%2e%2e/secret.txt',
  '/assets/../../secret.txt',
  '/.stamp',
  '/assets',
  '/none',
])('%s is not served', async (path) => {
  const { status, body } = await get(path);
  expect(status).toBe(404);
  expect(body).not.toContain('classified');
});

test('what is no address or no reading is refused', async () => {
  expect((await get('/%zz')).status).toBe(400);
  expect((await get('/', { method: 'POST' })).status).toBe(405);
  expect((await get('/', { method: 'HEAD' })).body).toBe('');
});

test('a taken port leads to the next one, or to a sentence', async () => {
  const port = Number(new URL(server.url).port);
  const next = await serve(join(parent, 'site'), { port });
  expect(Number(new URL(next.url).port)).toBeGreaterThan(port);
  next.close();
  await expect(serve(parent, { port, strict: true })).rejects.toThrow(/Port \d+ is taken/);
});

test('options are checked', () => {
  expect(serveOptions(['--port', '8080', '--host', '0.0.0.0'])).toEqual({
    port: 8080,
    host: '0.0.0.0',
  });
  expect(() => serveOptions(['--port', 'x'])).toThrow(/--port is not understood/);
});
