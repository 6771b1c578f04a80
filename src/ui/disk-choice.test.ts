import { expect, test } from 'vitest';
import { diskProblem, diskRequest } from './disk-choice.ts';

test('sizes are checked where one is needed', () => {
  const problem = (sizeText: string) => diskProblem({ kind: 'persistent', sizeText });
  expect(problem('much')).toMatch(/Write a size/);
  expect(problem('')).toMatch(/Write a size/);
  expect(problem('4k')).toMatch(/At least/);
  expect(problem('65G')).toBe('At most 64 GB.');
  expect(problem('64G')).toBeUndefined();
  expect(diskProblem({ kind: 'none', sizeText: 'much' })).toBeUndefined();
});

test('a choice becomes what the fleet understands', () => {
  const choice = (kind: 'none' | 'scratch' | 'persistent' | 'existing') => ({
    kind,
    sizeText: '8 MB',
  });
  const size = 8 << 20;
  expect(diskRequest(choice('none'), undefined, false)).toEqual({});
  expect(diskRequest(choice('scratch'), undefined, false)).toEqual({
    disks: [{ kind: 'scratch', size }],
  });
  // Without storage it is in the page's memory.
  expect(diskRequest(choice('scratch'), undefined, true)).toEqual({ disk: size });
  expect(diskRequest(choice('persistent'), undefined, false)).toEqual({
    disks: [{ kind: 'persistent', size }],
  });
  expect(diskRequest(choice('existing'), 'ab', false)).toEqual({
    disks: [{ id: 'ab', kind: 'persistent' }],
  });
});
