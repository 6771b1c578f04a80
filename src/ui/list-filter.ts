/**
 * The search of the machine list: words, all of which a machine must match. `status:running`,
 * `template:micro` and `tag:client` look at one thing, any other word at name, template, tags and
 * state. And its order.
 */
import type { VmView } from '../hypervisor/vm.ts';
import { statusWord } from './format.ts';

export const SORTS = {
  made: 'As made',
  name: 'Name',
  state: 'State',
  memory: 'Memory',
} as const;
export type Sort = keyof typeof SORTS;

type Listed = Pick<VmView, 'id' | 'name' | 'template' | 'status' | 'memory' | 'silent' | 'tags'>;

export function isSort(text: string | null): text is Sort {
  return text !== null && Object.hasOwn(SORTS, text);
}

export function matches(vm: Listed, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => matchesWord(vm, word));
}

function matchesWord(vm: Listed, word: string): boolean {
  const state = `${vm.status} ${statusWord(vm)}`.toLowerCase();
  const template = `${vm.template.name} ${vm.template.title}`.toLowerCase();
  const [, key, value = ''] = /^(status|state|template|name|tag):(.*)$/.exec(word) ?? [];
  if (key === 'status' || key === 'state') return state.includes(value);
  if (key === 'template') return template.includes(value);
  if (key === 'name') return vm.name.toLowerCase().includes(value);
  const tags = vm.tags.map((tag) => tag.toLowerCase());
  if (key === 'tag') return tags.some((tag) => tag.startsWith(value));
  return [vm.name.toLowerCase(), template, state, ...tags].some((text) => text.includes(word));
}

/** States in the order in which they need somebody. */
const URGENCY: readonly VmView['status'][] = [
  'crashed',
  'failed',
  'running',
  'booting',
  'starting',
  'downloading',
  'paused',
  'off',
];

export function sorted<T extends Listed>(vms: readonly T[], sort: Sort): readonly T[] {
  if (sort === 'made') return vms;
  const byName = (a: T, b: T) => a.name.localeCompare(b.name, undefined, { numeric: true });
  return vms.toSorted((a, b) => {
    if (sort === 'state') {
      return URGENCY.indexOf(a.status) - URGENCY.indexOf(b.status) || byName(a, b);
    }
    if (sort === 'memory') return (b.memory ?? 0) - (a.memory ?? 0) || byName(a, b);
    return byName(a, b);
  });
}

/** From the address: nothing that is as it always is stands there. */
export function readList(search: string): { filter: string; sort: Sort } {
  const parameters = new URLSearchParams(search);
  const sort = parameters.get('sort');
  return {
    filter: (parameters.get('filter') ?? '').slice(0, 200),
    sort: isSort(sort) ? sort : 'made',
  };
}

export function describeList(search: string, list: { filter: string; sort: Sort }): string {
  const parts = search
    .replace(/^\?/, '')
    .split('&')
    .filter((part) => part !== '' && !/^(filter|sort)(=|$)/.test(part));
  if (list.filter !== '') parts.push(`filter=${encodeURIComponent(list.filter)}`);
  if (list.sort !== 'made') parts.push(`sort=${list.sort}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}
