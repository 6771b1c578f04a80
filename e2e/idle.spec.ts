/** An idle guest costs nothing: its worker sleeps, and so does the page. */
import { expect, test } from '@playwright/test';
import { boot, row, shownState, typeLine } from './support/page.ts';

/** An idle Debian kernel wakes a few dozen times a second, and each ends in a few turns of the event loop; a run loop that spins turns tens of thousands of times. */
const WAKEUPS_LIMIT = 1000;
const SECONDS = 8;

test('a guest at its prompt sleeps, and the page with it', async ({ page, browser }, info) => {
  // The page's clock, which can be set forward.
  await page.addInitScript(() => {
    const { now } = performance;
    let ahead = 0;
    performance.now = () => now.call(performance) + ahead;
    Object.assign(globalThis, { setForward: (ms: number) => (ahead += ms) });
  });
  await boot(page);
  const share = page.locator('.facts [title]');
  await expect(share).toHaveText(/CPU (<?1|0)%/);

  const devtools = await browser.newBrowserCDPSession();
  // The page and the VM's frame of opaque origin are processes of their own.
  const used = async () => {
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
    return new Map(
      processInfo
        .filter(({ type }) => type === 'renderer')
        .map(({ id, cpuTime }) => [id, cpuTime] as const),
    );
  };
  const before = { cpu: await used(), at: Date.now() };
  const wakeups: number[] = [];
  for (let second = 0; second < SECONDS; second++) {
    await page.waitForTimeout(1000);
    const title = (await share.getAttribute('title')) ?? '';
    wakeups.push(Number(/ (\d+) wake-ups/.exec(title)?.[1]));
  }
  const elapsed = (Date.now() - before.at) / 1000;
  const shares = [...(await used())]
    .map(([id, cpu]) => ((cpu - (before.cpu.get(id) ?? 0)) / elapsed) * 100)
    .filter((percent) => percent > 0.05)
    .map((percent) => `${percent.toFixed(1)} %`);
  const figure = `${shares.join(' and ')} of a core in the processes of page and VM; ${wakeups.join(', ')} wake-ups a second`;
  info.annotations.push({ type: 'idle guest', description: figure });
  console.log(`    idle guest: ${figure}`);
  await expect(shownState(page)).toHaveText('Running');

  const machine = row(page, 'micro-1');
  await expect(machine).not.toContainText('idle');
  await page.evaluate(() =>
    (globalThis as unknown as { setForward(ms: number): void }).setForward(60_000),
  );
  await expect(machine).toContainText('idle ·');
  await typeLine(page, 'while :; do :; done');
  await expect(machine).not.toContainText('idle');
  expect([...wakeups].sort((a, b) => a - b)[SECONDS >> 1]).toBeLessThan(WAKEUPS_LIMIT);
});
