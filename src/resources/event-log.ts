/**
 * What happened, in order: to each VM and to the whole. Relies on a clock that is handed to it;
 * guarantees bounded memory whatever a guest does (texts are clipped, an event that repeats is
 * counted, the oldest go), and a list that stays the same object until something changes.
 */
import * as v from 'valibot';

/** Every kind of event that there is: filters and documents use these names. */
export const EVENT_KINDS = [
  'created',
  'started',
  'booted',
  'paused',
  'resumed',
  'reset',
  'off',
  'crashed',
  'deleted',
  'limit',
  'snapshot',
  'restore',
  'clone',
  'backup',
  'suspended',
  'expired',
  'disk-error',
  'refused-input',
  'memory',
  'stalled',
  'guest',
  'alert',
  'lab',
  'task',
  'host',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export const EVENT_LEVELS = ['info', 'warning', 'error'] as const;
export type EventLevel = (typeof EVENT_LEVELS)[number];

/** Events that are kept: about a megabyte at the most. */
export const EVENTS_MAXIMUM = 2000;
/** Longer texts are clipped, in UTF-16 units: some come from guests. */
export const EVENT_TEXT_MAXIMUM = 500;
/** Figures that may go with an event. */
const DATA_FIELDS_MAXIMUM = 16;
/** The same event again within this time is counted, not listed, in milliseconds. */
export const REPEAT_MS = 60_000;

const Clipped = v.pipe(v.string(), v.maxLength(EVENT_TEXT_MAXIMUM));

/** An event as it is stored and exported: what comes back from a document passes this. */
export const LogEventSchema = v.object({
  /** Milliseconds since 1970: of the first time, where it was repeated. */
  time: v.pipe(v.number(), v.finite()),
  /** The VM's id and its name at that time; neither for what concerns the whole. */
  vm: v.optional(v.pipe(v.string(), v.maxLength(200))),
  name: v.optional(v.pipe(v.string(), v.maxLength(200))),
  kind: v.picklist(EVENT_KINDS),
  level: v.picklist(EVENT_LEVELS),
  /** A sentence. */
  text: Clipped,
  data: v.optional(
    v.record(v.pipe(v.string(), v.maxLength(60)), v.union([Clipped, v.number(), v.boolean()])),
  ),
  /** How often it happened within a minute of the time before, when more than once. */
  count: v.optional(v.pipe(v.number(), v.integer(), v.minValue(2))),
  /** When it happened last, when more than once. */
  until: v.optional(v.pipe(v.number(), v.finite())),
});

export interface LogEvent extends Readonly<v.InferOutput<typeof LogEventSchema>> {
  /** Grows with each event of this log: a key for lists. */
  readonly sequence: number;
}

export interface NewEvent {
  vm?: string | undefined;
  name?: string | undefined;
  kind: EventKind;
  level?: EventLevel | undefined;
  text: string;
  data?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface EventFilter {
  vm?: string | undefined;
  kind?: EventKind | undefined;
  /** This level and what is worse. */
  level?: EventLevel | undefined;
  /** Words that must all be in it. */
  words?: string | undefined;
}

export class EventLog {
  readonly #now: () => number;
  readonly #limit: number;
  readonly #listeners = new Set<() => void>();
  #events: LogEvent[] = [];
  #shown: readonly LogEvent[] | undefined;
  #sequence = 0;

  /** `now`: milliseconds since 1970. */
  constructor(now: () => number, limit = EVENTS_MAXIMUM) {
    this.#now = now;
    this.#limit = limit;
  }

  /** All that are kept, oldest first; the same list until something is added. */
  get events(): readonly LogEvent[] {
    this.#shown ??= [...this.#events];
    return this.#shown;
  }

  /** Calls `listener` after each change, until the function that it returns is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(event: NewEvent): void {
    const time = this.#now();
    const text = clip(event.text);
    const index = this.#events.findLastIndex(({ vm }) => vm === event.vm);
    const last = this.#events[index];
    if (
      last !== undefined &&
      last.kind === event.kind &&
      last.text === text &&
      time - (last.until ?? last.time) < REPEAT_MS
    ) {
      this.#events[index] = { ...last, count: (last.count ?? 1) + 1, until: time };
    } else {
      this.#events.push({
        sequence: this.#sequence++,
        time,
        ...(event.vm === undefined ? {} : { vm: event.vm }),
        ...(event.name === undefined ? {} : { name: event.name.slice(0, 200) }),
        kind: event.kind,
        level: event.level ?? 'info',
        text,
        ...(event.data === undefined ? {} : { data: clipData(event.data) }),
      });
      if (this.#events.length > this.#limit) this.#events.shift();
    }
    this.#changed();
  }

  /** Puts events of a former time in front; what is no event is left out. */
  restore(stored: unknown): void {
    const list = v.safeParse(v.array(v.unknown()), stored);
    if (!list.success) return;
    const former = list.output.slice(-this.#limit).flatMap((entry): LogEvent[] => {
      const parsed = v.safeParse(LogEventSchema, entry);
      return parsed.success ? [{ ...parsed.output, sequence: this.#sequence++ }] : [];
    });
    this.#events = [...former, ...this.#events].slice(-this.#limit);
    this.#changed();
  }

  clear(): void {
    this.#events = [];
    this.#changed();
  }

  #changed(): void {
    this.#shown = undefined;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Those that pass the filter, in the same order. */
export function filterEvents(events: readonly LogEvent[], filter: EventFilter): LogEvent[] {
  const least = EVENT_LEVELS.indexOf(filter.level ?? 'info');
  const words = (filter.words ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return events.filter((event) => {
    if (filter.vm !== undefined && event.vm !== filter.vm) return false;
    if (filter.kind !== undefined && event.kind !== filter.kind) return false;
    if (EVENT_LEVELS.indexOf(event.level) < least) return false;
    const haystack = `${event.name ?? ''} ${event.kind} ${event.level} ${event.text}`.toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}

/** One JSON object in each line, as log collectors read them; times as ISO 8601. */
export function toJsonLines(events: readonly LogEvent[]): string {
  return events
    .map(({ sequence: _, time, until, ...rest }) =>
      JSON.stringify({
        time: new Date(time).toISOString(),
        ...rest,
        ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function clip(text: string): string {
  return text.length <= EVENT_TEXT_MAXIMUM ? text : `${text.slice(0, EVENT_TEXT_MAXIMUM - 1)}…`;
}

function clipData(data: NonNullable<NewEvent['data']>): NonNullable<LogEvent['data']> {
  return Object.fromEntries(
    Object.entries(data)
      .slice(0, DATA_FIELDS_MAXIMUM)
      .map(([key, value]) => [key.slice(0, 60), typeof value === 'string' ? clip(value) : value]),
  );
}
