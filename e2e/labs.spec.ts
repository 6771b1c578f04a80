/** Labs: sets of machines that come up in order, from the page's address or from a file. */
import { createServer } from 'node:http';
import { expect, type Page, test } from '@playwright/test';
import { readLab } from '../src/storage/lab/lab-file.ts';
import { expectOutput, openConsole, typeLine } from './support/page.ts';

async function dropFile(page: Page, name: string, text: string): Promise<void> {
  const files = await page.evaluateHandle(
    (file) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([file.text], file.name));
      return transfer;
    },
    { name, text },
  );
  await page.locator('body').dispatchEvent('drop', { dataTransfer: files });
}

async function command(page: Page, title: string): Promise<void> {
  await page.keyboard.press('F6');
  await page.keyboard.press('Control+Shift+P');
  await page.keyboard.type(title);
  await page.getByRole('dialog', { name: 'Commands' }).getByText(title).click();
}

test('a lab of the address comes up in its order, with files and commands; it is exported', async ({
  page,
}) => {
  await page.goto('./?lab=client-and-server-disks');
  await expect(page.getByRole('list', { name: /^Tasks/ })).toContainText('Done:', {
    timeout: 300_000,
  });
  await expect(page.getByText('3 of 3 running')).toBeVisible();
  await openConsole(page, 'server');
  await typeLine(page, 'clear; cat /etc/motd; hostname');
  await expectOutput(page, /^This is the server\.\nserver$/m);
  // The lab's address brings its machines up again: they are not in the address a second time.
  expect(new URL(page.url()).search).toBe('?lab=client-and-server-disks');

  const search = page.getByRole('searchbox', { name: 'Search machines' });
  await search.fill('tag:client');
  await expect(page.getByRole('grid', { name: 'Machines' }).getByRole('row')).toHaveCount(2);
  await search.fill('');

  const download = page.waitForEvent('download');
  await command(page, 'Export all machines as a lab file');
  let text = '';
  for await (const part of await (await download).createReadStream()) text += part;
  const read = readLab(text);
  expect(read.kind).toBe('lab');
  if (read.kind !== 'lab') return;
  expect(Object.keys(read.lab.vms)).toEqual(['server', 'client-1', 'client-2']);
  expect(read.lab.vms.server?.disks).toEqual([{ size: '16384K' }]);
  expect(read.lab.vms['client-2']?.tags).toEqual(['client']);

  await page.evaluate(() => {
    location.hash = '#/events';
  });
  const lines = page.locator('.event-table tbody tr');
  await expect(lines.filter({ hasText: 'client-2' }).first()).toBeVisible();
  const events = await lines.allInnerTexts();
  const at = (name: RegExp) => events.findIndex((line) => name.test(line));
  const created = at(/\bserver\b[\s\S]*Created/);
  const up = at(/\bserver\b[\s\S]*shell was up/);
  const client = at(/\bclient-1\b[\s\S]*Created/);
  expect(Math.min(created, up, client)).toBeGreaterThanOrEqual(0);
  // Whichever end the list begins at, the client was made after the server's shell.
  expect(Math.sign(client - up)).toBe(Math.sign(up - created));
});

test('a command of a lab that fails is told with its code; what waits for it does not start', async ({
  page,
}) => {
  await page.goto('./');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  const lab = [
    'format: 1',
    'name: failing',
    'vms:',
    '  first: { run: ["exit 7"] }',
    '  second: { after: [first] }',
  ];
  await dropFile(page, 'failing.yaml', lab.join('\n'));
  await expect(page.getByText('first: “exit 7” ended with 7.')).toBeVisible({ timeout: 300_000 });
  await expect(page.getByRole('tab', { name: /^first,/ })).toBeVisible();
  await expect(page.getByRole('tab', { name: /^second,/ })).toHaveCount(0);
});

