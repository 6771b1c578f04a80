/** What the tests do again and again: wait for a shell, read a console, type into it. */
import { expect, type Page } from '@playwright/test';

/** The state that the head of the shown console names. */
export function shownState(page: Page) {
  return page.locator('.console-title .status');
}

export function row(page: Page, name: string) {
  return page.locator('.machine', { has: page.getByText(name, { exact: true }) });
}

/** Opens an address and waits for the shell of the console that is shown. */
export async function boot(page: Page, query = '?boot=micro'): Promise<void> {
  await page.goto(`./${query}`);
  await expectShell(page);
}

export async function expectShell(page: Page): Promise<void> {
  await expect(shownState(page)).toHaveText('Running', { timeout: 300_000 });
  await expectOutput(page, PROMPT);
}

/** The shell waits; the VM's name is in its prompt. */
export const PROMPT = /root@[\w-]+:~# *$/;

/** The visible lines of the shown console. */
export async function output(page: Page): Promise<string> {
  const lines = await page.locator('.terminal-host .xterm-rows > div').allInnerTexts();
  return lines
    .map((line) => line.replaceAll('\u00a0', ' ').trimEnd())
    .join('\n')
    .trimEnd();
}

/** The output once it has stood still for a moment: what was under way when asked is in it. */
export async function settledOutput(page: Page): Promise<string> {
  for (let before = await output(page); ; ) {
    await page.waitForTimeout(500);
    const now = await output(page);
    if (now === before) return now;
    before = now;
  }
}

export async function expectOutput(page: Page, wanted: RegExp): Promise<void> {
  await expect.poll(() => output(page), { timeout: 120_000 }).toMatch(wanted);
}

/** Types a line into the shown console, which gets the keyboard first. */
export async function typeLine(page: Page, line: string): Promise<void> {
  await page.locator('.terminal-host textarea').focus();
  await page.keyboard.type(line);
  await page.keyboard.press('Enter');
}

/** Goes to a view of the VM that is shown: Console, Snapshots, Disks, … */
export function showView(page: Page, view: string): Promise<void> {
  return page
    .getByRole('navigation', { name: /^Views/ })
    .getByRole('link', { name: view })
    .click();
}

export async function openConsole(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name: new RegExp(`^${name},`) }).click();
  await expect(page.locator('.console-title h2')).toHaveText(name);
}

/** The same for a VM by its id, which need not have been started. */
export async function openVm(page: Page, id: string): Promise<void> {
  await page.evaluate((id) => {
    location.hash = `#/vm/${id}`;
  }, id);
  const open = page.getByRole('button', { name: 'Open console' });
  await page.locator('.terminal-host').or(open).first().waitFor();
  if (await open.isVisible()) await open.click();
}

/** Opens the console of a VM, and waits for its shell. */
export async function showVm(page: Page, id: string): Promise<void> {
  await openVm(page, id);
  await expectShell(page);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
