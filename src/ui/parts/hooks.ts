/** Small hooks: the fleet's views, a media query, a clock for durations. */
import { useMemo, useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { VmStatus, VmView } from '../../hypervisor/vm.ts';
import { STATUS_WORD } from '../format.ts';
import { fleet } from '../services.ts';

/** What lists and tabs show of a VM. It changes rarely; figures change every second. */
export interface VmSummary {
  readonly id: string;
  readonly name: string;
  readonly status: VmStatus | 'silent';
  readonly word: string;
}

/** Summaries of all VMs, the same objects as long as nothing in them changes. */
export function useVms(): readonly VmSummary[] {
  const texts = useStore(
    fleet.store,
    useShallow(({ vms }: { vms: readonly VmView[] }) =>
      vms.map(({ id, name, status, silent }) =>
        JSON.stringify({ id, name, status: silent ? 'silent' : status }),
      ),
    ),
  );
  return useMemo(
    () =>
      texts.map((text) => {
        const { id, name, status }: Omit<VmSummary, 'word'> = JSON.parse(text);
        return { id, name, status, word: STATUS_WORD[status] };
      }),
    [texts],
  );
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
/** Fingers: no hints of keys that are not there, and no keyboard that flashes up by itself. */
export const TOUCH = '(pointer: coarse)';

const never = () => () => {};

/** One clock for all durations on the page: they change in one frame, once a second. */
let now = performance.now();
const tellers = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

function onTick(tell: () => void): () => void {
  tellers.add(tell);
  ticking ??= setInterval(() => {
    now = performance.now();
    for (const teller of tellers) teller();
  }, 1000);
  return () => {
    tellers.delete(tell);
    if (tellers.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

/** Seconds that a VM has been up, again each second; undefined while it is not. */
export function useUptime(vm: VmView | undefined): number | undefined {
  const startedAt = vm?.startedAt;
  const pausedAt = vm?.pausedAt;
  // Whole seconds: what stays the same renders nothing.
  const whole = () =>
    startedAt === undefined
      ? undefined
      : Math.max(0, Math.floor(((pausedAt ?? now) - startedAt) / 1000));
  return useSyncExternalStore(
    startedAt === undefined || pausedAt !== undefined ? never : onTick,
    whole,
  );
}
