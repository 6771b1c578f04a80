/**
 * The downloads of what the address boots, begun before the rest of the page is there: they are what
 * a boot waits for. Relies on the image store, which gives whoever asks again the same download.
 */
import { parseBootRequest } from '../hypervisor/boot-request.ts';
import { expectBoot, templateSources } from '../hypervisor/expect-boot.ts';

export const templates = templateSources(new URL('images/', document.baseURI));

/** What fails here, or is not asked for properly, is met and told by whoever boots it. */
async function ask(): Promise<void> {
  const list = await templates.images.templates();
  const parsed = parseBootRequest(location.search, list);
  if (parsed.kind !== 'request') return;
  for (const request of parsed.requests) {
    const template = list.find(({ name }) => name === request.template);
    if (template) void expectBoot(templates, { ...request, template }).catch(() => {});
  }
}

if (new URLSearchParams(location.search).has('boot')) void ask().catch(() => {});
