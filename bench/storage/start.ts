/**
 * From an address to a prompt in Chromium, as a person sees it: the first visit of a new profile,
 * downloads from this machine included, and the next one, for which the browser has kept what it can.
 */
import { promptShown, visit } from '../sides/chromium.ts';
import { openProfile, type Site } from './browser.ts';

/** Seconds. */
export interface StartFigures {
  readonly cold: number;
  readonly warm: number;
}

/** What the page keeps for the next visit is written behind the prompt. */
const SETTLE_MS = 5000;

export async function startIn(site: Site, template: string): Promise<StartFigures> {
  const { context, page, close } = await openProfile();
  const url = `${site.url}?boot=${template}`;
  try {
    const from = performance.now();
    await visit(page, url);
    await promptShown(page);
    const cold = performance.now() - from;
    await page.waitForTimeout(SETTLE_MS);
    await page.close();
    const next = await context.newPage();
    const again = performance.now();
    await visit(next, url);
    await promptShown(next);
    return { cold: cold / 1000, warm: (performance.now() - again) / 1000 };
  } finally {
    await close();
  }
}
