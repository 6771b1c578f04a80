/**
 * Chromium with a profile of its own on the host's disk, as a person has it: the browser's storage is
 * in files, and what is cached is there at the next visit. Machines are made through the page's own
 * fleet, with disks that last. Guarantees that nothing is left of a profile that was closed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type Page, chromium as playwright } from 'playwright';
import { fleetOf } from '../../e2e/support/fleet.ts';
import { openVm } from '../../e2e/support/page.ts';
import { ensureChromium } from '../../tools/lib/chromium.mjs';
import { serve } from '../../tools/lib/serve.mjs';
import type { BenchGuest, BenchImage } from '../image.ts';
import type { Side } from '../session.ts';
import { PageSession, SANDBOX, VIEWPORT } from '../sides/chromium.ts';
import { DISK_MEGABYTES } from '../sides/disk.ts';

const PORT = 5317;

export interface Profile {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly version: string;
  close(): Promise<void>;
}

export async function openProfile(): Promise<Profile> {
  const executablePath = await ensureChromium('the figures of Chromium');
  const folder = mkdtempSync(join(tmpdir(), 'tabvisor-bench-'));
  const options = { executablePath, args: SANDBOX, viewport: VIEWPORT };
  const context = await playwright.launchPersistentContext(folder, options);
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    version: context.browser()?.version() ?? '',
    async close() {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Site {
  readonly url: string;
  close(): void;
}

export function serveSite(folder: string): Promise<Site> {
  return serve(folder, { port: PORT });
}

export interface NewGuest {
  readonly template: string;
  /** Bytes of memory. */
  readonly memory: number;
  /** Bytes of a blank disk that lasts. */
  readonly disk?: number;
  /** Its root lasts. */
  readonly keptRoot?: boolean;
  readonly run: string;
}

/** Opens the page, makes a VM in it and shows its console; returns its id. */
export async function createGuest(page: Page, site: Site, guest: NewGuest): Promise<string> {
  await page.goto(site.url);
  const fleet = await fleetOf(page);
  const id = await fleet.evaluate(async (fleet, guest) => {
    const template = (await fleet.images.templates()).find(({ name }) => name === guest.template);
    if (!template) throw new Error(`There is no template ${guest.template}.`);
    const [id] = fleet.create({
      template,
      count: 1,
      memory: guest.memory,
      cold: true,
      run: guest.run,
      ...(guest.keptRoot && { root: 'persistent' }),
      ...(guest.disk && { disks: [{ kind: 'persistent', size: guest.disk }] }),
    });
    if (id === undefined) throw new Error('No VM was made.');
    return id;
  }, guest);
  await openVm(page, id);
  return id;
}

/** Resolves when the console shows a line that begins like this. */
export async function lineShown(page: Page, beginning: string): Promise<void> {
  await page.waitForFunction(
    (beginning) =>
      [...document.querySelectorAll('.terminal-host .xterm-rows > div')].some((row) =>
        row.textContent?.replaceAll('\u00a0', ' ').startsWith(beginning),
      ),
    beginning,
    { polling: 10, timeout: 120_000 },
  );
}

/** The side of the page whose disks last: a browser of its own for each boot. */
export async function keptChromium(image: BenchImage, megabytes: number): Promise<Side> {
  const site = await serveSite(image.site);
  const { version, close } = await openProfile();
  await close();
  const order = (guest: BenchGuest, run: string): NewGuest => ({
    template: guest.template,
    memory: megabytes << 20,
    run,
    ...(guest.root === undefined ? { disk: DISK_MEGABYTES << 20 } : { keptRoot: true }),
  });
  return {
    name: 'chromium',
    title: `Chromium ${version}, disks in its storage`,
    start: (guest, command) =>
      new PageSession(async () => {
        const { page, close } = await openProfile();
        return {
          page,
          async go() {
            await createGuest(page, site, order(guest, command));
          },
          close,
        };
      }),
    async close() {
      site.close();
    },
  };
}
