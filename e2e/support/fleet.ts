/**
 * The page's own fleet, for tests of what it promises to whoever shows it: found among what the page's
 * scripts export, for the product offers no handle. And what several tests ask of it.
 */
import { expect, type JSHandle, type Page } from '@playwright/test';
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

export async function storageReady(fleet: JSHandle<Fleet>): Promise<void> {
  await expect
    .poll(() => fleet.evaluate(({ snapshots }) => snapshots.getState().storage.kind))
    .toBe('ready');
}

/** Makes a VM with these disks, which last, and starts it; returns its id. */
export function create(
  fleet: JSHandle<Fleet>,
  disks: readonly { id?: string; size?: number }[],
  name?: string,
): Promise<string> {
  return fleet.evaluate(
    async (fleet, { disks, name }) => {
      const [template] = await fleet.images.templates();
      if (!template) throw new Error('There is no template.');
      const lasting = disks.map((disk) => ({ kind: 'persistent' as const, ...disk }));
      return fleet.create({ template, count: 1, name, disks: lasting })[0] ?? '';
    },
    { disks, name },
  );
}

/** Takes a snapshot; rejects with the sentence that a person would see. */
export function take(fleet: JSHandle<Fleet>, id: string, name: string) {
  return fleet.evaluate(
    async (fleet, { id, name }) => {
      const report = await fleet.get(id)?.takeSnapshot({ name });
      if (!report) throw new Error('There is no such VM.');
      return report;
    },
    { id, name },
  );
}
