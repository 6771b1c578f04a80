/** What goes wrong has a sentence and one action. */
import { expect, test } from '@playwright/test';
import { expectOutput, expectShell, shownState, typeLine } from './support/page.ts';
import { serveSite } from './support/static-server.ts';

test.use({ serviceWorkers: 'block' });

test('a download that fails is told and can be tried again', async ({ page }) => {
  await page.route('**/kernel.gz', (route) => route.abort());
  await page.goto('./?boot=micro&cold');
  await expect(shownState(page)).toHaveText('Failed');
  await expect(page.getByRole('alert')).toContainText('kernel.gz could not be downloaded');
  await page.unroute('**/kernel.gz');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expectShell(page);
});

test('an image that is not what its manifest says is refused', async ({ page }) => {
  await page.route('**/initrd.gz', async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    await route.fulfill({ response, body });
  });
  await page.goto('./?boot=micro&cold');
  await expect(shownState(page)).toHaveText('Failed');
  await expect(page.getByRole('alert')).toContainText(/initrd/);
});

test('a server that answers with an error is named', async ({ page }) => {
  await page.route('**/micro/manifest.json', (route) => route.fulfill({ status: 503, body: '' }));
  await page.goto('./?boot=micro');
  await expect(page.getByRole('alert')).toContainText('the server answered 503');
});

test('without the list of templates the page says so and tries again', async ({ page }) => {
  await page.route('**/images/index.json', (route) => route.abort());
  await page.goto('./');
  await expect(page.getByRole('alert')).toContainText('index.json could not be downloaded');
  await page.unroute('**/images/index.json');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
});

test('a list of templates that is no such list is refused', async ({ page }) => {
  await page.route('**/images/index.json', (route) =>
    route.fulfill({ json: { format: 1, templates: [{ name: '../../x' }] } }),
  );
  await page.goto('./');
  await expect(page.getByRole('alert')).toContainText('does not fit its schema');
});

test('without cross-origin isolation the page says so, and VMs run with plain memory', async ({
  page,
}) => {
  const server = await serveSite({ isolated: false });
  try {
    await page.goto(server.url);
    await expect(page.getByText('This page is not cross-origin isolated')).toBeVisible();
    await page.getByRole('button', { name: 'Boot micro' }).click();
    await expectShell(page);
    await page.getByRole('button', { name: 'Continue without' }).click();
    await expect(page.getByText('This page is not cross-origin isolated')).toBeHidden();
  } finally {
    await server.close();
  }
});

test('a browser without what is needed is told what, and who has it', async ({ page }) => {
  await page.addInitScript(() => {
    // biome-ignore lint/suspicious/noExplicitAny: a global is taken away on purpose
    delete (globalThis as any).DecompressionStream;
  });
  await page.goto('./');
  const message = page.getByRole('alert');
  await expect(message).toContainText('DecompressionStream');
  await expect(message).toContainText('Chrome 80, Firefox 113, Safari 16.4');
  await expect(page.getByRole('button', { name: 'Check again' })).toBeVisible();
});

test('where a frame cannot hold a worker the VM runs in a plain one, and the page says so', async ({
  page,
}) => {
  await page.addInitScript(() => {
    if (location.href === 'about:srcdoc') Reflect.deleteProperty(globalThis, 'Worker');
  });
  await page.goto('./');
  await page.getByRole('button', { name: 'Boot micro' }).click();
  await expectShell(page);
  await expect(page.locator('.isolation')).toContainText('Less isolated');
  await expect(page.locator('.vm-frame')).toHaveCount(0);
});

/** Has the engine accept what it accepted before it knew tail calls and vectors. */
const OLDER_ENGINE = `{
  const validate = WebAssembly.validate;
  WebAssembly.validate = (module) => {
    // Probes are small: return_call, and the prefix of vector instructions.
    const bytes = new Uint8Array(module);
    return !(bytes.length < 200 && (bytes.includes(0x12) || bytes.includes(0xfd))) && validate(module);
  };
}`;

test('without tail calls and SIMD guests run, slower, and the page says so', async ({ page }) => {
  await page.addInitScript(OLDER_ENGINE);
  let replaced = 0;
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch();
    replaced++;
    await route.fulfill({ response, body: `${OLDER_ENGINE}\n${await response.text()}` });
  });
  await page.goto('./?boot=micro');
  const notice = page.locator('.notice', { hasText: 'runs slower' });
  await expect(notice).toContainText('no WebAssembly tail calls');
  await expect(notice).toContainText('no WebAssembly relaxed SIMD');
  await expect(notice).toContainText('Chrome 112, Firefox 121, Safari 18.2');
  await expectShell(page);
  expect(replaced).toBeGreaterThan(0);
  await typeLine(page, "awk 'BEGIN { for (i = 0; i < 100000; i++) s += i / 7; print int(s) }'");
  await expectOutput(page, /^714278571$/m);
  await notice.getByRole('button', { name: 'Got it' }).click();
  await expect(notice).toBeHidden();
  await page.reload();
  await expectShell(page);
  await expect(notice).toBeHidden();
});

test('a browser with all of it hears nothing of it', async ({ page }) => {
  await page.goto('./');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  await expect(page.locator('.notice')).toHaveCount(0);
});
