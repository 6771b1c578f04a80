/**
 * Suspends machines that nobody needs: to a snapshot, from which a click brings them back. Looks now
 * and then, and whenever a page that was hidden is shown again.
 */
import * as v from 'valibot';
import { createStore } from 'zustand/vanilla';
import {
  dueSuspensions,
  NO_SPRAWL,
  type SprawlSettings,
  SprawlSettingsSchema,
  withExpiry,
} from '../../resources/sprawl.ts';
import { fleet } from '../services.ts';
import { now, telemetry } from './service.ts';
import { readStored, writeStored } from './stored.ts';

const LOOK_MS = 15_000;
const KEY = 'sprawl';

export const sprawl = createStore<SprawlSettings>(() => {
  const stored = v.safeParse(SprawlSettingsSchema, readStored(KEY));
  return stored.success ? stored.output : NO_SPRAWL;
});

sprawl.subscribe((settings) => writeStored(KEY, settings));

export function setSuspendAfter(minutes: number | undefined): void {
  const { expiry } = sprawl.getState();
  sprawl.setState(minutes === undefined ? { expiry } : { expiry, suspendAfter: minutes }, true);
}

export function setExpiry(name: string, until: number | undefined): void {
  sprawl.setState(withExpiry(sprawl.getState(), name, until));
}

/** Takes a snapshot and cuts the power; what fails leaves the machine running. Rejects with a sentence. */
export async function suspend(
  id: string,
  text: string,
  why: 'idle' | 'expired' | 'asked',
): Promise<void> {
  const name = fleet.get(id)?.view.name;
  if (name === undefined) return;
  await fleet.suspend(id, text);
  fleet.events.add({ vm: id, name, kind: why === 'expired' ? 'expired' : 'suspended', text });
  // Expired once: whoever brings it back wants it again.
  if (why === 'expired') setExpiry(name, undefined);
}

/** Those whose snapshot failed: tried again only when something has changed. */
const failed = new Map<string, string>();
const underWay = new Set<string>();

async function look(): Promise<void> {
  const machines = fleet.store.getState().vms.map(({ busy, id, name, saving, status }) => ({
    id,
    name,
    ready: status === 'running' && !busy && !saving && !underWay.has(id),
    idleSince: telemetry.idleSince(id),
  }));
  for (const { id, text, why } of dueSuspensions(now(), sprawl.getState(), machines)) {
    underWay.add(id);
    try {
      await suspend(id, text, why);
      failed.delete(id);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (failed.get(id) !== reason) {
        failed.set(id, reason);
        fleet.events.add({
          vm: id,
          name: fleet.get(id)?.view.name,
          kind: 'suspended',
          level: 'warning',
          text: `It could not be suspended and goes on running: ${reason}`,
        });
      }
    } finally {
      underWay.delete(id);
    }
  }
}

setInterval(() => void look(), LOOK_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void look();
});
