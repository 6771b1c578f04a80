/** Addresses describe fleets so that reading them gives the same fleets again. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DescribedVm, describeVms } from './boot-address.ts';
import { parseBootRequest } from './boot-request.ts';
import { freeNames } from './names.ts';

const TEMPLATES = ['micro', 'debian'].map((name) => ({
  name,
  title: name,
  description: '',
  manifest: `${name}/manifest.json`,
}));

/** The fleet that the page would make of an address. */
function fleetOf(query: string): DescribedVm[] {
  const parsed = parseBootRequest(query, TEMPLATES);
  if (parsed.kind === 'problems') throw new Error(parsed.problems.join(' '));
  if (parsed.kind === 'none') return [];
  const vms: DescribedVm[] = [];
  for (const { template, count, name, memory, disk, start, cold, run } of parsed.requests) {
    const taken = new Set(vms.map((vm) => vm.name));
    for (const made of freeNames(name ?? '', template, count, taken)) {
      vms.push({ template, name: made, memory, disk, cold, run, off: start === false });
    }
  }
  return vms;
}

const vm = (name: string, more: Partial<DescribedVm> = {}): DescribedVm => ({
  template: 'micro',
  name,
  memory: undefined,
  disk: undefined,
  cold: undefined,
  run: undefined,
  off: false,
  ...more,
});

test.each([
  [[], ''],
  [[vm('micro-1')], '?boot=micro'],
  [[vm('micro-1'), vm('micro-2'), vm('micro-3')], '?boot=micro:3'],
  [
    [vm('lab-1', { memory: 128 << 20 }), vm('lab-2', { memory: 128 << 20 })],
    '?boot=micro:2&name=lab&memory=128M',
  ],
  [[vm('micro-2'), vm('micro-3')], '?boot=micro&name=micro-2&boot=micro&name=micro-3'],
  [[vm('db', { memory: 1 << 30, off: true })], '?boot=micro&name=db&memory=1G&start=no'],
  [[vm('micro-1', { cold: true }), vm('micro-2')], '?boot=micro&cold&boot=micro'],
  [[vm('micro-1', { run: 'ls -l /tmp & echo' })], '?boot=micro&run=ls+-l+/tmp+%26+echo'],
])('%j is %s', (vms, query) => {
  expect(describeVms('', vms)).toBe(query);
  expect(fleetOf(query)).toEqual(vms);
});

test('what the address says of other things stays', () => {
  expect(describeVms('?utm_source=x&boot=micro:3&memory=1G', [vm('micro-1')])).toBe(
    '?utm_source=x&boot=micro',
  );
  expect(describeVms('?utm_source=x&boot=micro', [])).toBe('?utm_source=x');
});

test('an address starts sixteen VMs, so it describes no more', () => {
  const vms = Array.from({ length: 20 }, (_, index) => vm(`micro-${index + 1}`));
  expect(describeVms('', vms)).toBe('?boot=micro:16');
});

test('any fleet survives the way there and back', () => {
  const name = fc.oneof(
    fc.constantFrom('micro-1', 'micro-2', 'micro-3', 'debian-1', 'lab', 'lab-1', 'lab-2'),
    fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.trim() === text),
  );
  const described = fc.record({
    template: fc.constantFrom('micro', 'debian'),
    name,
    memory: fc.option(fc.constantFrom(96 << 20, 1 << 30, 123_456_789), { nil: undefined }),
    disk: fc.option(fc.constantFrom(1024, 64 << 20), { nil: undefined }),
    run: fc.option(
      fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''),
      { nil: undefined },
    ),
    cold: fc.constantFrom(true, undefined),
    off: fc.boolean(),
  });
  const fleet = fc.uniqueArray(described, { maxLength: 16, selector: (made) => made.name });
  fc.assert(
    fc.property(fleet, (vms) => {
      expect(fleetOf(describeVms('', vms))).toEqual(vms);
    }),
  );
});
