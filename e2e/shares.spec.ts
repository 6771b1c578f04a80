/** The shared folder of a VM: what is dropped on its console, and what the guest leaves there. */
import { expect, type Page, test } from '@playwright/test';
import { boot, expectOutput, shownState, showView, typeLine } from './support/page.ts';

/** The guest mounts the folder a moment after its prompt. */
const MOUNTED = 'until grep -q /mnt/shared /proc/mounts; do sleep 0.2; done';

/** Off and on again. */
async function powerCycle(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Power off', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Power off' }).click();
  await expect(shownState(page)).toHaveText('Off');
  await page.getByRole('button', { name: 'Start', exact: true }).first().click();
  await expect(shownState(page)).toHaveText('Running', { timeout: 300_000 });
  await expectOutput(page, /root@[\w-]+:~# *$/);
}

test('files that are dropped on a console are in /mnt/shared, and stay over a power-off', async ({
  page,
}) => {
  await boot(page);
  const files = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['Dear guest'], 'letter.txt'));
    transfer.items.add(new File([new Uint8Array(3 << 20).fill(7)], 'big.bin'));
    return transfer;
  });
  await page.locator('.terminal-host').dispatchEvent('drop', { dataTransfer: files });
  await expectOutput(page, /big\.bin is in \/mnt\/shared/);
  await typeLine(page, `${MOUNTED}; cd /mnt/shared; cat letter.txt; echo; md5sum <big.bin`);
  await expectOutput(page, /^Dear guest$/m);
  await expectOutput(page, /^1dc9719247f1c59ffa4bd1bc78da7dd7/m);
  await typeLine(page, 'clear; echo kept >answer; cd /; ls /mnt/shared');
  await expectOutput(page, /answer +big\.bin +letter\.txt/);
  await powerCycle(page);
  await typeLine(page, `${MOUNTED}; clear; cat /mnt/shared/answer`);
  await expectOutput(page, /^kept$/m);
});

test('a folder of this computer is shared, only to read or to be changed', async ({ page }) => {
  // The dialog of the browser cannot be pressed: a folder of the page's own storage stands for it.
  await page.addInitScript(() => {
    const pick = async () => {
      const root = await navigator.storage.getDirectory();
      return root.getDirectoryHandle('picked', { create: true });
    };
    Object.assign(globalThis, { showDirectoryPicker: pick });
  });
  await boot(page);
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('picked', { create: true });
    const file = await (
      await folder.getFileHandle('letter.txt', { create: true })
    ).createWritable();
    await file.write('Dear guest');
    await file.close();
  });
  await showView(page, 'Files');
  await page.getByRole('button', { name: 'Share a folder of this computer, only to read' }).click();
  await expect(page.getByText('The folder “picked” of this computer, only to read')).toBeVisible();
  await expect(page.getByRole('row', { name: /letter\.txt/ })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Delete letter.txt' })).toBeDisabled();
  await showView(page, 'Console');
  await powerCycle(page);
  await typeLine(page, `${MOUNTED}; clear; cd /mnt/shared; cat letter.txt; echo; echo x >new`);
  await expectOutput(page, /^Dear guest$/m);
  await expectOutput(page, /Read-only file system|Operation not permitted|Permission denied/);

  await showView(page, 'Files');
  await page.getByRole('button', { name: 'let the guest change it' }).click();
  await expect(
    page.getByText('The folder “picked” of this computer, which the guest'),
  ).toBeVisible();
  await showView(page, 'Console');
  await powerCycle(page);
  await typeLine(
    page,
    `${MOUNTED}; clear; cd /mnt/shared; mv letter.txt read.txt; echo yes >answer`,
  );
  await typeLine(page, 'cat answer');
  await expectOutput(page, /^yes$/m);
  const text = await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('picked');
    const names: string[] = [];
    for await (const name of folder.keys()) names.push(name);
    const answer = await (await folder.getFileHandle('answer')).getFile();
    return [names.sort().join(' '), await answer.text()];
  });
  expect(text).toEqual(['answer read.txt', 'yes\n']);
});
