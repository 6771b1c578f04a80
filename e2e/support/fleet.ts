/**
 * The page's own fleet, for tests of what it promises to whoever shows it: found among what the page's
 * scripts export, for the product offers no handle.
 */
import type { JSHandle, Page } from '@playwright/test';
import type { Fleet } from '../../src/hypervisor/fleet.ts';

export async function fleetOf(page: Page): Promise<JSHandle<Fleet>> {
  return page.evaluateHandle(async () => {
    const named = [
      ...document.querySelectorAll('script[type=module][src], link[rel=modulepreload]'),
    ];
    for (const element of named) {
      const address = element.getAttribute('src') ?? element.getAttribute('href') ?? '';
      const script: Record<string, unknown> = await import(new URL(address, document.baseURI).href);
      for (const value of Object.values(script)) {
        const isFleet =
          typeof value === 'object' && value !== null && 'snapshots' in value && 'storage' in value;
        if (isFleet) return value as Fleet;
      }
    }
    throw new Error('No script of the page exports its fleet.');
  });
}
