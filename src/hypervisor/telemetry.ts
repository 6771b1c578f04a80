/**
 * Watches the fleet: keeps the series of each VM and of the host, the alerts that stand, and what
 * each VM costs. Driven by the reports of the VMs' workers alone, so that it works in a hidden page,
 * whose timers browsers slow down, and does nothing while no VM runs. Relies on the fleet's store;
 * guarantees that what was not measured (a paused VM, a page that was frozen) is a gap.
 */
import type { StoreApi } from 'zustand/vanilla';
import type { Budget, Load } from '../resources/admission.ts';
import { type Alert, Alerts, type Readings } from '../resources/alerts.ts';
import { Costs } from '../resources/costs.ts';
import type { EventLog } from '../resources/event-log.ts';
import { Series } from '../resources/series.ts';
import type { Figures } from '../worker/figures.ts';
import type { FleetState } from './fleet.ts';
import { addValues, type Metric, type MetricValues, valuesOf } from './metrics.ts';
import { isLive, type VmView } from './vm.ts';

/** Reports come every second, of large idle VMs every five; after a longer silence there is a gap. */
const SILENCE_MS = 7000;
/** What a report stands for when there is none before it. */
const FIRST_MS = 1000;
/** The host's own figures are added up at most this often. */
const HOST_MS = 1000;
/** Below this share of a processor a guest counts as idle: what an idle kernel takes is less. */
const IDLE_SHARE = 0.03;
/**
 * One that is idle stays so until an average which forgets in this time is above: the agent's answer
 * now and then fills an eighth of a second, and is no work of the guest's.
 */
const IDLE_MEMORY_MS = 10_000;

export interface TelemetrySources {
  readonly fleet: { readonly store: StoreApi<FleetState>; readonly events: EventLog };
  /** Milliseconds since 1970, on a clock that is never set back. */
  now(): number;
  /** What guests may have together. */
  budget(): Budget;
  /** Bytes of storage that a VM's disks and snapshots take. */
  stored(vm: string): number;
  /** Share of the browser's storage that is used; undefined while it is not known. */
  storageShare(): number | undefined;
}

interface Watched {
  readonly series: Series<Metric>;
  figures: Figures | undefined;
  /** When the last report came; undefined after a gap. */
  at: number | undefined;
  values: MetricValues;
  idleSince: number | undefined;
  /** While it is idle: the share of a processor that it used of late, on average. */
  load: number;
}

export class Telemetry {
  readonly host = new Series<Metric>();
  readonly costs = new Costs();
  readonly alerts = new Alerts();
  readonly #sources: TelemetrySources;
  readonly #watched = new Map<string, Watched>();
  readonly #listeners = new Set<(raised: readonly Alert[]) => void>();
  #hostAt: number | undefined;
  #stop: (() => void) | undefined;

  constructor(sources: TelemetrySources) {
    this.#sources = sources;
  }

  /** Begins to watch; what runs already is seen from its next report on. */
  start(): void {
    const { store } = this.#sources.fleet;
    this.#stop ??= store.subscribe(({ vms }) => this.#observe(vms));
    this.#observe(store.getState().vms);
  }

  dispose(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#listeners.clear();
  }

  series(vm: string): Series<Metric> | undefined {
    return this.#watched.get(vm)?.series;
  }

  /** What the last report of a VM said; nothing while it does not run. */
  latest(vm: string): MetricValues {
    return this.#watched.get(vm)?.values ?? {};
  }

  /** Since when a VM that runs has had nothing to do; undefined while it works or is off. */
  idleSince(vm: string): number | undefined {
    return this.#watched.get(vm)?.idleSince;
  }

  /** Each VM as far as it counts for admission. */
  loads(): Load[] {
    return this.#sources.fleet.store.getState().vms.map((vm) => this.#load(vm));
  }

