/** For everybody: axe finds nothing serious, the keyboard reaches everything, narrow screens fit. */
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { boot, expectOutput, expectShell, shownState, typeLine } from './support/page.ts';

async function expectNothingSerious(page: Page, view: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).exclude('.xterm-rows').analyze();
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${view}: ${id}: ${nodes.map((node) => node.html).join(' ')}`);
  expect(serious).toEqual([]);
}

for (const colorScheme of ['dark', 'light'] as const) {
  test(`axe finds nothing serious, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto('./');
    await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
    await expectNothingSerious(page, 'welcome');
    await page.keyboard.press('n');
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectNothingSerious(page, 'new VM');
    await page.keyboard.press('Escape');
    await page.goto('./?boot=nothing:99');
    await expect(page.getByRole('alert')).toBeVisible();
    await expectNothingSerious(page, 'problems');
    await boot(page);
    await expectNothingSerious(page, 'console');
    await page.keyboard.press('Control+Shift+P');
    await expect(page.getByRole('dialog', { name: 'Commands' })).toBeVisible();
    await expectNothingSerious(page, 'palette');
    await page.keyboard.press('Escape');
    await page.keyboard.press('F6');
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
    await expectNothingSerious(page, 'shortcuts');
    await page.keyboard.press('Escape');
    await page.keyboard.press('o');
    await expect(page.getByRole('alertdialog')).toBeVisible();
    await expectNothingSerious(page, 'confirmation');
    await page.keyboard.press('Enter');
    await expect(shownState(page)).toHaveText('Off');
    await expectNothingSerious(page, 'off');
  });
}

test('keyboard alone: create, boot, type, leave the console, pause, power off, delete', async ({
  page,
}) => {
  await page.goto('./');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  await page.keyboard.press('n');
  await expect(page.getByRole('dialog', { name: 'New VM' })).toBeVisible();
  await expect(page.getByRole('textbox', { name: 'Name' })).toBeFocused();
  await page.keyboard.type('keys');
  await page.keyboard.press('Enter');
  await expectShell(page);
  await page.keyboard.type('echo typed-$((7 + 7))');
  await page.keyboard.press('Enter');
  await expectOutput(page, /^typed-14$/m);

  // Single keys belong to the guest in a console …
  await page.keyboard.type('n?p');
  await expectOutput(page, /# n\?p$/);
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.keyboard.press('Control+c');
  // … and to the page once F6 has led out of it.
  await page.keyboard.press('F6');
  await expect(page.getByRole('tab', { name: /^keys,/ })).toBeFocused();
  await page.keyboard.press('p');
  await expect(shownState(page)).toHaveText('Paused');
  await page.keyboard.press('p');
  await expect(shownState(page)).toHaveText('Running');
  await page.keyboard.press('F6');
  await page.keyboard.type('echo back-$((7 + 8))');
  await page.keyboard.press('Enter');
  await expectOutput(page, /^back-15$/m);

  await page.keyboard.press('Control+Shift+P');
  await page.keyboard.type('power');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alertdialog')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(shownState(page)).toHaveText('Off');
  await page.keyboard.press('Control+Shift+P');
  await page.keyboard.type('delete');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
});

test('at 360 × 740 nothing scrolls sideways and the state is visible', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = () =>
    page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
  await page.goto('./');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  expect(await overflow()).toBe(0);
  await page.getByRole('button', { name: 'New VM' }).click();
  const create = page.getByRole('button', { name: 'Create VM' });
  await create.scrollIntoViewIfNeeded();
  await expect(create).toBeInViewport();
  expect(await overflow()).toBe(0);
  await create.click();
  await expectShell(page);
  expect(await overflow()).toBe(0);
  await expect(shownState(page)).toBeInViewport();
  await typeLine(page, 'echo narrow-$((1 + 8))');
  await expectOutput(page, /^narrow-9$/m);
  await page.getByRole('button', { name: 'Back to the list' }).click();
  await expect(page.locator('.machine .status')).toBeInViewport();
  expect(await overflow()).toBe(0);
  const small = await page.locator('button:visible').evaluateAll((buttons) =>
    buttons
      .map((button) => ({ text: button.outerHTML, box: button.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 24 || box.height < 24)
      .map(({ text }) => text),
  );
  expect(small).toEqual([]);
});

test('the theme can be chosen and is remembered', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('./');
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.getByRole('button', { name: 'Theme' }).click();
  await page.getByRole('menuitemradio', { name: 'Dark' }).click();
  await expect.poll(background).not.toBe(light);
  const dark = await background();
  await page.reload();
  expect(await background()).toBe(dark);
});

test('forced colours keep the states apart', async ({ page }) => {
  await page.emulateMedia({ forcedColors: 'active' });
  await boot(page);
  await expect(shownState(page)).toHaveText('Running');
  await expectNothingSerious(page, 'forced colours');
});

test.describe('on a touch screen', () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 360, height: 740 } });

  test('keys that its keyboard lacks are there, and text can be sent', async ({ page }) => {
    await boot(page);
    await expect(page.locator('.terminal-host textarea')).not.toBeFocused();
    await page.locator('.terminal-host').tap();
    // Ctrl+C is a signal once the shell has left its line editor, no earlier: wait for a sign of that.
    await page.keyboard.type('echo on-$((1 + 0)); sleep 1000');
    await page.keyboard.press('Enter');
    await expectOutput(page, /^on-1$/m);
    await page.getByRole('button', { name: 'Ctrl', exact: true }).tap();
    await page.keyboard.type('c');
    await expectOutput(page, /\^C\nroot@micro-1:~# *$/);
    await page.getByRole('button', { name: 'Send text' }).tap();
    await page
      .getByRole('dialog')
      .getByRole('textbox')
      .fill('echo one-$((1 + 1))\necho two-$((1 + 2))');
    await page.getByRole('button', { name: 'Send', exact: true }).tap();
    await expectOutput(page, /one-2[\s\S]*two-3/);
    await page.getByRole('button', { name: 'Up', exact: true }).tap();
    await expectOutput(page, /echo two-\$\(\(1 \+ 2\)\)$/);
  });
});
