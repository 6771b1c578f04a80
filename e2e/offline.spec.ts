/** A static host that sends no headers: the service worker isolates the page, and later replaces the host. */
import { expect, test } from '@playwright/test';
import { expectOutput, expectShell, typeLine } from './support/page.ts';
import { serveSite } from './support/static-server.ts';

test('on a plain static host the page isolates itself, and works offline the second time', async ({
  page,
}) => {
  const server = await serveSite({ isolated: false });
  await page.goto(`${server.url}?boot=micro`);
  await expectShell(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(page.locator('.isolation')).toHaveText('Isolated');
  // What a reset boots comes later, and is kept too.
  await expect
    .poll(() =>
      page.evaluate(async () => {
        const kept = await (await caches.open('tabvisor-images-1')).keys();
        return ['kernel', 'initrd'].every((name) => kept.some(({ url }) => url.includes(name)));
      }),
    )
    .toBe(true);
  // Everything that belongs to the build is kept before the host goes away.
  await expect
    .poll(() =>
      page.evaluate(async () => {
        const kept = await caches.open('tabvisor-page-1');
        const files: string[] = await (await fetch('precache.json')).json();
        const found = await Promise.all(files.map((file) => kept.match(file)));
        return found.every((response) => response !== undefined);
      }),
    )
    .toBe(true);
  page.on('dialog', (dialog) => void dialog.accept());
  await server.close();

  await page.goto(`${server.url}?boot=micro`);
  await expectShell(page);
  await typeLine(page, 'echo snapshot-$((8 + 1))');
  await expectOutput(page, /^snapshot-9$/m);
  await page.goto(`${server.url}?boot=micro&cold`);
  await expectShell(page);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await typeLine(page, 'echo offline-$((8 + 1))');
  await expectOutput(page, /^offline-9$/m);
});
