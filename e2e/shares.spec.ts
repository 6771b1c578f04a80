/** The shared folder of a VM: what is dropped on its console, and what the guest leaves there. */
import { expect, test } from '@playwright/test';
import { boot, expectOutput, shownState, typeLine } from './support/page.ts';

/** The guest mounts the folder a moment after its prompt. */
const MOUNTED = 'until grep -q /mnt/shared /proc/mounts; do sleep 0.2; done';

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
  await page.getByRole('button', { name: 'Power off', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Power off' }).click();
  await expect(shownState(page)).toHaveText('Off');
  await page.getByRole('button', { name: 'Start', exact: true }).first().click();
  await expect(shownState(page)).toHaveText('Running', { timeout: 300_000 });
  await expectOutput(page, /root@[\w-]+:~# *$/);
  await typeLine(page, `${MOUNTED}; clear; cat /mnt/shared/answer`);
  await expectOutput(page, /^kept$/m);
});
