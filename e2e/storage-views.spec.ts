/**
 * Snapshots and what else storage holds, as a person uses them: taken, restored, cloned, exported,
 * imported, and offered again after the page went away in the middle. One guest serves many looks.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import {
  boot,
  expectOutput,
  expectShell,
  row,
  shownState,
  showView,
  typeLine,
} from './support/page.ts';

/** Nothing serious in either theme, nothing that scrolls sideways on a phone, nothing too small to hit. */
async function expectFit(page: Page, view: string): Promise<void> {
  await expectClean(page, view);
  await expectNarrow(page, view);
}

async function expectClean(page: Page, view: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const { violations } = await new AxeBuilder({ page }).exclude('.xterm-rows').analyze();
    const serious = violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${view}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    expect(serious).toEqual([]);
  }
}

/** At the width of a phone, and back: a view's own state, such as what is selected, begins anew. */
async function expectNarrow(page: Page, view: string): Promise<void> {
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = () =>
    page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
  await expect.poll(overflow, { message: `${view} at 360 pixels` }).toBe(0);
  const small = await page.locator('button:visible:not([tabindex="-1"])').evaluateAll((buttons) =>
    buttons
      .map((button) => ({ text: button.outerHTML, box: button.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 24 || box.height < 24)
      .map(({ text }) => text),
  );
  expect(small, view).toEqual([]);
  await page.setViewportSize({ width: 1280, height: 800 });
}

function ended(page: Page, title: RegExp) {
  return page.locator('.task-dock', { hasText: title });
}

test('a snapshot is taken, gone back to, cloned, exported and imported', async ({ page }, info) => {
  // Browsers ask where to save; without that they download.
  await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'showSaveFilePicker'));
  await boot(page);
  await typeLine(page, 'echo here >/marker; echo set-$((1 + 1))');
  await expectOutput(page, /^set-2$/m);

  await showView(page, 'Snapshots');
  await expect(page.getByText('micro-1 has no snapshots yet.')).toBeVisible();
  await expectFit(page, 'no snapshots');
  await page.keyboard.press('t');
  const dialog = page.getByRole('dialog', { name: 'Take a snapshot of micro-1' });
  await expect(dialog.getByRole('textbox', { name: 'Name' })).toHaveValue('Snapshot 1');
  await dialog.getByRole('textbox', { name: 'Note' }).fill('With the marker.');
  await expectFit(page, 'take a snapshot');
  await dialog.getByRole('button', { name: 'Take the snapshot' }).click();
  await expect(ended(page, /The guest stood still for [\d.]+ ms/)).toBeVisible();

  const tree = page.getByRole('tree', { name: 'Snapshots of micro-1' });
  const item = (name: string) => tree.getByRole('treeitem', { name: new RegExp(`^${name}`) });
  await expect(tree.getByRole('treeitem')).toHaveCount(2);
  await expect(item('You are here')).toHaveAttribute('aria-level', '2');
  await item('You are here').click();
  await page.keyboard.press('ArrowUp');
  await expect(item('Snapshot 1')).toBeFocused();
  await expect(item('Snapshot 1')).toHaveAttribute('aria-expanded', 'true');
  await page.keyboard.press('ArrowLeft');
  await expect(tree.getByRole('treeitem')).toHaveCount(1);
  await page.keyboard.press('ArrowRight');
  await expect(tree.getByRole('treeitem')).toHaveCount(2);
  const details = page.getByRole('region', { name: 'Snapshot Snapshot 1' });
  await expect(details.getByText('With the marker.')).toBeVisible();
  await expect(details.getByRole('img', { name: /^Console of Snapshot 1/ })).toBeVisible();
  await expectFit(page, 'snapshots');

  await item('Snapshot 1').click();
  await page.keyboard.press('F2');
  await page.getByRole('textbox', { name: 'Name' }).fill('Marked');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(item('Marked')).toBeVisible();

  await showView(page, 'Console');
  await typeLine(page, 'rm /marker; echo gone-$((1 + 2))');
  await expectOutput(page, /^gone-3$/m);
  await showView(page, 'Snapshots');
  await item('Marked').click();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('checkbox', { name: /Take a snapshot first/ })).toBeChecked();
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  await expect(ended(page, /micro-1 is where it was then/)).toBeVisible();
  await expect(tree.getByRole('treeitem')).toHaveCount(3);
  await showView(page, 'Console');
  await typeLine(page, 'cat /marker');
  await expectOutput(page, /^here$/m);

  await showView(page, 'Snapshots');
  await item('Marked').click();
  await page.getByRole('button', { name: 'Clone from here…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('twin');
  await page.getByRole('button', { name: 'Make the clone' }).click();
  await expect(page.locator('.console-title h2')).toHaveText('twin');
  await expect(shownState(page)).toHaveText('Running');
  await typeLine(page, 'until [ "$(hostname)" = twin ]; do sleep 0.2; done; cat /marker');
  await expectOutput(page, /^here$/m);

  await row(page, 'micro-1').click();
  await expect(page.locator('.console-title h2')).toHaveText('micro-1');
  await showView(page, 'Snapshots');
  await item('Marked').click();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export as a .tabvm file' }).click();
  const file = info.outputPath('marked.tabvm');
  await (await download).saveAs(file);
  const damaged = info.outputPath('damaged.tabvm');
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff;
  writeFileSync(damaged, bytes);

  await page.getByRole('link', { name: 'Storage' }).click();
  const take = async (path: string) => {
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Import a VM…' }).click();
    await (await chooser).setFiles(path);
  };
  await take(damaged);
  await expect(page.locator('.task[data-state="failed"]')).toContainText('Nothing of it was kept.');
  await expectFit(page, 'storage, with a failure');
  await take(file);
  await expect(page.locator('.console-title h2')).not.toHaveText('micro-1');
  await expect(shownState(page)).toHaveText('Off');
  await page.getByRole('button', { name: 'Start', exact: true }).first().click();
  await expect(shownState(page)).toHaveText('Running');
  await typeLine(page, 'cat /marker');
  await expectOutput(page, /^here$/m);

  await page.getByRole('link', { name: 'Storage' }).click();
  await expect(page.getByRole('row', { name: /^micro-1 – .* in 2/ })).toBeVisible();
});

test('a page that goes away in the middle offers what its machines can go on from', async ({
  page,
}) => {
  await page.goto('./');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  await page.keyboard.press('n');
  await page.getByRole('radio', { name: /^Persistent/ }).click({ force: true });
  const size = page.getByRole('textbox', { name: 'Size of the disk' });
  await size.fill('much');
  await expect(page.getByText('Write a size such as 64 MB or 4 GB.')).toBeVisible();
  await size.fill('16 MB');
  await page.getByRole('textbox', { name: 'Name' }).fill('kept');
  await page.getByRole('button', { name: 'Create VM' }).click();
  await expectShell(page);
  await typeLine(page, 'cd /tmp; echo on-the-disk >/dev/vda; sync; echo memory >note; ls');
  await expectOutput(page, /^note$/m);
  await page.keyboard.press('F6');
  await page.keyboard.press('t');
  await page.getByRole('button', { name: 'Take the snapshot' }).click();
  await expect(ended(page, /The guest stood still/)).toBeVisible();
  await showView(page, 'Disks');
  await expect(page.getByRole('article', { name: 'Disk /dev/vda' })).toContainText('persistent');
  await expectFit(page, 'disks');
  await showView(page, 'Files');
  const dropped = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['Dear guest'], 'letter.txt'));
    return transfer;
  });
  await page.getByRole('region', { name: 'Shared files' }).dispatchEvent('drop', {
    dataTransfer: dropped,
  });
  await expect(page.getByRole('row', { name: /letter\.txt/ })).toBeVisible();
  await expectFit(page, 'files');

  page.on('dialog', (question) => void question.accept());
  await page.reload();
  const recovery = page.getByRole('region', { name: 'Machines that were cut off' });
  await expect(recovery).toContainText('Last state: “Snapshot 1”');
  await expectFit(page, 'recovery');
  await recovery.getByRole('button', { name: 'Restore last state' }).click();
  await expect(shownState(page)).toHaveText('Running');
  await typeLine(page, 'cat /tmp/note; head -c 12 /dev/vda');
  await expectOutput(page, /^memory\non-the-disk$/m);
  await expect(recovery).toHaveCount(0);
});

test('machines are searched, and acted on for many at once', async ({ page }) => {
  await page.goto('./?boot=micro:3&start=no&filter=micro-2');
  await expect(page.locator('.machine')).toHaveCount(1);
  await page.getByRole('button', { name: 'Clear, 2 hidden' }).click();
  await expect(page.locator('.machine')).toHaveCount(3);
  await page.getByRole('searchbox', { name: 'Search machines' }).fill('status:off');
  await expect.poll(() => new URL(page.url()).searchParams.get('filter')).toBe('status:off');
  await page.getByRole('button', { name: 'Select', exact: true }).click();
  await page.getByRole('button', { name: 'All 3' }).click();
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByRole('button', { name: /^Tasks/ }).click();
  await page.getByRole('button', { name: 'Pause: 3 machines' }).click();
  await expect(page.locator('.task-details')).toContainText(
    'micro-3: left as it is, it does not run.',
  );
  await expectClean(page, 'selection');
  await page.getByRole('button', { name: 'Delete…' }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Delete 3 machines?' });
  await expect(dialog.getByRole('button', { name: 'Delete' })).toBeDisabled();
  await dialog.getByRole('textbox').fill('3 machines');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
});
