/** One VM's bad behaviour is not felt in the others, nor in the page. */
import { expect, type Page, test } from '@playwright/test';
import type { Fleet } from '../src/hypervisor/fleet.ts';
import { fleetOf } from './support/fleet.ts';
import {
  boot,
  expectOutput,
  expectShell,
  median,
  openConsole,
  PROMPT,
  shownState,
  typeLine,
} from './support/page.ts';

/** Milliseconds from a key to its echo on the screen, for each of `count` keys. */
async function echoLatencies(page: Page, count: number): Promise<number[]> {
  await page.locator('.terminal-host textarea').focus();
  await page.evaluate(() => {
    const latencies: number[] = [];
    let pressedAt: number | undefined;
    document.addEventListener('keydown', () => (pressedAt = performance.now()), { capture: true });
    const rows = document.querySelector('.terminal-host .xterm-rows');
    if (rows === null) throw new Error('There is no terminal.');
    new MutationObserver(() => {
      const line = [...rows.children].map((child) => child.textContent ?? '').join('');
      const typed = line.split('LATENCY').at(-1)?.match(/x/g)?.length ?? 0;
      if (pressedAt === undefined || typed <= latencies.length) return;
      latencies.push(performance.now() - pressedAt);
      pressedAt = undefined;
    }).observe(rows, { childList: true, subtree: true, characterData: true });
    Object.assign(globalThis, { latencies });
  });
  const measured = () =>
    page.evaluate(() => (globalThis as unknown as { latencies: number[] }).latencies);
  for (let i = 1; i <= count; i++) {
    await page.keyboard.press('x');
    await expect.poll(async () => (await measured()).length, { intervals: [20] }).toBe(i);
  }
  return measured();
}

