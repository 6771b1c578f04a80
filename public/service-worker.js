/**
 * The page's service worker. It does two things: it adds the headers of cross-origin isolation
 * where the host cannot send them, and it keeps the page's own files so that a second visit works
 * offline. Guest images are not its business: the page keeps and verifies them itself.
 */
const CACHE = 'tabvisor-page-1';

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return;
  const path = request.url.slice(self.registration.scope.length);
  if (path.startsWith('images/')) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (path.startsWith('assets/')) event.respondWith(asset(request));
  else event.respondWith(networkFirst(request));
});

// The page says so once it is up: keep all that belongs to this build, drop what older ones left.
self.addEventListener('message', (event) => {
  if (event.data === 'keep-for-offline') event.waitUntil(keepBuild());
});

async function keepBuild() {
  const response = await fetch(new URL('precache.json', self.registration.scope));
  if (!response.ok) return;
  const cache = await caches.open(CACHE);
  const wanted = new Set(
    (await response.json()).map((file) => new URL(file, self.registration.scope).href),
  );
  wanted.add(self.registration.scope);
  for (const request of await cache.keys()) {
    if (wanted.has(request.url)) wanted.delete(request.url);
    else await cache.delete(request);
  }
  await cache.addAll([...wanted]);
}

/** The page is the same document whatever its query says. */
async function page(request) {
  const response = await networkFirst(request, self.registration.scope);
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  return new Response(response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}

/** Names of built files contain their hash: a cached one is the right one. */
async function asset(request) {
  const cache = await caches.open(CACHE);
  const cached = await cache.match(request.url);
  if (cached !== undefined) return cached;
  const response = await fetch(request);
  if (response.ok) await cache.put(request.url, response.clone());
  return response;
}

async function networkFirst(request, key = request.url) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(key, response.clone());
    return response;
  } catch (error) {
    const cached = await cache.match(key);
    if (cached !== undefined) return cached;
    throw error;
  }
}
