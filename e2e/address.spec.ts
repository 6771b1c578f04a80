/** The address describes the page: it follows the VMs, and a reload comes back with them. */
import { expect, type Page, test } from '@playwright/test';
import {
  boot,
  expectOutput,
  expectShell,
  openConsole,
  row,
  shownState,
  typeLine,
} from './support/page.ts';

const query = (page: Page) => new URL(page.url()).search;
const tabs = (page: Page) => page.locator('.tab .tab-name').allInnerTexts();

test('the address follows the VMs', async ({ page }) => {
  await page.goto('./');
  await page.getByRole('button', { name: 'Boot micro' }).click();
  await expect.poll(() => query(page)).toBe('?boot=micro');
  await page.getByRole('button', { name: 'New VM' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('lab');
  await page.getByRole('textbox', { name: 'Memory, typed' }).fill('112 MB');
  await page.getByRole('textbox', { name: 'How many' }).fill('2');
  await page.keyboard.press('Tab');
  await page.getByRole('button', { name: 'Create 2 VMs' }).click();
  await expect.poll(() => query(page)).toBe('?boot=micro&boot=micro:2&name=lab&memory=112M');
  await openConsole(page, 'micro-1');
  await expectShell(page);
  await page.getByRole('button', { name: 'Power off', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Power off' }).click();
  await expect
    .poll(() => query(page))
    .toBe('?boot=micro&start=no&boot=micro:2&name=lab&memory=112M');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect.poll(() => query(page)).toBe('?boot=micro:2&name=lab&memory=112M');
  await expect(page).toHaveTitle(/^lab-\d – Tabvisor$/);
});

test('a reload warns, boots the same VMs and opens the same consoles', async ({ page }) => {
  await boot(page, '?boot=micro:2&memory=112M&boot=micro&name=db&start=no');
  expect(await tabs(page)).toEqual(['micro-1', 'micro-2', 'db']);
  await expect(row(page, 'db')).toContainText('Off');
  await page.getByRole('tab', { name: /^micro-2,/ }).focus();
  await page.keyboard.press('Enter');
  await page
    .getByRole('tab', { name: /^micro-1,/ })
    .locator('.tab-close')
    .click();
  await openConsole(page, 'micro-2');
  const before = query(page);
  const warned = page.waitForEvent('dialog').then(async (dialog) => {
    await dialog.accept();
    return dialog.type();
  });
  await page.reload();
  expect(await warned).toBe('beforeunload');

  await expect(page.getByText('what its machines held in memory is gone')).toBeVisible();
  await expectShell(page);
  await expect(page.locator('.console-title h2')).toHaveText('micro-2');
  expect(await tabs(page)).toEqual(['micro-2', 'db']);
  await expect(page.locator('.machine')).toHaveCount(3);
  await expect(row(page, 'db')).toContainText('Off');
  expect(query(page)).toBe(before);
  await page.getByRole('status').getByRole('button', { name: 'Close' }).click();
  await expect(page.getByText('what its machines held in memory is gone')).toBeHidden();
});

test('without machines a reload warns of nothing and says nothing', async ({ page }) => {
  await page.goto('./?boot=micro&start=no');
  await expect(shownState(page)).toHaveText('Off');
  page.on('dialog', () => expect('no warning').toBe('a warning'));
  await page.reload();
  await expect(shownState(page)).toHaveText('Off');
  await expect(page.getByText('what its machines held in memory is gone')).toHaveCount(0);
});

test('a parameter that there is not is named, with those that there are', async ({ page }) => {
  await page.goto('./?bot=micro');
  await expect(page.getByRole('alert')).toContainText('no parameter “bot”');
  await expect(page.getByText('memory=128M')).toBeVisible();
  await page.goto('./?boot=micro&memroy=1G');
  await expect(page.getByRole('alert')).toContainText('no parameter “memroy”');
  await expect(page.locator('.machine')).toHaveCount(0);
});

test('the dialog makes a scratch disk, and the guest has the VM’s name', async ({ page }) => {
  await page.goto('./');
  await page.getByRole('button', { name: 'New VM' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('my lab');
  await page.getByRole('radio', { name: /^Scratch/ }).click({ force: true });
  const disk = page.getByRole('textbox', { name: 'Size of the disk' });
  await disk.fill('much');
  await expect(page.getByText('Write a size such as 64 MB')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Create VM' })).toBeDisabled();
  await disk.fill('65 GB');
  await expect(page.getByText('At most 64 GB')).toBeVisible();
  await disk.fill('8 MB');
  await page.getByRole('button', { name: 'Create VM' }).click();
  await expect
    .poll(() => query(page))
    .toMatch(/^\?boot=micro&name=my\+lab(&memory=128M)?&disk=8M$/);
  await expectOutput(page, /root@my-lab:~# *$/);
  await typeLine(page, 'cat /sys/block/vda/size');
  await expectOutput(page, /^16384$/m);
});

test('a VM that is made after a bad address leaves the address behind', async ({ page }) => {
  await page.goto('./?boot=nothing');
  await expect(page.getByRole('alert')).toContainText('no template “nothing”');
  await page.getByRole('button', { name: 'New VM' }).click();
  await page.getByRole('button', { name: 'Create VM' }).click();
  await expectShell(page);
  expect(query(page)).toMatch(/^\?boot=micro(&memory=\d+M)?$/);
});