test('machines make way for those of a lab file; when one of those fails the old ones go on', async ({
  page,
}) => {
  const tasks = page.getByRole('list', { name: /^Tasks/ });
  const replaceBy = async (vms: string) => {
    const chooser = page.waitForEvent('filechooser');
    await command(page, 'Replace machines by those of a lab file');
    const buffer = Buffer.from(`format: 1\nname: two\nvms: ${vms}\n`);
    await (await chooser).setFiles({ name: 'two.yaml', mimeType: 'application/yaml', buffer });
    const dialog = page.getByRole('alertdialog', { name: 'Replace 2 machines?' });
    await expect(dialog).toContainText('a, b');
    await dialog.getByRole('button', { name: 'Replace' }).click();
  };
  await page.goto('./');
  await expect(page.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  await dropFile(page, 'two.yaml', 'format: 1\nname: two\nvms: { a: {}, b: {} }\n');
  await expect(tasks).toContainText('Done: Lab two.yaml', { timeout: 60_000 });
  await openConsole(page, 'a');
  await typeLine(page, 'x=kept; echo is $x');
  await expectOutput(page, /^is kept$/m);

  await replaceBy('{ a: { tags: [new] }, b: { run: ["exit 9"] } }');
  const failed = page.getByText('b: “exit 9” ended with 9. The old machines go on.');
  await expect(failed.first()).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText('2 of 2 running')).toBeVisible();
  await openConsole(page, 'a');
  await expectOutput(page, /^is kept$/m);
  await typeLine(page, 'clear; echo still $x');
  await expectOutput(page, /^still kept$/m);

  await replaceBy('{ a: { run: ["touch /new"] }, b: { tags: [new] } }');
  await expect(tasks).toContainText('Done: Lab two.yaml: replace', { timeout: 60_000 });
  await expect(page.getByText('2 of 2 running')).toBeVisible();
  await openConsole(page, 'a');
  await typeLine(page, 'clear; ls /new; echo "[$x]"');
  await expectOutput(page, /^\/new\n\[\]$/m);
});

test('a lab that cannot be is told with its line; one of another site is refused', async ({
  page,
}) => {
  await page.goto('./?lab=https://example.org/lab.yaml');
  await expect(page.getByText(/A lab comes from this site alone, not from/)).toBeVisible();
  await dropFile(page, 'bad.yaml', 'format: 1\nname: bad\nvms:\n  a:\n    tempalte: micro\n');
  await expect(page.getByText(/Line 5: .*tempalte/)).toBeVisible();
  await dropFile(
    page,
    'disk.yaml',
    'format: 1\nname: d\nvms:\n  a: { disks: [{ file: x.img }] }\n',
  );
  await expect(page.getByText(/“a” has a disk of a file/)).toBeVisible();
});

test('an address that leads to no lab of this site is told in a sentence', async ({ page }) => {
  await page.goto('./?lab=labs/there-is-none.yaml');
  await expect(
    page.getByText(/no lab at .*there-is-none\.yaml|none\.yaml could not be fetched/),
  ).toBeVisible();
  await page.goto(`./?lab=${encodeURIComponent('https://[')}`);
  await expect(page.getByText(/“https:\/\/\[” is no address of a lab/)).toBeVisible();
});

test.describe('with answers that are made up', () => {
  test.use({ serviceWorkers: 'block' });

  test('a lab that this site sends on to another one is refused', async ({ page }) => {
    // Another site that lets any page read it.
    const elsewhere = createServer((_, response) => {
      response.setHeader('access-control-allow-origin', '*');
      response.end('format: 1\nname: bad\nvms: { taken-in: {} }\n');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    try {
      const address = elsewhere.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      await page.route('**/labs/sent-on.yaml', (route) =>
        route.fulfill({ status: 302, headers: { location: `http://127.0.0.1:${port}/` } }),
      );
      await page.goto('./?lab=sent-on');
      const refused = page.getByText(/sent-on\.yaml could not be fetched: .*another site/);
      await expect(refused).toBeVisible();
    } finally {
      elsewhere.close();
    }
  });
});
