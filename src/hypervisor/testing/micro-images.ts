/** A site's images for tests in which no guest code runs: one template, with a kernel that is none. */
import type { Template } from '../../machine/manifest.ts';
import { sha256Hex } from '../../storage/hash.ts';

export const KERNEL = new TextEncoder().encode('a kernel, or nearly');

export const MICRO: Template = {
  name: 'micro',
  title: 'Micro',
  description: '',
  manifest: 'micro/manifest.json',
};

/** A `fetch` that has them at http://page/images/, and nothing else. */
export async function fetchMicro(memory: number): Promise<typeof fetch> {
  const files: Record<string, BodyInit> = {
    'http://page/images/index.json': JSON.stringify({ format: 1, templates: [MICRO] }),
    'http://page/images/micro/manifest.json': JSON.stringify({
      format: 1,
      name: 'micro',
      title: 'Micro',
      description: '',
      kernel: { file: 'kernel', size: KERNEL.length, sha256: await sha256Hex(KERNEL) },
      append: 'console=hvc0',
      memory: { default: memory, minimum: memory },
    }),
    'http://page/images/micro/kernel': KERNEL,
  };
  return async (url) => {
    const body = files[String(url)];
    return body === undefined ? new Response('', { status: 404 }) : new Response(body);
  };
}
