/**
 * Automatic ballooning in the page: now and then looks at what the guests hold and need, and asks
 * those for memory that can spare it, when the host has little. Driven by the reports of the VMs'
 * workers, so that it works in a hidden page too. What a person has set for a VM stays its most.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import { type BallooningGuest, ballooning } from '../../resources/ballooning.ts';
import type { EventLog } from '../../resources/event-log.ts';
import type { FleetState } from '../fleet.ts';
import type { VmView } from '../vm.ts';

/** Time between two looks, in milliseconds: a guest needs a while to give memory back. */
const LOOK_MS = 5000;
const MIB = 1024 * 1024;
/** A guest keeps what its kernel reserves for itself and so much more, unless its limits say. */
const LEAST_BESIDE_KERNEL = 40 * MIB;

export interface BalloonerSources {
  readonly fleet: {
    readonly store: StoreApi<FleetState>;
    readonly events: EventLog;
    get(id: string): { setMemoryTarget(bytes: number): void } | undefined;
  };
  now(): number;
  /** Bytes that guests may have together; undefined until it has been measured. */
  budget(): number | undefined;
  /** Whether it acts at first, and who remembers when that changes. */
  readonly on: boolean;
  remember(on: boolean): void;
}

export class Ballooner {
  /** Whether it acts. */
  readonly automatic: StoreApi<{ readonly on: boolean }>;
  readonly #sources: BalloonerSources;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stop: (() => void) | undefined;

  constructor(sources: BalloonerSources) {
    this.#sources = sources;
    this.automatic = createStore(() => ({ on: sources.on }));
  }

  start(): void {
    const { store } = this.#sources.fleet;
    this.#stop ??= store.subscribe(({ vms }) => this.#observe(vms));
  }

  dispose(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Off: guests get back what was taken from them. */
  switch(on: boolean): void {
    if (on === this.automatic.getState().on) return;
    this.automatic.setState({ on });
    this.#sources.remember(on);
    if (on) return;
    for (const view of this.#sources.fleet.store.getState().vms) {
      const guest = guestOf(view);
      if (guest && guest.target < guest.maximum) this.#ask(guest.id, guest.maximum);
    }
  }

  #observe(vms: readonly VmView[]): void {
    const { fleet, now, budget } = this.#sources;
    const at = now();
    const bytes = budget();
    if (!this.automatic.getState().on || bytes === undefined || at - this.#lookedAt < LOOK_MS) {
      return;
    }
    this.#lookedAt = at;
    const guests = vms.flatMap((view) => guestOf(view) ?? []);
    for (const { id, target, why } of ballooning(bytes, guests)) {
      const before = guests.find((guest) => guest.id === id)!.target;
      this.#ask(id, target);
      if (why !== 'host is short' || target > before) continue;
      fleet.events.add({
        vm: id,
        name: vms.find((view) => view.id === id)?.name,
        kind: 'memory',
        text: 'The host is short of memory: the guest was asked to give some back.',
        data: { target },
      });
    }
  }

  #ask(id: string, target: number): void {
    this.#sources.fleet.get(id)?.setMemoryTarget(target);
  }
}

/** A VM as ballooning sees it; undefined while it holds nothing. */
export function guestOf({ id, status, figures, limits }: VmView): BallooningGuest | undefined {
  if (figures === undefined || status === 'off') return undefined;
  const { size, target, balloon, guest } = figures.memory;
  const maximum = limits.memory?.target ?? size;
  const reserved = guest === undefined ? size : size - guest.total;
  const least = limits.memory?.minimum ?? reserved + LEAST_BESIDE_KERNEL;
  return {
    id,
    minimum: Math.min(least, maximum),
    maximum,
    target,
    held: figures.memoryInUse,
    available: guest?.available,
    busy: figures.busy,
    // A paused guest answers nobody.
    balloon: balloon && guest !== undefined && status === 'running',
  };
}
