import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Lab } from '../resources/lab.ts';
import { readLab, writeLab } from '../storage/lab/lab-file.ts';
import { eventually } from '../worker/testing/eventually.ts';
import { templateSources } from './expect-boot.ts';
import { Fleet } from './fleet.ts';
import { labOf } from './lab-export.ts';
import { bringLabUp, updateByLab } from './labs.ts';
import { type FakeWorker, fakeWorkers } from './testing/fake-worker.ts';
import { fetchMicro, MICRO } from './testing/micro-images.ts';

const MEMORY = 1 << 20;
const OPTIONS = { signal: new AbortController().signal, progress: () => {}, made: () => {} };

let fleet: Fleet;
let made: FakeWorker[];

beforeEach(async () => {
  vi.stubGlobal('navigator', { hardwareConcurrency: 2 });
  vi.stubGlobal('fetch', await fetchMicro(MEMORY));
  const workers = fakeWorkers();
  made = workers.made;
  fleet = new Fleet({
    templates: templateSources(new URL('http://page/images/')),
    assets: { worker: '', core: '', coreShared: '' },
    workers: workers.workers,
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
    fleet.create({ template: MICRO, name: 'taken', count: 1, start: false });
    await expect(bringLabUp(fleet, labWith(vms), OPTIONS)).rejects.toThrow(sentence);
    expect(fleet.all).toHaveLength(1);
  });
});

const names = () => fleet.all.map(({ view }) => view.name);
const vmOf = (name: string) => fleet.all.find(({ view }) => view.name === name)!;

/** The guest of the newest machine shows its prompt. */
async function prompts(name: string): Promise<void> {
  await eventually(() => expect(vmOf(name).view.status).toBe('booting'));
  made.at(-1)!.prints('# ');
}

/** What the guest's script would leave of how it went. */
function says(name: string, text: string): Promise<unknown> {
  return vmOf(name).shared.put('.lab/status', new Blob([text]));
}

const textOf = (name: string, path: string) => new Response(vmOf(name).shared.read(path)).text();

