import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostName, withHostName } from './host-name.ts';

test.each([
  ['micro-2', 'micro-2'],
  ['My lab / 1', 'My-lab-1'],
  ['a -- b', 'a-b'],
  ['-x-', 'x'],
  ['x init=/bin/sh', 'x-init-bin-sh'],
  ['日本', ''],
  [`${'n'.repeat(62)}-n`, 'n'.repeat(62)],
])('%j is %j', (name, host) => {
  expect(hostName(name)).toBe(host);
});

test('whatever the name, the command line gains one host name or nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(withHostName('quiet', name, 'micro')).toMatch(
        /^quiet( hostname=[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)?$/,
      );
    }),
  );
});

test('a VM called like its template, or without room, leaves the command line alone', () => {
  expect(withHostName('quiet', 'micro', 'micro')).toBe('quiet');
  expect(withHostName('', 'micro-1', 'micro')).toBe('hostname=micro-1');
  const full = 'x'.repeat(1023 - ' hostname=lab'.length);
  expect(withHostName(full, 'lab', 'micro')).toHaveLength(1023);
  expect(withHostName(full, 'lab2', 'micro')).toBe(full);
});
