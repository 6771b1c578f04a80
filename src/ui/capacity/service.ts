/**
 * What watches the fleet for the page: telemetry, the host's assessment, and what of both outlives
 * the page. A script of its own, fetched when the first VM is up or a view asks for it.
 */
import urls from 'virtual:worker-assets';
import { createStore } from 'zustand/vanilla';
import {
  assessHost,
  budgetOf,
  type HostAssessment,
  rememberedAssessment,
} from '../../hypervisor/host-assessment.ts';
import { Ballooner } from '../../hypervisor/resources/ballooner.ts';
import { Telemetry } from '../../hypervisor/telemetry.ts';
import { WorkerAssets } from '../../hypervisor/worker-assets.ts';
import { fleet } from '../services.ts';
import { readStored, writeStored } from './stored.ts';

/** How often the browser is asked how much of its storage is used, in milliseconds. */
const STORAGE_MS = 60_000;
const COSTS_KEY = 'costs';
const EVENTS_KEY = 'events';
const BALLOONING_KEY = 'ballooning';
/** What the next page gets of either: local storage is small. */
const COSTS_KEPT = 100;
const EVENTS_KEPT = 500;

interface HostState {
  readonly assessment: HostAssessment | undefined;
  readonly measuring: boolean;
}

export const host = createStore<HostState>(() => ({
  assessment: rememberedAssessment(),
  measuring: false,
}));

const assets = new WorkerAssets(urls);
let storageShare: number | undefined;
let storageAt = Number.NEGATIVE_INFINITY;

/** Milliseconds since 1970, on a clock that nobody sets back while the page is open. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export const telemetry = new Telemetry({
  fleet,
  now,
  budget: () => budgetOf(host.getState().assessment),
  stored: storedBytes,
  storageShare() {
    if (now() - storageAt > STORAGE_MS) {
      storageAt = now();
      void askStorage();
    }
    return storageShare;
  },
});

export const ballooner = new Ballooner({
  fleet,
  now,
  budget: () => budgetOf(host.getState().assessment).memory,
  on: readStored(BALLOONING_KEY) !== false,
  remember: (on) => writeStored(BALLOONING_KEY, on),
});
ballooner.start();

// Ids begin anew with each page: what VMs of a former one cost stays apart.
const page = Math.round(performance.timeOrigin).toString(36);
telemetry.costs.restore(readStored(COSTS_KEY), (vm) => (vm.includes('@') ? vm : `${vm}@${page}`));
telemetry.start();
fleet.events.restore(readStored(EVENTS_KEY));
addEventListener('pagehide', () => {
  writeStored(COSTS_KEY, telemetry.costs.bills.slice(-COSTS_KEPT));
  writeStored(EVENTS_KEY, fleet.events.events.slice(-EVENTS_KEPT));
});

/** Measures the host; `speed` takes two seconds of a processor. */
export async function assess(speed: boolean): Promise<void> {
  if (host.getState().measuring) return;
  host.setState({ measuring: true });
  try {
    host.setState({ assessment: await assessHost(assets, speed) });
  } finally {
    host.setState({ measuring: false });
  }
}

/** Bytes of each disk, by its id. */
let disks: ReadonlyMap<string, number> = new Map();

/** What a VM's disks and snapshots take. */
function storedBytes(id: string): number {
  const vm = fleet.get(id);
  if (vm?.view.keptId === undefined) return 0;
  const snapshots = fleet.snapshots
    .getState()
    .list.filter((snapshot) => snapshot.vm === vm.view.keptId)
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const own = vm.specification.disks ?? [];
  return own.reduce((sum, disk) => sum + (disks.get(disk.id) ?? 0), snapshots);
}

async function askStorage(): Promise<void> {
  try {
    // Only where it is open anyway.
    if (fleet.snapshots.getState().storage.kind === 'ready') {
      const api = await fleet.storage.api();
      disks = new Map((await api.disks()).map((disk) => [disk.id, disk.stored]));
    }
    const { usage = 0, quota = 0 } = await navigator.storage.estimate();
    storageShare = quota > 0 ? usage / quota : undefined;
  } catch {
    storageShare = undefined;
  }
}