describe('a lab comes up', () => {
  test('one that waits is not even made before the other is ready', async () => {
    const progress = vi.fn();
    const lab = labWith(
      '{ client: { after: [server] }, server: { ready: { command: test -e /x } } }',
    );
    const up = bringLabUp(fleet, lab, { ...OPTIONS, progress });
    await prompts('server');
    await eventually(() => expect(vmOf('server').view.status).toBe('running'));
    expect(names()).toEqual(['server']);
    await says('server', 'ready');
    await eventually(() => expect(names()).toEqual(['server', 'client']));
    await prompts('client');
    await up;
    expect(progress.mock.calls).toEqual([
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
  });

  test('files and commands are in the shared folder before the guest starts', async () => {
    const vm = `{ files: [{ path: "/etc/it's", text: hello, mode: "0600" }, { path: /b, source: b.txt }], run: ["echo 'x'"] }`;
    const source = async (path: string) => new Blob([`of ${path}`]);
    const up = bringLabUp(fleet, labWith(`{ a: ${vm} }`), { ...OPTIONS, source });
    await prompts('a');
    expect(await textOf('a', '.lab/0')).toBe('hello');
    expect(await textOf('a', '.lab/1')).toBe('of b.txt');
    const script = await textOf('a', '.lab/start');
    expect(script).toContain(`cp /mnt/shared/.lab/0 '/etc/it'\\''s' && chmod 0600 '/etc/it'\\''s'`);
    expect(script).toContain(`sh -c 'echo '\\''x'\\''' || fail`);
    await says('a', 'ready');
    await up;
  });

  test('a text on the console makes it ready', async () => {
    let ready = false;
    const up = bringLabUp(fleet, labWith('{ a: { ready: { console: all is well } } }'), {
      ...OPTIONS,
      progress: (count) => {
        ready = count === 1;
      },
    });
    await prompts('a');
    made[0]!.prints('all is ');
    await eventually(() => expect(vmOf('a').view.status).toBe('running'));
    expect(ready).toBe(false);
    made[0]!.prints('well\n');
    await up;
  });

  test.each([
    ['exit 3', '“exit 3” ended with 3.', /^a: “exit 3” ended with 3\.$/],
    ['true', 'x'.repeat(3000), /^a: it said too much/],
  ])('what fails in it ends it: %s, %#', async (command, word, sentence) => {
    const lab = labWith(`{ a: { run: ["${command}"] }, b: { after: [a] } }`);
    const up = bringLabUp(fleet, lab, OPTIONS);
    const end = expect(up).rejects.toThrow(sentence);
    await prompts('a');
    await says('a', word);
    await end;
    expect(names()).toEqual(['a']);
  });

  test('one that is not ready in its time, or ends, is told', async () => {
    const late = bringLabUp(
      fleet,
      labWith('{ a: { ready: { prompt: true, within: 0.3s } } }'),
      OPTIONS,
    );
    await expect(late).rejects.toThrow('a was not ready within 0.3 s.');
    const dead = bringLabUp(fleet, labWith('{ b: {} }'), OPTIONS);
    const end = expect(dead).rejects.toThrow(/^b has ended: .*it broke/);
    await eventually(() => expect(vmOf('b').view.status).toBe('booting'));
    made.at(-1)!.crash('it broke');
    await end;
  });

  test('its task can be cancelled: nothing more is begun', async () => {
    const abort = new AbortController();
    const lab = labWith('{ a: {}, b: { after: [a] } }');
    const up = bringLabUp(fleet, lab, { ...OPTIONS, signal: abort.signal });
    const end = expect(up).rejects.toThrow('enough');
    await eventually(() => expect(vmOf('a').view.status).toBe('booting'));
    abort.abort(new Error('enough'));
    await end;
    expect(names()).toEqual(['a']);
  });
});

describe('machines make way for those of a lab', () => {
  const TWO = '{ a: { tags: [new] }, b: { tags: [new] } }';
  const states = () =>
    Object.fromEntries(fleet.all.map(({ view }) => [view.name, [view.status, ...view.tags]]));

  beforeEach(async () => {
    const up = bringLabUp(fleet, labWith('{ a: {}, b: { after: [a] } }'), OPTIONS);
    await prompts('a');
    await eventually(() => expect(made).toHaveLength(2));
    await prompts('b');
    await up;
  });

  test('batch by batch; the old ones end when all are ready', async () => {
    const progress = vi.fn();
    const up = updateByLab(fleet, labWith(TWO), () => 1, { ...OPTIONS, progress });
    await eventually(() => expect(made).toHaveLength(3));
    expect(states()).toMatchObject({ b: ['running'], a: [expect.any(String), 'new'] });
    await prompts('a');
    await eventually(() => expect(made).toHaveLength(4));
    expect(made.map(({ closed }) => closed)).toEqual([false, false, false, false]);
    await prompts('b');
    expect(await up).toEqual({ kind: 'updated', count: 2 });
    expect(states()).toEqual({ a: ['running', 'new'], b: ['running', 'new'] });
    expect(made.map(({ closed }) => closed)).toEqual([true, true, false, false]);
    expect(progress.mock.calls).toEqual([
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
  });

  test('when one does not get ready all old ones go on, also those of a former batch', async () => {
    const before = [...fleet.all];
    const up = updateByLab(fleet, labWith(TWO), () => 1, OPTIONS);
    await eventually(() => expect(made).toHaveLength(3));
    await prompts('a');
    await eventually(() => expect(made).toHaveLength(4));
    await eventually(() => expect(vmOf('b').view.status).toBe('booting'));
    made[3]!.crash('it broke');
    expect(await up).toMatchObject({ kind: 'rolled-back', name: 'b', lost: [] });
    await eventually(() => expect(states()).toEqual({ a: ['running'], b: ['running'] }));
    expect(new Set(fleet.all)).toEqual(new Set(before));
    expect(made.map(({ closed }) => closed)).toEqual([false, false, true, true]);
  });

  test('what a lab describes as it was is left alone', async () => {
    const end = await updateByLab(fleet, labWith('{ a: {} }'), () => 1, OPTIONS);
    expect(end).toEqual({ kind: 'updated', count: 0 });
    expect(made).toHaveLength(2);
  });

  test('a name that is no machine’s is told before anything makes way', async () => {
    const up = updateByLab(fleet, labWith('{ a: { tags: [new] }, c: {} }'), () => 1, OPTIONS);
    await expect(up).rejects.toThrow('There is no machine “c” to replace: create it first.');
    expect(states()).toEqual({ a: ['running'], b: ['running'] });
  });
});

test('machines as a lab file keep what a lab can say of them', () => {
  fleet.create({
    template: MICRO,
    name: 'web',
    count: 2,
    memory: 128 << 20,
    disk: 16 << 20,
    disks: [{ kind: 'scratch', size: 8 << 20 }],
    limits: {
      cpu: { cap: 40, weight: 200 },
      memory: { minimum: 64 << 20, target: 96 << 20 },
      disk: { iops: 50, bandwidth: 1 << 20 },
      disks: [{ iops: 20, burst: 2 }, { bandwidth: 1 << 19 }],
    },
    cold: true,
    tags: ['front'],
    start: false,
  });
  fleet.create({ template: MICRO, name: 'plain', count: 1, start: false });
  const read = readLab(writeLab(labOf('kept', fleet.all)));
  const web = {
    template: 'micro',
    resources: {
      cpu: { cap: 40, weight: 200 },
      memory: { maximum: '131072K', minimum: '65536K', target: '98304K' },
      disk: { iops: 50, bandwidth: '1024K' },
    },
    disks: [
      { size: '8192K', iops: 20, burst: 2 },
      { size: '16384K', bandwidth: '512K' },
    ],
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
