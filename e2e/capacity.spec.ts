/** Resources, figures, log, host: the views that show what machines take, and what is done about it. */
import AxeBuilder from '@axe-core/playwright';
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

const MIB = 1024 * 1024;

async function show(page: Page, view: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${view}`);
}

async function expectNothingSerious(page: Page, view: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).exclude('.xterm-rows').analyze();
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${view}: ${id}: ${nodes.map((node) => node.html).join(' ')}`);
  expect(serious).toEqual([]);
}

async function download(page: Page, button: string): Promise<string> {
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: button }).click();
  const stream = await (await waiting).createReadStream();
  let text = '';
  for await (const part of stream) text += part;
  return text;
}

/** A host that was measured before: what a start is judged by. */
async function measuredHost(page: Page, memory: { bytes: number; ends: boolean }): Promise<void> {
  await page.addInitScript((probe) => {
    const assessment = {
      version: 1,
      at: Date.now(),
      cores: 2,
      memory: probe,
      crossOriginIsolated: true,
      sharedMemory: true,
      speed: { mips: 100, seconds: 2 },
    };
    localStorage.setItem('tabvisor.host', JSON.stringify(assessment));
  }, memory);
}

test('figures, log, limits, host, suspension and alerts of two machines', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await boot(page, '?boot=micro:2&memory=128M');
  await typeLine(page, 'kept=$((40 + 2))');

  await show(page, 'vm/1/monitor');
  await expect(page.getByRole('figure', { name: 'CPU' })).toBeVisible();
  await expect(page.getByRole('figure', { name: 'Memory' })).toBeVisible();
  await page.getByText('The last figures as a table').click();
  await expect(page.getByRole('columnheader', { name: 'CPU: Steal' })).toBeVisible();
  await expect(page.locator('.figures-table td', { hasText: '%' }).first()).toBeVisible();
  const csv = await download(page, 'CSV');
  expect(csv).toMatch(/^time,cpu_used \(share\),cpu_steal \(share\)/);
  expect(csv).toMatch(/\r\n\d{4}-\d\d-\d\dT[\d:.]+Z,(0|1|\d\.[\d.e-]+),/);
  const metrics = await download(page, 'OpenMetrics');
  expect(metrics).toMatch(/^tabvisor_vm_memory_touched_bytes\{vm="micro-1"\} \d+$/m);
  expect(metrics).toMatch(/# EOF\n$/);

  await show(page, 'vm/1/resources');
  const cap = page.getByRole('textbox', { name: /^Cap, typed/ });
  await cap.fill('30');
  await cap.press('Enter');
  const target = page.getByRole('textbox', { name: /^What it gets by with, typed/ });
  await target.fill('100');
  await target.press('Enter');
  await expect(page.getByText('asked 100 MB, the guest confirms 100 MB')).toBeVisible();

  await show(page, 'vm/1/log');
  await expect(
    page.getByRole('cell', { name: /30% of a processor, weight/ }).first(),
  ).toBeVisible();
  await page.getByRole('searchbox', { name: 'Find in the log' }).fill('shell up');
  await expect(page.locator('.event-table tbody tr')).toHaveCount(1);
  const lines = (await download(page, 'JSON lines')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).kind)).toEqual(['booted']);
  await page.getByRole('button', { name: 'Clear filter' }).click();

  await show(page, 'host');
  await expect(
    page.getByRole('img', { name: /^Memory used: micro-1 \d+ MB, micro-2/ }),
  ).toBeVisible();
  const ballooning = page.getByRole('checkbox', { name: /^When memory gets short/ });
  await expect(ballooning).toBeChecked();
  await ballooning.press('Space');
  await expect(ballooning).not.toBeChecked();
  await ballooning.press('Space');
  await expect(ballooning).toBeChecked();
  await page.getByRole('button', { name: 'Measure again' }).click();
  await expect(page.getByText(/\d+ million guest instructions a second/)).toBeVisible();
  await expect(page.getByText(/^This computer carries about \d+ tiny/)).toBeVisible();
  await expect(page.getByRole('rowheader', { name: 'micro-2' }).last()).toBeVisible();

  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const view of ['host', 'events', 'vm/1/monitor', 'vm/1/resources', 'vm/1/log']) {
      await show(page, view);
      await expect(page.locator('.view')).toBeVisible();
      await expectNothingSerious(page, `${view}, ${colorScheme}`);
    }
  }
  await page.setViewportSize({ width: 360, height: 740 });
  for (const view of ['host', 'events', 'vm/1/monitor', 'vm/1/resources', 'vm/1/log']) {
    await show(page, view);
    await expect(page.locator('.view')).toBeVisible();
    expect(
      await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      ),
      view,
    ).toBe(0);
  }
  await page.setViewportSize({ width: 1280, height: 800 });

  await show(page, 'host');
  const machine = page.getByRole('row', { name: /^micro-1 (At work|Idle)/ });
  await machine.getByRole('button', { name: 'Suspend' }).click();
  const suspended = page.getByRole('row', { name: /^micro-1 Suspended/ });
  await suspended.getByRole('button', { name: 'Go on' }).click();
  await expect(machine).toBeVisible();
  await show(page, 'vm/1');
  await expect(shownState(page)).toHaveText('Running');
  await typeLine(page, 'echo kept-$kept');
  await expectOutput(page, /^kept-42$/m);

  await openConsole(page, 'micro-2');
  await typeLine(page, 'echo c > /proc/sysrq-trigger');
  await expect(page.getByText('micro-2: VM stopped by itself.')).toBeVisible();
  await page.getByRole('link', { name: 'Show events' }).click();
  await expect(page.locator('.event-table tr[data-level="error"]').first()).toContainText(
    'micro-2',
  );
  // The other goes on.
  await show(page, 'vm/1');
  await typeLine(page, 'echo on-$((1 + 1))');
  await expectOutput(page, /^on-2$/m);

  // What happened outlives the page.
  page.on('dialog', (dialog) => void dialog.accept());
  await page.reload();
  // The one that was suspended once is kept; the other is started again by the address.
  await expect(row(page, 'micro-2').locator('.status')).toHaveText('Running', { timeout: 300_000 });
  await show(page, 'events');
  await expect(page.getByRole('cell', { name: /VM stopped by itself/ }).first()).toBeVisible();
});

