/** The README's picture, taken anew with `TABVISOR_SCREENSHOT=1`. */
import { expect, test } from '@playwright/test';
import { boot, expectOutput, expectShell, openConsole, typeLine } from './support/page.ts';

test('screenshot for the README', async ({ page }) => {
  test.skip(process.env.TABVISOR_SCREENSHOT === undefined, 'only when asked for');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 1360, height: 820 });
  await boot(page, '?boot=micro:3');
  await openConsole(page, 'micro-2');
  await expectShell(page);
  await typeLine(page, 'while :; do :; done');
  await openConsole(page, 'micro-3');
  await expectShell(page);
  await typeLine(page, 'clear; yes | head -200000 | sha256sum; sleep 6');
  await openConsole(page, 'micro-1');
  await typeLine(
    page,
    'clear; uname -a; grep -m2 -E "isa|mmu" /proc/cpuinfo; free -m; lsmod | head -8',
  );
  await expectOutput(page, /Module/);
  await page.waitForTimeout(8000);
  await page.mouse.move(0, 0);
  await expect(page.getByText('3 of 3 running')).toBeVisible();
  await page.screenshot({ path: 'docs/screenshot.png' });
});
