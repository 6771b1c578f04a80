/** Many VMs at once: ten boot beside each other, and every console shows what it should. */
import { expect, type Page, test } from '@playwright/test';
import { openConsole } from './support/page.ts';

const COUNT = 10;
const NAMES = Array.from({ length: COUNT }, (_, index) => `micro-${index + 1}`);

async function expectAllRunning(page: Page): Promise<void> {
  await expect(page.getByText(`${COUNT} of ${COUNT} running`)).toBeVisible({ timeout: 300_000 });
  await expect(page.locator('.machine .status', { hasText: 'Running' })).toHaveCount(COUNT, {
    timeout: 300_000,
  });
}

test('ten VMs boot at once, and every console answers', async ({ page }, info) => {
  await page.addInitScript(() => {
    const tasks: number[] = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(Math.round(entry.duration));
    }).observe({ type: 'longtask', buffered: true });
    Object.assign(globalThis, { tasks });
  });
  await page.goto(
    `./?boot=micro:${COUNT}&memory=96M&run=${encodeURIComponent('echo up-$((9 + 1))')}`,
  );
  // The page answers while they boot.
  await page.getByRole('button', { name: 'New VM' }).click();
  await expect(page.getByRole('dialog', { name: 'New VM' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expectAllRunning(page);
  const tasks = await page.evaluate(() => (globalThis as unknown as { tasks: number[] }).tasks);
  const figure = `${tasks.length} tasks of the page over 50 ms while ten VMs booted, the longest ${Math.max(0, ...tasks)} ms`;
  info.annotations.push({ type: 'ten VMs', description: figure });
  console.log(`    ${figure}`);
  for (const name of NAMES) {
    await openConsole(page, name);
    await expect(page.locator('.terminal-host .xterm-rows')).toContainText('up-10');
  }
});

test('with graphics hardware ten consoles share eight contexts, and none is blank', async ({
  page,
}) => {
  // The browser of the tests draws on the processor; the page must take it for a graphics card.
  await page.addInitScript(() => {
    const contexts: WebGL2RenderingContext[] = [];
    const { getContext } = HTMLCanvasElement.prototype;
    const { getParameter } = WebGL2RenderingContext.prototype;
    HTMLCanvasElement.prototype.getContext = function (
      this: HTMLCanvasElement,
      kind: string,
      options?: object,
    ) {
      const context: RenderingContext | null = getContext.call(this, kind, {
        ...options,
        failIfMajorPerformanceCaveat: false,
      });
      if (context instanceof WebGL2RenderingContext && !contexts.includes(context)) {
        contexts.push(context);
      }
      return context;
    } as typeof getContext;
    WebGL2RenderingContext.prototype.getParameter = function (name: number) {
      const value = getParameter.call(this, name);
      return typeof value === 'string' ? 'Graphics card' : value;
    };
    Object.assign(globalThis, {
      liveContexts: () => contexts.filter((context) => !context.isContextLost()).length,
    });
  });
  await bootAll(page);
  const live = () =>
    page.evaluate(() => (globalThis as unknown as { liveContexts: () => number }).liveContexts());
  const seen: number[] = [];
  // Twice around: the first ones have given their contexts up by then.
  for (const name of [...NAMES, ...NAMES]) {
    await openConsole(page, name);
    await expect.poll(() => colours(page), { message: `colours of ${name}` }).toBeGreaterThan(8);
    seen.push(await live());
  }
  console.log(`    live contexts: ${seen.join(', ')}`);
  expect(seen[0]).toBe(1);
  expect(Math.max(...seen)).toBe(8);
});

async function bootAll(page: Page): Promise<void> {
  await page.goto(`./?boot=micro:${COUNT}&memory=96M`);
  await expectAllRunning(page);
}

/** Different colours in a picture of the shown terminal: one, when it is blank. */
async function colours(page: Page): Promise<number> {
  const picture = await page.locator('.terminal-host').screenshot();
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('There is no canvas.');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  }, picture.toString('base64'));
}
