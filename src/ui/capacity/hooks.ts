/** Hooks of the views that show figures: again each second, and only while somebody can see them. */
import { useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import type { HostAssessment } from '../../hypervisor/host-assessment.ts';
import type { Alert } from '../../resources/alerts.ts';
import type { LogEvent } from '../../resources/event-log.ts';
import { fleet } from '../services.ts';
import { host, telemetry } from './service.ts';

const SECOND_MS = 1000;

let second = 0;
const tellers = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

/** Renders again each second while the page is visible. */
export function useSecond(): number {
  return useSyncExternalStore(onSecond, () => second);
}

function onSecond(tell: () => void): () => void {
  tellers.add(tell);
  ticking ??= setInterval(() => {
    if (document.hidden) return;
    second++;
    for (const teller of tellers) teller();
  }, SECOND_MS);
  return () => {
    tellers.delete(tell);
    if (tellers.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

export function useEvents(): readonly LogEvent[] {
  return useSyncExternalStore(
    (changed) => fleet.events.subscribe(changed),
    () => fleet.events.events,
  );
}

let alerts: readonly Alert[] = telemetry.alerts.active;

/** The alerts that stand. */
export function useAlerts(): readonly Alert[] {
  return useSyncExternalStore(
    (changed) =>
      telemetry.onAlerts(() => {
        alerts = telemetry.alerts.active;
        changed();
      }),
    () => alerts,
  );
}

export function useAssessment(): { assessment: HostAssessment | undefined; measuring: boolean } {
  return useStore(host);
}