test('three VMs, one in a tight loop: typing in another echoes within 100 ms', async ({
  page,
}, info) => {
  await boot(page, '?boot=micro:3');
  await openConsole(page, 'micro-2');
  await expectShell(page);
  await openConsole(page, 'micro-1');
  await typeLine(page, 'while :; do :; done');
  await expect(page.locator('.facts')).toContainText(/CPU (9\d|100)%/);
  await openConsole(page, 'micro-3');
  await expectShell(page);
  await page.locator('.terminal-host textarea').focus();
  await page.keyboard.type('# LATENCY ');
  await expectOutput(page, /# LATENCY$/);
  const latencies = await echoLatencies(page, 40);
  const figure = median(latencies);
  info.annotations.push({ type: 'echo latency, median', description: `${figure.toFixed(1)} ms` });
  console.log(
    `    echo latency beside a tight loop: median ${figure.toFixed(1)} ms, worst ${Math.max(...latencies).toFixed(1)} ms`,
  );
  expect(figure).toBeLessThan(100);
});

test('beside a loop at a cap of 20% keys are echoed', async ({ page }, info) => {
  await boot(page);
  const fleet = await fleetOf(page);
  await typeLine(page, 'while :; do :; done &');
  await expect(page.locator('.facts')).toContainText(/CPU (9\d|100)%/);
  await fleet.evaluate((fleet) => fleet.all[0]?.setLimits({ cpu: { cap: 20 } }));
  await expect(page.locator('.facts')).toContainText(/CPU (1\d|20|21|22)%/);
  await page.locator('.terminal-host textarea').focus();
  await page.keyboard.type('# LATENCY ');
  await expectOutput(page, /# LATENCY$/);
  const latencies = (await echoLatencies(page, 30)).sort((a, b) => a - b);
  const [middle = 0, most = 0] = [latencies[15], latencies[28]];
  const figure = `keys at a cap of 20%: median ${middle.toFixed(0)} ms, 95th of a hundred ${most.toFixed(0)} ms`;
  info.annotations.push({ type: 'echo latency under a cap', description: figure });
  console.log(`    ${figure}`);
  // A guest that waited for its quota whole would answer in seconds.
  expect(middle).toBeLessThan(250);
});

interface Report {
  readonly at: number;
  readonly busy: number;
  readonly instructions: number;
}

/** What each VM of the page reports from now on, each at its own time. */
function watchReports(fleet: Fleet): Report[][] {
  const seen = fleet.all.map((): Report[] => []);
  fleet.store.subscribe(({ vms }) => {
    for (const [i, { figures }] of vms.entries()) {
      if (!figures || figures.instructions === seen[i]?.at(-1)?.instructions) continue;
      const { busy, instructions } = figures;
      seen[i]?.push({ at: performance.now(), busy, instructions });
    }
  });
  return seen;
}

/** Share of a processor and million instructions a second, from the first report to the last. */
function paceOf(reports: readonly Report[]): { busy: number; mips: number } {
  const [first, last] = [reports[0], reports.at(-1)];
  if (!first || !last) throw new Error('A VM reported nothing.');
  const ms = last.at - first.at;
  const busy = reports.slice(1).reduce((sum, one, i) => {
    return sum + one.busy * (one.at - (reports[i]?.at ?? 0));
  }, 0);
  return { busy: busy / ms, mips: (last.instructions - first.instructions) / ms / 1000 };
}

/** By how much the share of one is at most apart from what its weight says. */
function offWeights(shares: readonly number[], weights: readonly number[]): number {
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const unit = sum(shares) / sum(weights);
  return Math.max(...shares.map((share, i) => Math.abs(share / unit / (weights[i] ?? 1) - 1)));
}

test('three busy VMs with weights 1, 2 and 4 get processor time and do work as these', async ({
  page,
}, info) => {
  const weights = [1, 2, 4];
  // Three quarters of a processor for all: on two each could have its share only on a host that does
  // nothing else.
  await page.addInitScript(() =>
    Object.defineProperty(navigator, 'hardwareConcurrency', { value: 1 }),
  );
  await page.goto(`./?boot=micro:3&run=${encodeURIComponent('while :; do :; done')}`);
  await expect(page.getByText('3 of 3 running')).toBeVisible({ timeout: 120_000 });
  const fleet = await fleetOf(page);
  await fleet.evaluate((fleet, weights) => {
    for (const [i, vm] of fleet.all.entries()) vm.setLimits({ cpu: { weight: weights[i] } });
  }, weights);
  // Until its loop is translated, and the engine has made the best of that, a guest does less with its
  // time; one that has little time takes long for it.
  await page.waitForTimeout(3000);
  const reports = fleet.evaluateHandle(watchReports);
  let [time, work]: number[][] = [[], []];
  let span = 0;
  const off = (shares: readonly number[]) => offWeights(shares, weights);
  const kept = () => off(time ?? []) < 0.1 && (off(work ?? []) < 0.1 || span >= 4);
  // What other work of the machine disturbs in one span is had back in the next ones.
  do {
    await page.waitForTimeout(5000);
    const paces = (await (await reports).evaluate((seen) => seen)).map(paceOf);
    time = paces.map(({ busy }) => busy);
    work = paces.map(({ mips }) => mips);
    const each = paces.map(({ busy, mips }) => `${(busy * 100).toFixed(1)}% ${mips.toFixed(1)}`);
    const figure = `weights 1:2:4: processor and million instructions a second ${each.join(', ')}; off by ${(off(time) * 100).toFixed(1)}% and ${(off(work) * 100).toFixed(1)}%`;
    info.annotations.push({ type: 'weights', description: figure });
    console.log(`    ${figure}`);
  } while (++span < 8 && !kept());
  expect(off(time)).toBeLessThan(0.1);
  // What is shared is time: until all are as warm as each other they do not do as much with it.
  expect(work).toEqual(work.toSorted((a, b) => a - b));
});

test('a VM that floods its console leaves the page and the other VMs alone', async ({ page }) => {
  await boot(page, '?boot=micro:2');
  await typeLine(page, 'yes flood');
  await expectOutput(page, /flood\nflood\nflood/);
  // The page answers while the flood is on the screen …
  await page.getByRole('button', { name: 'New VM' }).click();
  await expect(page.getByRole('dialog', { name: 'New VM' })).toBeVisible();
  await page.keyboard.press('Escape');
  // … and while it is hidden, another VM does.
  await openConsole(page, 'micro-2');
  await expectShell(page);
  await typeLine(page, 'echo calm-$((5 + 5))');
  await expectOutput(page, /^calm-10$/m);
  await openConsole(page, 'micro-1');
  await page.locator('.terminal-host textarea').focus();
  await page.keyboard.press('Control+c');
  await expectOutput(page, PROMPT);
});

test.describe('with a worker that dies', () => {
  test.use({ serviceWorkers: 'block' });

  test('the crash of one worker leaves the others running', async ({ page }) => {
    // The worker of micro-2 throws in the middle of its life.
    await page.route('**/assets/worker-*.js', async (route) => {
      const response = await route.fetch();
      const planted = `if (self.name === 'micro-2') setTimeout(() => { throw new Error('planted failure'); }, 1500);`;
      await route.fulfill({ response, body: planted + (await response.text()) });
    });
    await boot(page, '?boot=micro:2');
    await openConsole(page, 'micro-2');
    await expect(shownState(page)).toHaveText('Crashed');
    await expect(page.locator('.console .notice')).toContainText('planted failure');
    await openConsole(page, 'micro-1');
    await typeLine(page, 'echo alive-$((4 + 4))');
    await expectOutput(page, /^alive-8$/m);
  });
});
