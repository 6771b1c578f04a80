/**
 * Tabvisor in Chromium: the built page, served as `npm start` serves it, booted by its address as a
 * person would do it (`/?boot=bench&memory=512M&disk=64M&cold=yes&run=CMD`), and read from its console. Each
 * boot has a browser context of its own, so that nothing is cached: the boot row is everything from
 * the address to the prompt, downloads from this machine included.
 */
import { type Page, chromium as playwright } from 'playwright';
import { ensureChromium } from '../../tools/lib/chromium.mjs';
import { serve } from '../../tools/lib/serve.mjs';
import { isRoot } from '../../tools/lib/shell.mjs';
import type { BenchImage } from '../image.ts';
import { Lines, type Session, type Side } from '../session.ts';
import { DISK_MEGABYTES } from './disk.ts';

const PORT = 5297;
/** How often the console is read, in milliseconds: what the guest timed does not depend on it. */
const POLL_MS = 200;
const BOOT_TIMEOUT_MS = 600_000;
/** Chromium refuses its own sandbox to root. */
export const SANDBOX = isRoot() ? ['--no-sandbox'] : [];
export const VIEWPORT = { width: 1280, height: 1000 };
/** States of the VM that no boot comes back from; before it starts, it is off. */
const BROKEN = ['Crashed', 'Failed'];
const ENDED = [...BROKEN, 'Off'];

export async function chromium(image: BenchImage, megabytes: number): Promise<Side> {
  const executablePath = await ensureChromium('the column of Chromium');
  const server = await serve(image.site, { port: PORT });
  const browser = await playwright.launch({ executablePath, args: SANDBOX });
  return {
    name: 'chromium',
    title: `Chromium ${browser.version()}`,
    start(guest, command) {
      const query = new URLSearchParams({
        boot: guest.template,
        memory: `${megabytes}M`,
        ...(guest.root === undefined && { disk: `${DISK_MEGABYTES}M` }),
        // The boot is what is measured.
        cold: 'yes',
        run: command,
      });
      return new PageSession(async () => {
        const context = await browser.newContext({ viewport: VIEWPORT });
        const page = await context.newPage();
        return {
          page,
          go: () => visit(page, `${server.url}?${query}`),
          close: () => context.close(),
        };
      });
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** A page, how it gets to a guest that boots, and how it is ended. */
export interface Opened {
  readonly page: Page;
  go(): Promise<void>;
  close(): Promise<void>;
}

export class PageSession implements Session {
  readonly booted: Promise<number>;
  readonly #lines = new Lines();
  readonly #opened: Promise<Opened>;
  #closed = false;

  constructor(open: () => Promise<Opened>) {
    this.#opened = open();
    this.booted = this.#boot();
    this.booted.catch((error: unknown) => this.#lines.fail(sentence(error)));
  }

  next(timeoutMs: number) {
    return this.#lines.next(timeoutMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#opened).close();
  }

  async #boot(): Promise<number> {
    const { page, go } = await this.#opened;
    page.on('crash', () => this.#lines.fail('The page crashed.'));
    const started = performance.now();
    await go();
    await promptShown(page);
    const seconds = (performance.now() - started) / 1000;
    void this.#watch(page);
    return seconds;
  }

  /** Takes the script's lines as they appear, each once, until the VM ends. */
  async #watch(page: Page): Promise<void> {
    const seen = new Set<string>();
    try {
      while (!this.#closed) {
        const { lines, state } = await page.evaluate(() => ({
          lines: [...document.querySelectorAll('.terminal-host .xterm-rows > div')].map(
            (row) => row.textContent ?? '',
          ),
          state: document.querySelector('.console-title .status')?.textContent ?? '',
        }));
        for (const line of lines) {
          const text = line.replaceAll('\u00a0', ' ').trimEnd();
          if (!text.startsWith('@bench ') || seen.has(text)) continue;
          seen.add(text);
          this.#lines.push({ text, at: performance.now() });
        }
        if (ENDED.includes(state)) return this.#lines.fail(`The page shows the VM as ${state}.`);
        await page.waitForTimeout(POLL_MS);
      }
    } catch (error) {
      if (!this.#closed) this.#lines.fail(sentence(error));
    }
  }
}

export async function visit(page: Page, url: string): Promise<void> {
  await page.goto(url, { waitUntil: 'commit' });
}

/** Resolves when the console that is shown has a prompt. */
export async function promptShown(page: Page): Promise<void> {
  const shown = await page.waitForFunction(
    ({ prompt: source, broken }) => {
      const prompt = new RegExp(source);
      const rows = [...document.querySelectorAll('.terminal-host .xterm-rows > div')];
      const line = (row: Element) => row.textContent?.replaceAll('\u00a0', ' ') ?? '';
      if (rows.some((row) => prompt.test(line(row)))) return 'prompt';
      const state = document.querySelector('.console-title .status')?.textContent ?? '';
      return broken.includes(state) ? state : undefined;
    },
    { prompt: PROMPT_START, broken: BROKEN },
    { polling: 10, timeout: BOOT_TIMEOUT_MS },
  );
  const what = await shown.jsonValue();
  if (what !== 'prompt') throw new Error(`The page shows the VM as ${what}.`);
}

/** Whatever the VM's name is. */
const PROMPT_START = 'root@[\\w-]+:~#';

function sentence(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
