/** Start, pause, reset, power off and delete, from the page and from inside the guest. */
import { expect, test } from '@playwright/test';
import {
  boot,
  expectOutput,
  expectShell,
  openConsole,
  output,
  row,
  settledOutput,
  shownState,
  typeLine,
} from './support/page.ts';

test('pause stops the guest and resume lets it go on', async ({ page }) => {
  await boot(page);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(shownState(page)).toHaveText('Paused');
  const still = await settledOutput(page);
  await typeLine(page, 'echo awake-$((1 + 1))');
  await expect(row(page, 'micro-1')).toContainText('Paused');
  // Nothing may appear; a whole second is long for a guest that echoes in milliseconds.
  await page.waitForTimeout(1000);
  expect(await output(page)).toBe(still);
  await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
  await expect(shownState(page)).toHaveText('Running');
  await expectOutput(page, /^awake-2$/m);
});

test('uptime stands still while the guest is paused, and goes on where it was', async ({
  page,
}) => {
  await boot(page);
  const uptime = () => page.locator('.machine-uptime').textContent();
  const seconds = async () => Number((await uptime())?.match(/(\d+)$/)?.[1]);
  await expect.poll(seconds).toBeGreaterThan(2);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(shownState(page)).toHaveText('Paused');
  await expect(page.getByText('0 of 1 running, 1 paused')).toBeVisible();
  const before = await seconds();
  await page.waitForTimeout(4000);
  expect(await seconds()).toBe(before);
  await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
  await expect(shownState(page)).toHaveText('Running');
  // The pause is not in it, however long this machine took to resume.
  const resumed = Date.now();
  await expect.poll(seconds).toBeGreaterThan(before + 1);
  expect(await seconds()).toBeLessThan(before + 3 + (Date.now() - resumed) / 1000);
});

test('reset asks first and boots again', async ({ page }) => {
  await boot(page);
  await typeLine(page, 'touch /root/before; clear; ls /root/before');
  await expectOutput(page, /^\/root\/before$/m);
  await page.getByRole('button', { name: 'Reset', exact: true }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Reset micro-1?' });
  await dialog.getByRole('button', { name: 'Reset' }).click();
  await expect(shownState(page)).toHaveText('Booting');
  await expectShell(page);
  await typeLine(page, 'clear; ls /root/before || echo gone');
  await expectOutput(page, /^gone$/m);
});

test('power off ends the VM, keeps its console, and start boots it again', async ({ page }) => {
  await boot(page);
  await typeLine(page, 'echo before-the-end');
  await page.getByRole('button', { name: 'Power off', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Power off' }).click();
  await expect(shownState(page)).toHaveText('Off');
  await expectOutput(page, /before-the-end[\s\S]*── Powered off ──/);
  await expect(page.locator('.vm-frame')).toHaveCount(0);
  await page.getByRole('button', { name: 'Start', exact: true }).first().click();
  await expectShell(page);
});

test('delete asks while the VM runs and leaves the others alone', async ({ page }) => {
  await boot(page, '?boot=micro:2');
  await row(page, 'micro-1').getByRole('button', { name: 'Actions for micro-1' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Delete micro-1?' });
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.locator('.machine')).toHaveCount(2);
  await row(page, 'micro-1').getByRole('button', { name: 'Actions for micro-1' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(page.locator('.machine')).toHaveCount(1);
  await openConsole(page, 'micro-2');
  await expectShell(page);
  await typeLine(page, 'echo still-$((2 + 1))');
  await expectOutput(page, /^still-3$/m);
});

test('the guest’s own poweroff, reboot and panic show as states with a reason', async ({
  page,
}) => {
  await boot(page);
  await typeLine(page, 'reboot');
  await expect(shownState(page)).toHaveText('Booting');
  await expectShell(page);
  await typeLine(page, 'poweroff');
  await expect(shownState(page)).toHaveText('Off', { timeout: 300_000 });
  await expect(page.locator('.notice')).toContainText('powered off');
  await page.getByRole('button', { name: 'Start', exact: true }).first().click();
  await expectShell(page);
  await typeLine(page, 'echo c > /proc/sysrq-trigger');
  await expect(shownState(page)).toHaveText('Crashed', { timeout: 300_000 });
  await expect(page.locator('.console .notice')).toContainText('panic');
  await expect(page.getByRole('button', { name: 'Start again' })).toBeVisible();
});

test('leaving the page warns while a VM runs', async ({ page }) => {
  await boot(page);
  const warning = page.waitForEvent('dialog');
  const closed = page.waitForEvent('close');
  await page.close({ runBeforeUnload: true });
  const dialog = await warning;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.accept();
  await closed;
});

test('scrollback is kept while a console is hidden, and grows', async ({ page }) => {
  await boot(page, '?boot=micro:2');
  await typeLine(page, 'clear; sleep 2; echo hidden-$((3 + 4))');
  await openConsole(page, 'micro-2');
  await expectShell(page);
  await page.waitForTimeout(2500);
  await openConsole(page, 'micro-1');
  await expectOutput(page, /^hidden-7$/m);
});
