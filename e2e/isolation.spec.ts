/**
 * A worker that was fully taken over gets nothing. The worker's script is replaced by one that
 * tries every way out that a worker has; the site's own server and one outside count what reaches
 * them, and the page's storage is compared before and after.
 */
import { expect, type Page, test } from '@playwright/test';
import { expectOutput, output, shownState } from './support/page.ts';
import { type StaticServer, serveSite } from './support/static-server.ts';

test.use({ serviceWorkers: 'block' });

let site: StaticServer;
let outside: StaticServer;

test.beforeEach(async () => {
  site = await serveSite({ isolated: true });
  outside = await serveSite({ isolated: false });
});

test.afterEach(async () => {
  await site.close();
  await outside.close();
});

/** Runs in the worker instead of the machine. `targets` are the addresses that it tries to reach. */
function attack(targets: string[]): void {
  const report = (port: MessagePort, text: string) =>
    port.postMessage({
      type: 'output',
      source: 'hvc',
      data: new TextEncoder().encode(`${text}\r\n`),
    });
  const attempts: Record<string, (url: string) => unknown> = {
    fetch: (url) => fetch(`${url}attack-fetch`),
    'fetch no-cors': (url) => fetch(`${url}attack-no-cors`, { mode: 'no-cors' }),
    'fetch keepalive': (url) =>
      fetch(`${url}attack-keepalive`, { method: 'POST', mode: 'no-cors', keepalive: true }),
    xhr: (url) =>
      new Promise((done, fail) => {
        const request = new XMLHttpRequest();
        request.open('GET', `${url}attack-xhr`);
        request.onload = done;
        request.onerror = () => fail(new Error('blocked'));
        request.send();
      }),
    websocket: (url) =>
      new Promise((done, fail) => {
        const socket = new WebSocket(`${url.replace('http', 'ws')}attack-websocket`);
        socket.onopen = done;
        socket.onerror = () => fail(new Error('blocked'));
      }),
    eventsource: (url) =>
      new Promise((done, fail) => {
        const source = new EventSource(`${url}attack-eventsource`);
        source.onopen = done;
        source.onerror = () => fail(new Error('blocked'));
      }),
    importScripts: (url) =>
      (globalThis as unknown as { importScripts(url: string): void }).importScripts(
        `${url}attack-import-scripts`,
      ),
    'dynamic import': (url) => import(/* @vite-ignore */ `${url}attack-import`),
    'nested worker': (url) =>
      new Promise((done, fail) => {
        const worker = new Worker(`${url}attack-nested-worker`);
        worker.onmessage = done;
        worker.onerror = () => fail(new Error('blocked'));
      }),
    'nested blob worker': (url) =>
      new Promise((done, fail) => {
        const source = `fetch('${url}attack-nested-fetch', { mode: 'no-cors' }).then(() => postMessage(true), () => postMessage(false))`;
        const worker = new Worker(URL.createObjectURL(new Blob([source])));
        worker.onmessage = ({ data }) => (data ? done(0) : fail(new Error('blocked')));
        worker.onerror = () => fail(new Error('blocked'));
      }),
    navigation: (url) => {
      // Workers have no navigation; whoever took one over would try all the same.
      (globalThis as unknown as { location: string }).location = `${url}attack-navigation`;
      (globalThis as unknown as { open(url: string): void }).open(`${url}attack-open`);
    },
    'message to the frame': () =>
      globalThis.postMessage({ source: 'location="about:blank"', name: 'x', vm: {} }),
    beacon: (url) => {
      if (!navigator.sendBeacon(`${url}attack-beacon`)) throw new Error('blocked');
    },
    indexeddb: () =>
      new Promise((done, fail) => {
        const open = indexedDB.open('attack');
        open.onsuccess = done;
        open.onerror = () => fail(open.error);
      }),
    opfs: async () => {
      const root = await navigator.storage.getDirectory();
      await root.getFileHandle('attack', { create: true });
    },
    caches: async () => (await caches.open('attack')).put('/attack', new Response('x')),
    localstorage: () => localStorage.setItem('attack', 'x'),
    'service worker': (url) => navigator.serviceWorker.register(`${url}attack-service-worker`),
    cookie: () => {
      Reflect.set(document, 'cookie', 'attack=1');
    },
    broadcastchannel: () => {
      const channel = new BroadcastChannel('attack');
      channel.postMessage('attack');
    },
    eval: () => new Function('return 1')(),
  };
  globalThis.onmessage = async (
    event: MessageEvent<{ control: MessagePort; stream: MessagePort }>,
  ) => {
    const { stream } = event.data;
    for (const [name, attempt] of Object.entries(attempts)) {
      for (const url of targets) {
        const verdict = await Promise.race([
          (async () => attempt(url))().then(
            () => 'went through',
            () => 'refused',
          ),
          new Promise<string>((done) => setTimeout(() => done('no answer'), 1500)),
        ]);
        report(stream, `${name} ${verdict}`);
      }
    }
    report(stream, `origin ${globalThis.origin} isolated ${globalThis.crossOriginIsolated}`);
    report(stream, 'attack over');
  };
}

