import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { capOf, LimitsSchema, PRESETS, withLimits } from './limits.ts';

const MIB = 1024 * 1024;

function problem(value: unknown): string | undefined {
  const result = v.safeParse(LimitsSchema, value);
  return result.success ? undefined : result.issues[0].message;
}

describe('limits', () => {
  it.each(Object.entries(PRESETS))('preset %s fits', (_, preset) => {
    expect(problem(preset)).toBeUndefined();
  });

  it.each([
    [{ cpu: { cap: 0 } }, 'The cap of a processor, in percent, is a whole number from 1 to 100.'],
    [
      { cpu: { cap: 12.5 } },
      'The cap of a processor, in percent, is a whole number from 1 to 100.',
    ],
    [{ cpu: { weight: 1001 } }, 'The weight of a VM is a whole number from 1 to 1000.'],
    [{ cpu: { harts: 2 } }, 'A VM has one hart for now: several are not possible yet.'],
    [{ disk: { burst: 0 } }, 'A burst is at least 0.05 s long.'],
    [
      { memory: { minimum: 128 * MIB, maximum: 96 * MIB } },
      'The least memory of a VM is at most what it gets by with, and that is at most all that it has.',
    ],
  ])('%j is refused', (limits, message) => {
    expect(problem(limits)).toBe(message);
  });

  it('refuses what it does not know', () => {
    expect(problem({ cpu: { share: 3 } })).toContain('share');
  });

  it('changes say only what changes', () => {
    const limits = withLimits(PRESETS.tiny, { cpu: { cap: 20 }, disks: [{ iops: 5 }] });
    expect(limits).toEqual({ ...PRESETS.tiny, cpu: { cap: 20, weight: 50 }, disks: [{ iops: 5 }] });
    expect(capOf(limits)).toBe(0.2);
    expect(capOf({})).toBe(1);
  });
});
