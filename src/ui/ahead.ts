/**
 * The downloads of what the address boots, begun before the rest of the page is there: they are what
 * a boot waits for. Relies on the image store, which gives whoever asks again the same download.
 */
import { parseBootRequest } from '../hypervisor/boot-request.ts';
import { expectBoot, templateSources } from '../hypervisor/expect-boot.ts';

export const templates = templateSources(new URL('images/', document.baseURI));

/** Resolves when the first of it comes. What cannot be had is met, and told, by whoever boots it. */
export const underWay: Promise<void> = ask().catch(() => {});

async function ask(): Promise<void> {
  if (!new URLSearchParams(location.search).has('boot')) return;
  const list = await templates.images.templates();
  const parsed = parseBootRequest(location.search, list);
  if (parsed.kind !== 'request') return;
  const downloads = parsed.requests.map(async (request) => {
    const template = list.find(({ name }) => name === request.template);
    if (template) await expectBoot(templates, { ...request, template });
  });
  await Promise.all(downloads);
}
