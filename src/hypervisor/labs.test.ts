import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Lab } from '../resources/lab.ts';
import { readLab, writeLab } from '../storage/lab/lab-file.ts';
import { templateSources } from './expect-boot.ts';
import { Fleet } from './fleet.ts';
import { bringLabUp, labOf } from './labs.ts';
import { fakeWorkers } from './testing/fake-worker.ts';

const TEMPLATE = {
  name: 'micro',
  title: 'Micro',
  description: '',
  manifest: 'micro/manifest.json',
};
const OPTIONS = { signal: new AbortController().signal, progress: () => {}, made: () => {} };

let fleet: Fleet;

beforeEach(() => {
  const list = JSON.stringify({ format: 1, templates: [TEMPLATE] });
  vi.stubGlobal('navigator', { hardwareConcurrency: 2 });
  vi.stubGlobal('fetch', async () => new Response(list));
  fleet = new Fleet({
    templates: templateSources(new URL('http://page/images/')),
    assets: { worker: '', core: '', coreShared: '' },
    workers: fakeWorkers().workers,
  });
});
afterEach(() => vi.unstubAllGlobals());

function labWith(vms: string): Lab {
  const read = readLab(`format: 1\nname: tried\nvms: ${vms}\n`);
  if (read.kind === 'problems') throw new Error(read.problems.join(' '));
  return read.lab;
}

describe('what the page cannot do for a lab is said before anything is made', () => {
  test.each([
    ['{ a: { template: other } }', /There is no template “other”\./],
    ['{ a: { disks: [{ file: x.img }] } }', /“a” has a disk of a file/],
    ['{ a: { files: [{ path: /x, source: x.txt }] } }', /“a” has a file with a source/],
    ['{ taken: {} }', /There is a machine “taken” already/],
  ])('%s', async (vms, sentence) => {
    fleet.create({ template: TEMPLATE, name: 'taken', count: 1, start: false });
    await expect(bringLabUp(fleet, labWith(vms), OPTIONS)).rejects.toThrow(sentence);
    expect(fleet.all).toHaveLength(1);
  });
});

test('machines as a lab file keep what a lab can say of them', () => {
  fleet.create({
    template: TEMPLATE,
    name: 'web',
    count: 2,
    memory: 128 << 20,
    disk: 16 << 20,
    limits: { cpu: { cap: 40, weight: 200 }, disk: { iops: 50, bandwidth: 1 << 20 } },
    cold: true,
    tags: ['front'],
    start: false,
  });
  fleet.create({ template: TEMPLATE, name: 'plain', count: 1, start: false });
  const read = readLab(writeLab(labOf('kept', fleet.all)));
  const web = {
    template: 'micro',
    resources: {
      cpu: { cap: 40, weight: 200 },
      memory: { maximum: '131072K' },
      disk: { iops: 50, bandwidth: '1024K' },
    },
    disks: [{ size: '16384K' }],
    cold: true,
    tags: ['front'],
  };
  expect(read).toEqual({
    kind: 'lab',
    lab: {
      format: 1,
      name: 'kept',
      vms: { 'web-1': web, 'web-2': web, plain: { template: 'micro' } },
    },
  });
});
