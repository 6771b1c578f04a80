import { expect, test } from 'vitest';
import { describeList, matches, readList, sorted } from './list-filter.ts';

const vm = (name: string, status: 'running' | 'off' | 'crashed', memory = 1) => ({
  id: name,
  name,
  status,
  memory,
  silent: false,
  tags: ['Front'],
  template: { name: 'micro', title: 'Micro', description: '', manifest: 'm' },
});

test('every word must match, in what it names or anywhere', () => {
  const one = vm('web-1', 'running');
  for (const search of [
    '',
    'WEB',
    'web running',
    'status:running',
    'template:mic web',
    'name:1',
    'tag:fro',
    'ront',
  ]) {
    expect(matches(one, search), search).toBe(true);
  }
  for (const search of ['db', 'status:off', 'name:running', 'web off', 'tag:back', 'tag:web']) {
    expect(matches(one, search), search).toBe(false);
  }
});

test('orders', () => {
  const list = [vm('b-10', 'off', 3), vm('b-9', 'running', 1), vm('a', 'crashed', 2)];
  const names = (sort: 'made' | 'name' | 'state' | 'memory') =>
    sorted(list, sort).map(({ name }) => name);
  expect(names('made')).toEqual(['b-10', 'b-9', 'a']);
  expect(names('name')).toEqual(['a', 'b-9', 'b-10']);
  expect(names('state')).toEqual(['a', 'b-9', 'b-10']);
  expect(names('memory')).toEqual(['b-10', 'a', 'b-9']);
});

test('the address keeps them, and what else it says', () => {
  const search = describeList('?boot=micro:3&sort=name', { filter: 'a b&c', sort: 'state' });
  expect(search).toBe('?boot=micro:3&filter=a%20b%26c&sort=state');
  expect(readList(search)).toEqual({ filter: 'a b&c', sort: 'state' });
  expect(describeList(search, { filter: '', sort: 'made' })).toBe('?boot=micro:3');
  expect(readList('?sort=toString')).toEqual({ filter: '', sort: 'made' });
});
