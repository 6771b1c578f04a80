/**
 * Alerts: what is raised when a reading stays beyond a threshold for a while, and taken back when
 * it has stayed below a second, lower one for a while. Relies on times and readings that are handed
 * in; guarantees that a reading which swings around a threshold raises nothing twice, that what was
 * not measured (a guest that is paused, a page that was hidden) neither raises nor clears, and that
 * an alert ends with its VM.
 */

export type AlertKind =
  | 'stopped'
  | 'disk-full'
  | 'memory-pressure'
  | 'cpu-starved'
  | 'storage-full'
  | 'host-memory';

export interface AlertRule {
  readonly kind: AlertKind;
  readonly title: string;
  readonly level: 'warning' | 'error';
  /** The reading, a share of 0 to 1, from which on it is raised, and below which it is cleared. */
  readonly raise: number;
  readonly clear: number;
  /** How long the reading must stay there, in milliseconds. */
  readonly raiseAfter_ms: number;
  readonly clearAfter_ms: number;
  /** What is said; `percent` is the reading. */
  text(percent: string): string;
}

/** What a person may turn off or set; the defaults are chosen so that a boot raises nothing. */
export const ALERT_RULES: readonly AlertRule[] = [
  {
    kind: 'stopped',
    title: 'VM stopped by itself',
    level: 'error',
    raise: 1,
    clear: 1,
    raiseAfter_ms: 0,
    clearAfter_ms: 0,
    text: () => 'It has crashed or could not be started. Its log says why; start it again.',
  },
  {
    kind: 'disk-full',
    title: 'Disk nearly full',
    level: 'warning',
    raise: 0.9,
    clear: 0.85,
    raiseAfter_ms: 5000,
    clearAfter_ms: 5000,
    text: (percent) => `${percent} of its disk is used. Delete files in the guest or enlarge it.`,
  },
  {
    kind: 'memory-pressure',
    title: 'Memory pressure',
    level: 'warning',
    raise: 0.92,
    clear: 0.85,
    raiseAfter_ms: 20_000,
    clearAfter_ms: 20_000,
    text: (percent) =>
      `${percent} of its memory is in use by programs. Give it more, or end some in the guest.`,
  },
  {
    kind: 'cpu-starved',
    title: 'CPU starved',
    level: 'warning',
    raise: 0.3,
    clear: 0.15,
    raiseAfter_ms: 30_000,
    clearAfter_ms: 30_000,
    text: (percent) =>
      `It waits ${percent} of the time for a processor that others use or its cap withholds. ` +
      'Raise its cap or weight, or pause other VMs.',
  },
  {
    kind: 'storage-full',
    title: 'Storage of the browser nearly full',
    level: 'warning',
    raise: 0.9,
    clear: 0.8,
    raiseAfter_ms: 0,
    clearAfter_ms: 0,
    text: (percent) =>
      `${percent} of what this browser lets the page store is used. Delete snapshots or disks.`,
  },
  {
    kind: 'host-memory',
    title: 'Memory of the host nearly used up',
    level: 'warning',
    raise: 0.9,
    clear: 0.8,
    raiseAfter_ms: 15_000,
    clearAfter_ms: 15_000,
    text: (percent) =>
      `The guests use ${percent} of the memory that this browser gives. Stop or suspend some.`,
  },
];

/** What one VM, or the host (no `vm`), reads now; a reading that was not taken is left out. */
export interface Readings {
  readonly vm?: string | undefined;
  readonly name: string;
  readonly values: Readonly<Partial<Record<AlertKind, number>>>;
}

export interface Alert {
  readonly vm: string | undefined;
  readonly name: string;
  readonly rule: AlertRule;
  /** Since when the reading has been beyond the threshold, and when that was told. */
  readonly since: number;
  readonly raisedAt: number;
  readonly value: number;
  readonly text: string;
}

export interface AlertChanges {
  readonly raised: readonly Alert[];
  readonly cleared: readonly Alert[];
}

interface Watch {
  /** Since when the reading is on the other side; undefined while it is where it was. */
  turning: number | undefined;
  alert: Alert | undefined;
}

export class Alerts {
  readonly #rules: readonly AlertRule[];
  /** By VM, then by kind. */
  readonly #watches = new Map<string | undefined, Map<AlertKind, Watch>>();
  readonly #muted = new Set<AlertKind>();

  constructor(rules: readonly AlertRule[] = ALERT_RULES) {
    this.#rules = rules;
  }

  /** Those that stand, the newest first. */
  get active(): Alert[] {
    return [...this.#watches.values()]
      .flatMap((watches) => [...watches.values()].flatMap(({ alert }) => alert ?? []))
      .sort((a, b) => b.raisedAt - a.raisedAt);
  }

  /** Turns a kind off or on; what stands of it goes. */
  mute(kind: AlertKind, muted: boolean): void {
    if (!muted) this.#muted.delete(kind);
    else {
      this.#muted.add(kind);
      for (const watches of this.#watches.values()) watches.delete(kind);
    }
  }

  /** Takes the readings of all VMs and the host. What is not among them is gone, and its alerts with it. */
  evaluate(now: number, all: readonly Readings[]): AlertChanges {
    const raised: Alert[] = [];
    const cleared: Alert[] = [];
    const present = new Set(all.map(({ vm }) => vm));
    for (const vm of [...this.#watches.keys()]) {
      if (!present.has(vm)) this.#watches.delete(vm);
    }
    for (const readings of all) {
      for (const rule of this.#rules) {
        if (this.#muted.has(rule.kind)) continue;
        const watch = this.#watch(readings.vm, rule.kind);
        const value = readings.values[rule.kind];
        if (watch.alert === undefined) {
          const alert = risen(now, watch, rule, readings, value);
          if (alert) raised.push(alert);
        } else {
          const ended = watch.alert;
          if (fallen(now, watch, rule, value)) cleared.push(ended);
        }
      }
    }
    return { raised, cleared };
  }

  #watch(vm: string | undefined, kind: AlertKind): Watch {
    let watches = this.#watches.get(vm);
    if (watches === undefined) {
      watches = new Map();
      this.#watches.set(vm, watches);
    }
    let watch = watches.get(kind);
    if (watch === undefined) {
      watch = { turning: undefined, alert: undefined };
      watches.set(kind, watch);
    }
    return watch;
  }
}

function risen(
  now: number,
  watch: Watch,
  rule: AlertRule,
  readings: Readings,
  value: number | undefined,
): Alert | undefined {
  if (value === undefined || value < rule.raise) {
    watch.turning = undefined;
    return undefined;
  }
  watch.turning ??= now;
  if (now - watch.turning < rule.raiseAfter_ms) return undefined;
  watch.alert = {
    vm: readings.vm,
    name: readings.name,
    rule,
    since: watch.turning,
    raisedAt: now,
    value,
    text: rule.text(`${Math.round(value * 100)}%`),
  };
  watch.turning = undefined;
  return watch.alert;
}

function fallen(now: number, watch: Watch, rule: AlertRule, value: number | undefined): boolean {
  if (value === undefined || value >= rule.clear) {
    watch.turning = undefined;
    return false;
  }
  watch.turning ??= now;
  if (now - watch.turning < rule.clearAfter_ms) return false;
  watch.alert = undefined;
  watch.turning = undefined;
  return true;
}