  /** Calls `listener` with alerts that have just been raised or cleared (then with none). */
  onAlerts(listener: (raised: readonly Alert[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #load(vm: VmView): Load {
    const { cpu_used = 0, cpu_steal = 0 } = this.latest(vm.id);
    return {
      maximum: vm.memory ?? 0,
      used: vm.figures?.memoryInUse ?? 0,
      busy: Math.min(1, cpu_used + cpu_steal),
      live: isLive(vm.status),
    };
  }

  #observe(vms: readonly VmView[]): void {
    const now = this.#sources.now();
    for (const id of [...this.#watched.keys()]) {
      if (vms.some((vm) => vm.id === id)) continue;
      this.#watched.delete(id);
      this.costs.deleted(id);
    }
    let reported = false;
    for (const vm of vms) reported = this.#report(vm, now) || reported;
    if (reported) this.#addUp(now);
    this.#watch(now, vms);
  }

  /** Takes a VM's report, when it is a new one. */
  #report(vm: VmView, now: number): boolean {
    const watched = this.#watchedOf(vm.id);
    const { figures } = vm;
    if (figures === watched.figures) return false;
    const before = watched.figures;
    watched.figures = figures;
    if (figures === undefined) {
      watched.at = undefined;
      watched.idleSince = undefined;
      watched.values = {};
      return false;
    }
    const from =
      watched.at === undefined || now - watched.at > SILENCE_MS ? now - FIRST_MS : watched.at;
    watched.at = now;
    watched.values = valuesOf(vm);
    watched.series.record(from, now, watched.values);
    if (vm.status === 'running') this.#judgeIdle(watched, figures.busy, from, now);
    else watched.idleSince = undefined;
    this.costs.charge(vm.id, vm.name, {
      from,
      to: now,
      instructions: Math.max(0, figures.instructions - (before?.instructions ?? 0)),
      busy: figures.busy,
      memory: figures.memoryInUse,
      storage: this.#sources.stored(vm.id),
    });
    return true;
  }

  #judgeIdle(watched: Watched, busy: number, from: number, now: number): void {
    if (watched.idleSince === undefined) {
      if (busy >= IDLE_SHARE) return;
      watched.idleSince = now;
      watched.load = 0;
      return;
    }
    watched.load += (busy - watched.load) * (1 - Math.exp((from - now) / IDLE_MEMORY_MS));
    if (watched.load >= IDLE_SHARE) watched.idleSince = undefined;
  }

  /** The host's figures are the sum of the VMs'. */
  #addUp(now: number): void {
    const last = this.#hostAt;
    if (last !== undefined && now - last < HOST_MS) return;
    const sum: MetricValues = {};
    for (const { at, values } of this.#watched.values()) {
      if (at !== undefined && now - at <= SILENCE_MS) addValues(sum, values);
    }
    // Idle is what no VM used of the host's processors.
    if (sum.cpu_used !== undefined) {
      sum.cpu_idle = Math.max(0, this.#sources.budget().cores - sum.cpu_used);
    }
    const from = last === undefined || now - last > SILENCE_MS ? now - FIRST_MS : last;
    this.host.record(from, now, sum);
    this.#hostAt = now;
  }

  #watch(now: number, vms: readonly VmView[]): void {
    const readings: Readings[] = vms.map((vm) => this.#readings(vm));
    readings.push({ name: 'This host', values: this.#hostReadings() });
    const { raised, cleared } = this.alerts.evaluate(now, readings);
    if (raised.length + cleared.length === 0) return;
    const { events } = this.#sources.fleet;
    for (const { vm, name, rule, text } of raised) {
      events.add({ vm, name, kind: 'alert', level: rule.level, text: `${rule.title}: ${text}` });
    }
    for (const { vm, name, rule } of cleared) {
      events.add({ vm, name, kind: 'alert', text: `${rule.title}: over.` });
    }
    for (const listener of [...this.#listeners]) listener(raised);
  }

  #readings(vm: VmView): Readings {
    const ended = vm.status === 'crashed' || vm.status === 'failed';
    const { figures } = vm;
    const measured = figures !== undefined && vm.status !== 'paused';
    const guest = figures?.memory.guest;
    const files = figures?.agent?.filesystem;
    return {
      vm: vm.id,
      name: vm.name,
      values: {
        stopped: ended ? 1 : 0,
        ...(measured ? { 'cpu-starved': figures.steal } : {}),
        ...(measured && guest !== undefined && guest.total > 0
          ? { 'memory-pressure': 1 - Math.min(1, guest.available / guest.total) }
          : {}),
        ...(measured && files !== undefined && files.size > 0
          ? { 'disk-full': files.used / files.size }
          : {}),
      },
    };
  }

  #hostReadings(): Readings['values'] {
    const { memory } = this.#sources.budget();
    const storage = this.#sources.storageShare();
    const used = this.loads().reduce((sum, load) => sum + (load.live ? load.used : 0), 0);
    return {
      ...(memory === undefined ? {} : { 'host-memory': used / memory }),
      ...(storage === undefined ? {} : { 'storage-full': storage }),
    };
  }

  #watchedOf(id: string): Watched {
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      watched = {
        series: new Series<Metric>(),
        figures: undefined,
        at: undefined,
        values: {},
        idleSince: undefined,
        load: 0,
      };
      this.#watched.set(id, watched);
    }
    return watched;
  }
}
