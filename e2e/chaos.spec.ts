/**
 * Things go wrong one after the other in a page of three machines: a worker is killed, a device throws,
 * the storage is full, the tab goes away. Each time the page says to which machine and why, the others
 * take commands, and what was saved is there at the end. Workers are reached by the browser's own
 * tools for developers: the product has no door for this.
 */
import { expect, type Page, test, type Worker } from '@playwright/test';
import { create, fleetOf, storageReady, take } from './support/fleet.ts';
import { boot, expectOutput, row, shownState, typeLine } from './support/page.ts';

const MIB = 1 << 20;
const ADDRESS = '?boot=micro:2';
const NAMES = ['micro-1', 'micro-2', 'kept'];

async function workerOf(page: Page, name: string): Promise<Worker> {
  for (const worker of page.workers()) {
    if ((await worker.evaluate(() => Reflect.get(globalThis, 'name'))) === name) return worker;
  }
  throw new Error(`No worker is called ${name}.`);
}

/** Shows a console, also of a machine that has no tab yet. */
async function openConsole(page: Page, name: string): Promise<void> {
  await row(page, name).locator('.name').click();
  await expect(page.locator('.console-title h2')).toHaveText(name);
}

/** Types a command at the shell of a machine, and waits for what it prints. */
async function command(page: Page, name: string, text: string, wanted: RegExp): Promise<void> {
  await openConsole(page, name);
  await expect(shownState(page)).toHaveText('Running', { timeout: 120_000 });
  await typeLine(page, `clear; ${text}`);
  await expectOutput(page, wanted);
}

let asked = 1000;

/** All but `except` take a command. */
async function othersGoOn(page: Page, except: string): Promise<void> {
  for (const name of NAMES.filter((one) => one !== except)) {
    await command(
      page,
      name,
      `echo ${name}-$((${asked++} + 1))`,
      new RegExp(`^${name}-${asked}$`, 'm'),
    );
  }
}

test('workers, devices, storage and the tab fail; the other machines go on, and nothing saved is lost', async ({
  page,
  context,
}) => {
  await boot(page, ADDRESS);
  const fleet = await fleetOf(page);
  const kept = await create(fleet, [{ size: 4 * MIB }], 'kept');
  const write = 'X=saved; echo disk | dd of=/dev/vda conv=fsync 2>&-; echo done';
  await command(page, 'kept', write, /^done$/m);
  await take(fleet, kept, 'before the chaos');

  await test.step('a worker is killed, of which no browser tells its page', async () => {
    const worker = await workerOf(page, 'micro-2');
    await worker.evaluate(() => globalThis.close());
    await expect(row(page, 'micro-2').locator('.status')).toHaveText('Not answering');
    await openConsole(page, 'micro-2');
    await expect(page.locator('.console .notice')).toContainText('its worker may be gone');
    await othersGoOn(page, 'micro-2');
    await openConsole(page, 'micro-2');
    await page.locator('.console .notice').getByRole('button', { name: 'Power off' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Power off' }).click();
    await expect(shownState(page)).toHaveText('Off');
    await page.getByRole('button', { name: 'Start', exact: true }).first().click();
    await expect(shownState(page)).toHaveText('Running', { timeout: 120_000 });
  });

  await test.step('a device throws', async () => {
    const worker = await workerOf(page, 'micro-2');
    await worker.evaluate(() => {
      crypto.getRandomValues = () => {
        throw new Error('no more luck');
      };
    });
    await openConsole(page, 'micro-2');
    await typeLine(page, 'head -c 4 /dev/hwrng');
    await expect(row(page, 'micro-2').locator('.status')).toHaveText('Crashed');
    await expect(page.getByText('micro-2: VM stopped by itself.')).toBeVisible();
    await expect(page.locator('.console .notice')).toContainText(/virtio-rng.*no more luck/);
    await othersGoOn(page, 'micro-2');
    await openConsole(page, 'micro-2');
    await page.getByRole('button', { name: 'Start again' }).click();
    await expect(shownState(page)).toHaveText('Running', { timeout: 120_000 });
  });

  await test.step('the storage is full', async () => {
    const devtools = await context.newCDPSession(page);
    const { origin } = new URL(page.url());
    const used = await page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: used + MIB / 2 });
    const fill = 'dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=2 conv=fsync 2>&-';
    await command(page, 'kept', `${fill} || echo fail''ed`, /^failed$/m);
    await expect(page.locator('.console .notice')).toContainText('storage is full');
    await expect(take(fleet, kept, 'no room')).rejects.toThrow(/storage is full/);
    await expect(shownState(page)).toHaveText('Running');
    await othersGoOn(page, 'kept');

    // There is room again, and the guest can be told to write once more.
    await devtools.send('Storage.overrideQuotaForOrigin', { origin });
    await command(page, 'kept', `${fill} && echo writ''ten`, /^written$/m);
  });

  await test.step('the tab goes away and comes back', async () => {
    await page.close({ runBeforeUnload: false });
    const again = await context.newPage();
    await again.goto(`./${ADDRESS}`);
    await storageReady(await fleetOf(again));
    const recovery = again.getByRole('region', { name: 'Machines that were cut off' });
    await expect(recovery).toContainText('Last state: “before the chaos”');
    await recovery.getByRole('button', { name: 'Restore last state' }).click();
    await expect(recovery).toHaveCount(0);
    await command(again, 'micro-1', 'echo on-$((1 + 1))', /^on-2$/m);
    await command(again, 'kept', 'echo X is $X; head -c 4 /dev/vda; echo', /^X is saved\ndisk$/m);
  });
});
