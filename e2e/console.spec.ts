/** The console as a terminal: search, clipboard, links, titles. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { boot, expectOutput, typeLine } from './support/page.ts';

test('the match that a search has come to stands out from the others', async ({ page }) => {
  await boot(page);
  await typeLine(page, 'clear; echo needle one; echo needle two');
  await expectOutput(page, /^needle two$/m);
  await page.keyboard.press('Control+Shift+F');
  const field = page.getByRole('searchbox', { name: 'Find in console' });
  await field.fill('needle');
  await expect(page.locator('.find-result')).toHaveText('2 of 2');
  const marked = () =>
    page.locator('.terminal-host .xterm-rows > div').evaluateAll((rows) =>
      rows.flatMap((row, index) => {
        const marks = [...row.querySelectorAll('span')].filter(
          (span) => getComputedStyle(span).backgroundColor === 'rgb(180, 83, 9)',
        );
        return marks.length > 0
          ? [`${index}: ${marks.map((mark) => mark.textContent).join('')}`]
          : [];
      }),
    );
  await expect.poll(marked).toEqual(['1: needle']);
  await field.press('Enter');
  await expect(page.locator('.find-result')).toHaveText('1 of 2');
  await expect.poll(marked).toEqual(['0: needle']);
  await field.press('Escape');
  await expect(page.locator('.find')).toHaveCount(0);
  await expect(page.locator('.terminal-host textarea')).toBeFocused();
});

test('copy and paste by the keys that terminals use', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await boot(page);
  await typeLine(page, 'clear; echo copied-$((20 + 3))');
  await expectOutput(page, /^copied-23$/m);
  await page.getByText('copied-23', { exact: true }).dblclick({ force: true });
  await page.keyboard.press('Control+Shift+C');
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('copied-23');
  await page.evaluate(() => navigator.clipboard.writeText('echo pasted-$((5 * 5))'));
  await page.keyboard.press('Control+Shift+V');
  await expectOutput(page, /# echo pasted-\$\(\(5 \* 5\)\)$/);
  await page.keyboard.press('Enter');
  await expectOutput(page, /^pasted-25$/m);
});

test('links open in a tab of their own', async ({ page, context, baseURL }) => {
  await boot(page);
  await typeLine(page, `clear; echo see ${baseURL}icon.svg`);
  await expectOutput(page, /^see http/m);
  const box = await page.locator('.terminal-host .xterm-rows > div').first().boundingBox();
  if (box === null) throw new Error('The first line is not on the screen.');
  const opened = context.waitForEvent('page');
  await page.mouse.move(box.x + 80, box.y + 6);
  await page.mouse.move(box.x + 90, box.y + 8);
  await expect(page.locator('.xterm-screen, .xterm').first()).toBeVisible();
  await page.waitForTimeout(300);
  await page.mouse.click(box.x + 90, box.y + 8);
  expect((await opened).url()).toMatch(/icon\.svg$|about:blank/);
});

test('a title that the guest sets is shown, and its control characters are not obeyed', async ({
  page,
}) => {
  await boot(page);
  await typeLine(page, String.raw`printf '\033]0;editing <b>notes</b>\007'`);
  await expect(page.locator('.facts')).toContainText('editing <b>notes</b>');
});

test('the console can be saved, plain and with its colours', async ({ page }) => {
  await boot(page);
  await typeLine(page, String.raw`clear; printf '\033[31mred-%d\033[0m\n' 7`);
  await expectOutput(page, /^red-7$/m);
  const saved = async (command: string) => {
    await page.keyboard.press('Control+Shift+P');
    await expect(page.getByRole('dialog')).toBeVisible();
    await page.keyboard.type(command);
    await page.keyboard.press('ArrowDown');
    const download = page.waitForEvent('download');
    await page.keyboard.press('Enter');
    const file = await download;
    return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
  };
  const plain = await saved('as a file');
  expect(plain.name).toBe('micro-1.log');
  expect(plain.text).toMatch(/^red-7$/m);
  const coloured = await saved('with its colours');
  expect(coloured.name).toBe('micro-1.ans');
  expect(coloured.text).toContain('\x1b[31mred-7');
});
