/** Real guests boot in the page: by button, by dialog, by address. */
import { expect, test } from '@playwright/test';
import {
  boot,
  expectOutput,
  expectShell,
  openConsole,
  PROMPT,
  row,
  shownState,
  typeLine,
} from './support/page.ts';

test('a click boots Debian’s kernel to a shell that answers', async ({ page }) => {
  await page.goto('./');
  await page.getByRole('button', { name: 'Boot micro' }).click();
  await expect(shownState(page)).toHaveText(/Downloading|Starting|Booting/);
  await expectShell(page);
  await typeLine(page, 'echo "answer $((6 * 7))"; uname -srm');
  await expectOutput(page, /^answer 42\nLinux 6\.\S+ riscv64$/m);
  await expect(page.locator('.isolation')).toHaveText('Isolated');
});

test('a template starts from its snapshot, as a guest of its own, and a reset boots its kernel', async ({
  page,
}) => {
  const files: string[] = [];
  page.on('request', (request) => files.push(new URL(request.url()).pathname));
  await boot(page, '?boot=micro&name=starter');
  expect(files.some((file) => file.includes('/micro/snapshot/'))).toBe(true);
  expect(files.some((file) => file.endsWith('/kernel.gz'))).toBe(false);
  await typeLine(page, 'echo "at $(hostname) $(cut -d . -f 1 /proc/uptime | wc -l)"; date +%Y');
  await expectOutput(page, new RegExp(`^at starter 1\\n${new Date().getFullYear()}$`, 'm'));
  await expect(page.locator('.terminal-host')).not.toContainText('Linux version');
  await page.getByRole('button', { name: 'Reset', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Reset' }).click();
  // Of the kernel's log its end: the beginning scrolls away in a moment.
  await expectOutput(page, /as init process/);
  await expectShell(page);
  await typeLine(page, 'echo again-$(hostname)');
  await expectOutput(page, /^again-starter$/m);
});

test('without its snapshot a template boots its kernel', async ({ page }) => {
  await page.route('**/micro/snapshot/**', (route) => route.abort());
  await boot(page);
  await expectOutput(page, /as init process/);
});

test('the boot log and the shell stand in one console, without a seam', async ({ page }) => {
  await boot(page, '?boot=micro&cold');
  await page.keyboard.press('Control+Shift+F');
  await page.getByRole('searchbox', { name: 'Find in console' }).fill('Linux version');
  await expect(page.locator('.find-result')).toHaveText('1 of 1');
  await expectOutput(page, /Linux version 6\./);
});

test('New VM makes several with the memory that was typed', async ({ page }) => {
  await page.goto('./');
  await page.getByRole('button', { name: 'New VM' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('lab');
  await page.getByRole('textbox', { name: 'Memory, typed' }).fill('160 MB');
  await page.getByRole('textbox', { name: 'How many' }).fill('2');
  await page.keyboard.press('Tab');
  await expect(page.getByText('320 MB in all')).toBeVisible();
  await page.getByRole('button', { name: 'Create 2 VMs' }).click();
  await expect(page.locator('.machine')).toHaveCount(2);
  await expect(row(page, 'lab-1')).toBeVisible();
  await expectShell(page);
  await typeLine(page, 'dmesg | grep -c "/163840K available"');
  await expectOutput(page, /^1$/m);
});

test('New VM refuses a memory that cannot be', async ({ page }) => {
  await page.goto('./');
  await page.getByRole('button', { name: 'New VM' }).click();
  const memory = page.getByRole('textbox', { name: 'Memory, typed' });
  const create = page.getByRole('button', { name: 'Create VM' });
  await expect(create).toBeEnabled();
  for (const [text, problem] of [
    ['lots', 'Write a size such as 256 MB or 1 GB.'],
    ['32 MB', 'At least 96 MB.'],
    ['3 GB', 'At most 2 GB.'],
  ] as const) {
    await memory.fill(text);
    await expect(page.getByText(problem, { exact: true })).toBeVisible();
    await expect(create).toBeDisabled();
  }
  await page.getByRole('slider', { name: 'Memory' }).press('ArrowLeft');
  await expect(create).toBeEnabled();
});

test('the address boots three VMs and types a command into each', async ({ page }) => {
  await boot(page, `?boot=micro:3&memory=112M&run=${encodeURIComponent('echo run-$((40 + 2))')}`);
  await expect(page.locator('.machine')).toHaveCount(3);
  for (const name of ['micro-1', 'micro-2', 'micro-3']) {
    await openConsole(page, name);
    await expect(shownState(page)).toHaveText('Running', { timeout: 300_000 });
    await expectOutput(page, /^run-42$/m);
    await expect(page.locator('.facts')).toContainText('112 MB RAM');
  }
  await expect(page.getByText('3 of 3 running')).toBeVisible();
});

for (const [query, problem] of [
  ['?boot=nothing', 'There is no template “nothing”.'],
  ['?boot=micro:0', '“0” is no number of VMs: give 1 to 16, as in boot=micro:3.'],
  ['?boot=micro:99', '“99” is no number of VMs: give 1 to 16, as in boot=micro:3.'],
  ['?boot=micro&memory=much', '“much” is no size of memory: write it as memory=128M.'],
  ['?boot=micro&memory=16G', '16 GB of memory is too much: at most 2 GB.'],
  ['?boot=micro&memory=64M', '64 MB of memory is too little for “micro”: it needs at least 96 MB.'],
  ['?boot=micro&disk=none', '“none” is no size of a disk: write it as disk=64M.'],
  ['?boot=micro&disk=2G', 'A disk of 2 GB is too large: at most 1 GB.'],
  ['?boot=micro&run=', '“run” names no command.'],
] as const) {
  test(`the address ${query} is refused with a sentence and the list of what there is`, async ({
    page,
  }) => {
    await page.goto(`./${query}`);
    await expect(page.getByRole('alert')).toContainText(problem);
    await expect(page.locator('.options')).toContainText('boot=micro');
    await expect(page.locator('.machine')).toHaveCount(0);
    await page.getByRole('button', { name: 'Open Tabvisor without it' }).click();
    await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  });
}

test('the address gives a blank disk', async ({ page }) => {
  const check =
    'head -c 4096 /dev/urandom > t; dd if=t of=/dev/vda seek=8191 bs=4k 2>/dev/null; ' +
    'sync; dd if=/dev/vda skip=8191 bs=4k iflag=direct 2>/dev/null | cmp - t && blockdev --getsize64 /dev/vda';
  await boot(page, `?boot=micro&disk=32M&run=${encodeURIComponent(check)}`);
  await expectOutput(page, /^33554432$/m);
});

test('the guest follows the size of its console', async ({ page }) => {
  await boot(page, '?boot=micro:2');
  const rowsOf = () => page.locator('.terminal-host .xterm-rows > div').count();
  // What each goes on from was made with a terminal of another size.
  for (const name of ['micro-2', 'micro-1']) {
    await openConsole(page, name);
    await expectOutput(page, PROMPT);
    await typeLine(page, 'stty size');
    await expectOutput(page, new RegExp(`^${await rowsOf()} \\d+$`, 'm'));
  }
  await page.setViewportSize({ width: 1100, height: 560 });
  const before = await rowsOf();
  await expect.poll(rowsOf).toBeLessThan(26);
  await typeLine(page, 'clear; stty size');
  await expectOutput(page, new RegExp(`^${await rowsOf()} \\d+$`, 'm'));
  expect(before).toBeGreaterThan(0);
});
