/**
 * Machines that nobody needs any more: which are to be suspended because they have had nothing to do
 * for long, or because their time is over. Pure: the times are handed in. Guarantees that a machine
 * which works, or is not on, is left alone, and that each is suspended for one reason.
 */
import * as v from 'valibot';

const MINUTE_MS = 60_000;

const Minutes = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(7 * 24 * 60));

/** What a person has chosen; by the names of machines, for ids begin anew with each page. */
export const SprawlSettingsSchema = v.object({
  /** Minutes without work after which a machine is suspended; undefined: never. */
  suspendAfter: v.optional(Minutes),
  /** Until when machines are wanted, in milliseconds since 1970. */
  expiry: v.record(v.pipe(v.string(), v.maxLength(200)), v.pipe(v.number(), v.finite())),
});
export type SprawlSettings = v.InferOutput<typeof SprawlSettingsSchema>;

export const NO_SPRAWL: SprawlSettings = { expiry: {} };

export interface Candidate {
  readonly id: string;
  readonly name: string;
  /** On, and nothing else is being done to it. */
  readonly ready: boolean;
  /** Since when it has had nothing to do; undefined while it works. */
  readonly idleSince: number | undefined;
}

export interface Suspension {
  readonly id: string;
  readonly why: 'idle' | 'expired';
  /** A sentence. */
  readonly text: string;
}

export function dueSuspensions(
  now: number,
  settings: SprawlSettings,
  machines: readonly Candidate[],
): Suspension[] {
  return machines.flatMap(({ id, idleSince, name, ready }): Suspension[] => {
    if (!ready) return [];
    const expiry = expiryOf(settings, name);
    if (expiry !== undefined && now >= expiry) {
      return [{ id, why: 'expired', text: 'Its time is over: it was suspended to a snapshot.' }];
    }
    const { suspendAfter } = settings;
    if (suspendAfter === undefined || idleSince === undefined) return [];
    if (now - idleSince < suspendAfter * MINUTE_MS) return [];
    const span = suspendAfter === 1 ? 'a minute' : `${suspendAfter} minutes`;
    return [
      {
        id,
        why: 'idle',
        text: `It had nothing to do for ${span}: it was suspended to a snapshot.`,
      },
    ];
  });
}

export function expiryOf({ expiry }: SprawlSettings, name: string): number | undefined {
  return Object.hasOwn(expiry, name) ? expiry[name] : undefined;
}

/** The settings with another expiry of one machine; undefined: it has none. */
export function withExpiry(
  settings: SprawlSettings,
  name: string,
  until: number | undefined,
): SprawlSettings {
  const rest = Object.entries(settings.expiry).filter(([other]) => other !== name);
  const expiry = Object.fromEntries(until === undefined ? rest : [...rest, [name, until]]);
  return { ...settings, expiry };
}
