/**
 * Looking after storage, by the buttons that a person has for it: a snapshot that is given up while it
 * is taken, what no machine has any more, and the notice of a storage that is nearly full.
 */
import { writeFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { boot, expectOutput, showView, typeLine } from './support/page.ts';

function dock(page: Page, text: RegExp) {
  return page.getByRole('region', { name: 'Tasks' }).filter({ hasText: text });
}

/** From the console of a VM. */
async function takeSnapshot(page: Page): Promise<void> {
  await page.keyboard.press('F6');
  await page.keyboard.press('t');
  await page.getByRole('button', { name: 'Take the snapshot' }).click();
  await expect(dock(page, /The guest stood still for [\d.]+ ms/)).toBeVisible();
}

/** Presses a button as soon as it is there: what it ends may be over before a person is. */
function pressWhenThere(page: Page, name: string): Promise<void> {
  return page.evaluate((name) => {
    const look = () => {
      const button = [...document.querySelectorAll('button')].find(
        ({ textContent }) => textContent === name,
      );
      button?.click();
      if (button) observer.disconnect();
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { childList: true, subtree: true });
  }, name);
}

test('a snapshot is given up while it is taken: nothing of it is kept, and the guest goes on', async ({
  page,
}) => {
  await boot(page, '?boot=micro&memory=256M');
  await takeSnapshot(page);
  await page.getByRole('button', { name: /^Tasks/ }).click();
  // The next one is under way for long enough.
  await typeLine(page, 'dd if=/dev/urandom of=/tmp/fill bs=1M count=64; echo filled-$((1 + 1))');
  await expectOutput(page, /^filled-2$/m);
  await pressWhenThere(page, 'Abort');
  await page.keyboard.press('F6');
  await page.keyboard.press('t');
  await page.getByRole('button', { name: 'Take the snapshot' }).click();
  await expect(page.locator('.task', { hasText: /^Cancelled: / })).toContainText(
    'Snapshot “Snapshot 2” of micro-1',
  );

  await showView(page, 'Snapshots');
  const tree = page.getByRole('tree', { name: 'Snapshots of micro-1' });
  await expect(tree.getByRole('treeitem', { name: /^Snapshot 1/ })).toBeVisible();
  await expect(tree.getByRole('treeitem')).toHaveCount(2);
  await showView(page, 'Console');
  await typeLine(page, 'clear; ls -s /tmp');
  await expectOutput(page, /65536 fill$/m);
});

test('what no machine has is cleaned up', async ({ page }, info) => {
  await boot(page);
  await takeSnapshot(page);
  await page.getByRole('link', { name: 'Storage' }).click();
  const loose = page.getByRole('region', { name: 'What no machine has' });
  const cleanUp = loose.getByRole('button', { name: /^Clean up/ });
  await expect(loose).toContainText('every disk and snapshot belongs to a machine');
  await expect(cleanUp).toBeDisabled();

  const images = ['one.img', 'two.img'].map((name) => info.outputPath(name));
  for (const image of images) writeFileSync(image, Buffer.alloc(3 << 20, image));
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Import a disk…' }).click();
  await (await chooser).setFiles(images);
  await expect(loose.getByRole('row', { name: /^disk-\w{8} of 3/ })).toHaveCount(2);
  await expect(cleanUp).toHaveText(/about 6/);
  await cleanUp.click();
  await expect(dock(page, /2 removed, .* given back/)).toBeVisible();
  await expect(loose.getByRole('row')).toHaveCount(0);
  await expect(cleanUp).toBeDisabled();
  // What a machine has is left.
  await expect(page.getByRole('row', { name: /^micro-1 – .* in 1/ })).toBeVisible();
});

test('a storage that is nearly full says so', async ({ page }) => {
  await page.addInitScript(() => {
    const room = { usage: 500_000_000, quota: 1_000_000_000 };
    Object.assign(globalThis, { room });
    navigator.storage.estimate = async () => room;
  });
  await page.goto('./#/storage');
  const notice = page.getByText('The storage is nearly full');
  await expect(page.getByRole('region', { name: 'Room' })).toContainText('500.0 MB left');
  await expect(notice).toHaveCount(0);
  await page.evaluate(() => Object.assign(Reflect.get(globalThis, 'room'), { usage: 950_000_000 }));
  await expect(notice).toBeVisible();
  await expect(page.locator('.room .meter')).toHaveAttribute('data-full', 'true');
  await expect(page.getByRole('region', { name: 'Room' })).toContainText('50.0 MB left');
});
