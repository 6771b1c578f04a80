import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, dueSuspensions, expiryOf, NO_SPRAWL, withExpiry } from './sprawl.ts';

const MINUTE = 60_000;
const idle: Candidate = { id: '1', name: 'web', ready: true, idleSince: 0 };

describe('sprawl', () => {
  it('suspends what has had nothing to do for as long as was chosen, and nothing by default', () => {
    const settings = { ...NO_SPRAWL, suspendAfter: 30 };
    expect(dueSuspensions(1e12, NO_SPRAWL, [idle])).toEqual([]);
    expect(dueSuspensions(30 * MINUTE - 1, settings, [idle])).toEqual([]);
    expect(dueSuspensions(30 * MINUTE, settings, [idle])).toMatchObject([
      { id: '1', why: 'idle', text: expect.stringContaining('30 minutes') },
    ]);
    expect(dueSuspensions(1e12, settings, [{ ...idle, idleSince: undefined }])).toEqual([]);
    expect(dueSuspensions(1e12, settings, [{ ...idle, ready: false }])).toEqual([]);
  });

  it('suspends what has expired, at work or not, and once', () => {
    const settings = withExpiry({ ...NO_SPRAWL, suspendAfter: 1 }, 'web', 5 * MINUTE);
    const busy = { ...idle, idleSince: undefined };
    expect(dueSuspensions(5 * MINUTE - 1, settings, [busy])).toEqual([]);
    expect(dueSuspensions(5 * MINUTE, settings, [busy, idle])).toMatchObject([
      { why: 'expired' },
      { why: 'expired' },
    ]);
    expect(dueSuspensions(1e12, withExpiry(settings, 'web', undefined), [busy])).toEqual([]);
  });

  it('an expiry is that machine’s alone, whatever it is called', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer(), (one, other, until) => {
        const settings = withExpiry(NO_SPRAWL, one, until);
        expect(expiryOf(settings, other)).toBe(one === other ? until : undefined);
        expect(expiryOf(withExpiry(settings, one, undefined), one)).toBeUndefined();
      }),
    );
  });
});