/** What the page itself remembers meanwhile: what the host is like. */
const OWN_KEY = 'tabvisor.host';

/** All that the page's origin stores, as text. */
function storage(page: Page): Promise<string> {
  return page.evaluate(async (ownKey) => {
    const files: string[] = [];
    const root = await navigator.storage.getDirectory();
    for await (const name of root.keys()) files.push(name);
    return JSON.stringify({
      local: Object.entries(localStorage).filter(([key]) => key !== ownKey),
      // Which consoles are open.
      session: Object.entries(sessionStorage).filter(([key]) => key !== 'tabvisor.layout'),
      cookies: document.cookie,
      databases: await indexedDB.databases(),
      caches: (await caches.keys()).filter((name) => !name.startsWith('tabvisor-images')),
      files,
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    });
  }, OWN_KEY);
}

async function replaceWorker(page: Page, source: string): Promise<void> {
  await page.route('**/assets/worker-*.js', (route) =>
    route.fulfill({ contentType: 'text/javascript', body: source }),
  );
}

test('a worker that was taken over reaches no server, no storage and no page', async ({ page }) => {
  const targets = [outside.url, site.url];
  await replaceWorker(page, `(${attack.toString()})(${JSON.stringify(targets)})`);
  await page.goto(site.url);
  await page.evaluate(() => {
    localStorage.setItem('mark', 'untouched');
    const heard: unknown[] = [];
    Object.assign(globalThis, { heard });
    new BroadcastChannel('attack').onmessage = ({ data }) => heard.push(data);
  });
  const before = await storage(page);
  await page.getByRole('button', { name: 'Boot micro' }).click();
  await expectOutput(page, /attack over/);

  const verdicts = await output(page);
  // These reach nobody: a channel and a message within an origin that nobody else has.
  const harmless = /^(broadcastchannel|message to the frame) went through$/;
  const through = verdicts
    .split('\n')
    .filter((line) => / went through$/.test(line) && !harmless.test(line));
  expect(through).toEqual([]);
  expect(verdicts).toContain('origin null isolated true');

  const reached = [...outside.requests, ...site.requests].filter((url) => url.includes('attack'));
  expect(reached).toEqual([]);
  expect(await storage(page)).toBe(before);
  expect(await page.evaluate(() => (globalThis as unknown as { heard: unknown[] }).heard)).toEqual(
    [],
  );
  expect(page.url()).toBe(`${site.url}?boot=micro#/vm/1`);
  expect(page.frames().map((frame) => frame.url())).toEqual([page.url(), 'about:srcdoc']);
});

const RULE_BREAKERS: Record<string, string> = {
  'an unknown message': `stream.postMessage({ type: 'exfiltrate', data: 'x' })`,
  'console output of a wrong type': `stream.postMessage({ type: 'output', source: 'hvc', data: 'text' })`,
  'a chunk that is too long': `stream.postMessage({ type: 'output', source: 'hvc', data: new Uint8Array(1 << 20) })`,
  'output beyond the window': `for (let i = 0; i < 64; i++) stream.postMessage({ type: 'output', source: 'hvc', data: new Uint8Array(32768) })`,
  'a port': `stream.postMessage({ type: 'state', state: { kind: 'running' } }, [new MessageChannel().port1])`,
  'a reply that is no reply': `const p = new MessageChannel().port1; control.postMessage({ id: '1', type: 'HANDLER', name: 'proxy', value: p }, [p])`,
  'a flood of messages': `for (let i = 0; i < 20000; i++) stream.postMessage({ type: 'state', state: { kind: 'running' } })`,
};

for (const [what, code] of Object.entries(RULE_BREAKERS)) {
  test(`a worker that sends ${what} is stopped, and the page goes on`, async ({ page }) => {
    await replaceWorker(
      page,
      `onmessage = ({ data: { control, stream } }) => { control.start(); stream.start(); ${code}; };`,
    );
    await page.goto(site.url);
    await page.getByRole('button', { name: 'Boot micro' }).click();
    await expect(shownState(page)).toHaveText('Crashed');
    await expect(page.locator('.console .notice')).toContainText('The VM was stopped');
    await expect(page.locator('.vm-frame')).toHaveCount(0);
    await page.getByRole('button', { name: 'New VM' }).click();
    await expect(page.getByRole('dialog', { name: 'New VM' })).toBeVisible();
  });
}
