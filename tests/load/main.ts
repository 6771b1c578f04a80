/**
 * `npm run load [-- --guests N --minutes M --memory SIZE --idle]`: so many `micro` guests in one page of
 * headless Chromium, busy in a loop or idle, and what that is for the host, the page and each guest.
 * Twelve busy ones for five minutes unless told otherwise. The last line is JSON. Exit code 1 when a
 * guest was lost, 2 when the run could not be made.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Page, chromium as playwright } from 'playwright';
import { ensureChromium } from '../../tools/lib/chromium.mjs';
import { serve } from '../../tools/lib/serve.mjs';
import { ensureParts, ensureSite } from '../../tools/lib/setup.mjs';
import { isRoot } from '../../tools/lib/shell.mjs';
import { type Usage, usageOf } from './browser.ts';

const SITE = fileURLToPath(new URL('../../dist', import.meta.url));
const PORT = 5397;
/** As many as one address, or one dialog, makes. */
const AT_ONCE = 16;
const BUSY = 'while :; do :; done';
const BOOT_MS = 300_000;
const SAMPLE_MS = 10_000;
/** After the last boot: its first seconds are no picture of what follows. */
const SETTLE_MS = 15_000;

interface Options {
  readonly guests: number;
  readonly minutes: number;
  readonly memory: string;
  readonly idle: boolean;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      guests: { type: 'string', default: '12' },
      minutes: { type: 'string', default: '5' },
      memory: { type: 'string', default: '96M' },
      idle: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'guests' | 'minutes', most: number) => {
    const value = Number(values[name]);
    if (value > 0 && value <= most) return value;
    throw new Error(`--${name} takes a number up to ${most}, not “${values[name]}”.`);
  };
  return {
    guests: Math.round(number('guests', 2 * AT_ONCE)),
    minutes: number('minutes', 600),
    memory: values.memory,
    idle: values.idle,
  };
}

/** Notes by how much each tick of the page comes late: what a key press would wait. */
function watchTicks(): void {
  const every = 50;
  const late: number[] = [];
  let expected = performance.now() + every;
  setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - expected));
    expected = now + every;
  }, every);
  Object.assign(globalThis, { takeLate: () => late.splice(0) });
}

async function bootAll(page: Page, url: string, { guests, memory, idle }: Options): Promise<void> {
  const first = Math.min(guests, AT_ONCE);
  const query = new URLSearchParams({
    boot: `micro:${first}`,
    memory,
    ...(idle ? {} : { run: BUSY }),
  });
  await page.goto(`${url}?${query}`);
  const refused = page.locator('.welcome', { hasText: 'cannot be booted' });
  await Promise.race([
    running(page, first),
    refused.waitFor().then(async () => {
      throw new Error(
        (await refused.getByRole('alert').textContent()) ?? 'The address was refused.',
      );
    }),
  ]);
  if (guests === first) return;
  await page.goto(`${page.url().split('#')[0]}#/`);
  await page.getByRole('button', { name: 'New VM' }).click();
  const dialog = page.getByRole('dialog', { name: 'New VM' });
  await dialog.getByRole('textbox', { name: 'How many' }).fill(String(guests - first));
  await dialog.getByRole('textbox', { name: 'How many' }).press('Tab');
  await dialog.getByRole('button', { name: /^Create/ }).click();
  await running(page, guests);
}

/** Waits until all run. More than the host carries is what a load may be: the page is told to go on. */
async function running(page: Page, count: number): Promise<void> {
  const all = page.getByText(`${count} of ${count} running`);
  const anyway = page.getByRole('button', { name: 'Start anyway' });
  for (;;) {
    await all.or(anyway).first().waitFor({ timeout: BOOT_MS });
    if (!(await anyway.isVisible())) return;
    await anyway.click();
    await anyway.waitFor({ state: 'hidden' });
  }
}

/** Million instructions a second of each guest, from the page's own export. */
async function work(page: Page): Promise<number[]> {
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: 'OpenMetrics' }).click();
  let text = '';
  for await (const part of await (await waiting).createReadStream()) text += part;
  return [...text.matchAll(/^tabvisor_vm_mips\S*\{[^}]*\} (\S+)$/gm)].map(([, value]) =>
    Number(value),
  );
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

async function measure(page: Page, profile: string, wanted: Options) {
  const late = () =>
    page.evaluate(() => (globalThis as unknown as { takeLate(): number[] }).takeLate());
  await page.evaluate(() => {
    location.hash = '#/host';
  });
  await page.getByRole('button', { name: 'OpenMetrics' }).waitFor();
  await sleep(SETTLE_MS);
  await late();
  const begun = performance.now();
  const before = usageOf(profile);
  const delays: number[] = [];
  const samples: number[][] = [];
  let after: Usage = before;
  let most = before.memory;
  while (performance.now() - begun < wanted.minutes * 60_000) {
    await sleep(SAMPLE_MS);
    delays.push(...(await late()));
    samples.push(await work(page));
    after = usageOf(profile);
    most = Math.max(most, after.memory);
  }
  const seconds = (performance.now() - begun) / 1000;
  const means = Array.from({ length: wanted.guests }, (_, guest) => {
    const values = samples.map((sample) => sample[guest] ?? 0);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
  await page.evaluate(() => {
    location.hash = '#/';
  });
  const state = await page
    .getByText(/^\d+ of \d+ running$/)
    .first()
    .textContent();
  return {
    ...wanted,
    processors: cpus().length,
    /** Processors that the browser used, all its processes together. */
    processorsUsed: round((after.processor - before.processor) / seconds),
    memoryMegabytes: {
      first: megabytes(before.memory),
      last: megabytes(after.memory),
      most: megabytes(most),
    },
    pageLateMs: {
      median: round(quantile(delays, 0.5)),
      p99: round(quantile(delays, 0.99)),
      most: round(Math.max(...delays)),
    },
    mipsOfGuests: { least: round(Math.min(...means)), most: round(Math.max(...means)) },
    lost: wanted.guests - Number(/^\d+/.exec(state ?? '')?.[0] ?? 0),
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);

async function main(): Promise<number> {
  const wanted = options();
  await ensureParts();
  await ensureSite();
  const executablePath = await ensureChromium('guests in a page');
  const profile = mkdtempSync(join(tmpdir(), 'tabvisor-load-'));
  const server = await serve(SITE, { port: PORT });
  const browser = await playwright.launchPersistentContext(profile, {
    executablePath,
    // Chromium refuses its own sandbox to root.
    args: isRoot() ? ['--no-sandbox'] : [],
    viewport: { width: 1280, height: 800 },
  });
  try {
    const page = await browser.newPage();
    page.on('dialog', (question) => void question.accept());
    await page.addInitScript(watchTicks);
    console.log(`${wanted.guests} guests boot …`);
    await bootAll(page, server.url, wanted);
    console.log(`They run; ${wanted.minutes} minutes are measured.`);
    const result = await measure(page, profile, wanted);
    console.log(JSON.stringify(result));
    return result.lost === 0 ? 0 : 1;
  } finally {
    await browser.close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
