/** Small hooks: the fleet's views, a media query, a clock for durations. */
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import type { VmView } from '../../hypervisor/vm.ts';
import { fleet } from '../services.ts';

export function useVms(): readonly VmView[] {
  return useStore(fleet.store, ({ vms }) => vms);
}

export function useVm(id: string | undefined): VmView | undefined {
  return useStore(fleet.store, ({ vms }) => vms.find((vm) => vm.id === id));
}

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia(query);
      media.addEventListener('change', changed);
      return () => media.removeEventListener('change', changed);
    },
    () => matchMedia(query).matches,
  );
}

export const NARROW = '(max-width: 760px)';

/** Seconds since `startedAt`, again each second; undefined without one. */
export function useUptime(startedAt: number | undefined): number | undefined {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    if (startedAt === undefined) return;
    setNow(performance.now());
    const timer = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(timer);
  }, [startedAt]);
  return startedAt === undefined ? undefined : Math.max(0, (now - startedAt) / 1000);
}