test('more than the host carries is asked about with the numbers; what would fail is refused', async ({
  page,
}) => {
  await measuredHost(page, { bytes: 200 * MIB, ends: true });
  await page.goto('./');
  const create = async (memory: string) => {
    await page.getByRole('button', { name: 'New VM' }).click();
    await page.getByRole('textbox', { name: 'Memory, typed' }).fill(memory);
    await page.getByRole('button', { name: 'Create VM' }).click();
  };
  await create('512 MB');
  const question = page.getByRole('alertdialog', { name: 'More than this computer carries' });
  await expect(question).toContainText('536 MB, and this browser gives 200 MB');
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.locator('.machine')).toHaveCount(0);
  await create('512 MB');
  await question.getByRole('button', { name: 'Start anyway' }).click();
  await expect(shownState(page)).toHaveText('Running', { timeout: 300_000 });
  await expect(
    page.getByText(/^Memory is over-provisioned: one machine may come to use/),
  ).toBeVisible();

  await create('128 MB');
  await expect(question).toBeVisible();
  await question.getByRole('button', { name: 'Start anyway' }).click();
  await expect(row(page, 'micro-2').locator('.status')).toHaveText('Running', { timeout: 300_000 });
  await expect(page.getByText(/^Memory runs out|^Memory is over/)).toBeVisible();

  // An address is asked about in the same way, all its machines together.
  const linked = await page.context().newPage();
  await measuredHost(linked, { bytes: 300 * MIB, ends: true });
  await linked.goto('./?boot=micro:2&memory=128M&boot=micro&name=third&start=no');
  const asked = linked.getByRole('alertdialog', { name: 'More than this computer carries' });
  await expect(asked).toContainText('2 machines may come to use 304 MB');
  await asked.getByRole('button', { name: 'Cancel' }).click();
  await expect(linked.getByRole('button', { name: 'Boot micro' })).toBeVisible();
  await linked.reload();
  await asked.getByRole('button', { name: 'Start anyway' }).click();
  await expect(linked.locator('.machine')).toHaveCount(3);
  await linked.close();

  // Nothing can be started where the browser gives less than a guest needs.
  const other = await page.context().newPage();
  await measuredHost(other, { bytes: 50 * MIB, ends: true });
  await other.goto('./');
  await other.getByRole('button', { name: 'Boot micro' }).click();
  const refusal = other.getByRole('alertdialog', { name: 'This does not fit' });
  await expect(refusal).toContainText(/needs \d+ MB of memory to start/);
  await refusal.getByRole('button', { name: 'Close' }).click();
  await expect(other.getByRole('button', { name: 'Boot micro' })).toBeVisible();
});

test('a host that stood still is a pause to the guest, and is in the log', async ({
  page,
  browser,
}) => {
  await boot(page, '?boot=micro&memory=128M');
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  // As when a computer sleeps or a browser freezes a page: nothing of it runs, and time goes on.
  for (const id of renderers) process.kill(id, 'SIGSTOP');
  try {
    await new Promise((resolve) => setTimeout(resolve, 8000));
  } finally {
    for (const id of renderers) process.kill(id, 'SIGCONT');
  }
  await expect(shownState(page)).toHaveText('Running');
  await typeLine(
    page,
    'echo $(dmesg | grep -cE "soft lockup|detected stall|stuck for")-complaints',
  );
  await expectOutput(page, /^0-complaints$/m);
  // What the browser says when it freezes a page, and when it thaws it.
  await page.evaluate(() => {
    document.dispatchEvent(new Event('freeze'));
    document.dispatchEvent(new Event('resume'));
  });
  await show(page, 'events');
  await expect(page.getByRole('cell', { name: /The browser froze this page for/ })).toBeVisible();
  await expect(
    page.getByRole('cell', { name: /The host did not run this machine for \d+ s/ }),
  ).toBeVisible();
});

test('another size of memory holds from the next start on, limits of each disk at once', async ({
  page,
}) => {
  await boot(page, '?boot=micro&memory=128M&disk=16M');
  await show(page, 'vm/1/resources');
  const most = page.getByRole('textbox', { name: /^All that it has, typed/ });
  await most.fill('96');
  await most.press('Enter');
  await expect(page.getByText('has 128 MB now')).toBeVisible();

  const disk = page.getByRole('region', { name: 'Disk' });
  await expect(disk.getByText('No limit is set.')).toHaveCount(2);
  const bandwidth = disk.getByRole('textbox', { name: /^Bandwidth, typed/ });
  await bandwidth.fill('1024');
  await bandwidth.press('Enter');
  const burst = disk.getByRole('textbox', { name: /^Burst, typed/ });
  await burst.fill('2');
  await burst.press('Enter');
  await show(page, 'vm/1');
  // 2 MB of burst, then 1 MB a second: 6 MB take four seconds; without the limit less than half a one.
  await typeLine(
    page,
    's=$(date +%s); dd if=/dev/zero of=/dev/vda bs=64k count=96 oflag=direct 2>/dev/null; ' +
      'echo took-$(($(date +%s) - s >= 3))',
  );
  await expectOutput(page, /^took-1$/m);

  await typeLine(page, 'poweroff');
  await expect(shownState(page)).toHaveText('Off');
  await page.getByRole('button', { name: 'Start', exact: true }).first().click();
  await expectShell(page);
  await typeLine(page, 'awk \'/MemTotal/ { print "total-" ($2 < 98304) }\' /proc/meminfo');
  await expectOutput(page, /^total-1$/m);
});
