import { expect, test } from 'vitest';
import { bringUp, rollingUpdate } from './lab-run.ts';

/** Work that ends when the test says so. */
function steps() {
  const begun: string[] = [];
  const ends = new Map<string, { done: () => void; failed: (error: Error) => void }>();
  const work = ({ name }: { name: string }) =>
    new Promise<void>((done, failed) => {
      begun.push(name);
      ends.set(name, { done, failed });
    });
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return { begun, ends, work, settle };
}

const member = (name: string, ...after: string[]) => ({ name, after });

test('what waits for nothing starts at once, the rest when all before it is ready', async () => {
  const { begun, ends, work, settle } = steps();
  const all = [member('c', 'a', 'b'), member('a'), member('b'), member('d', 'c')];
  const up = bringUp(all, work);
  await settle();
  expect(begun).toEqual(['a', 'b']);
  ends.get('a')!.done();
  await settle();
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')!.done();
  await settle();
  expect(begun).toEqual(['a', 'b', 'c']);
  ends.get('c')!.done();
  await settle();
  ends.get('d')!.done();
  await up;
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
});

test('after a failure nothing new begins', async () => {
  const { begun, ends, work, settle } = steps();
  const up = bringUp([member('a'), member('b'), member('c', 'b')], work);
  await settle();
  ends.get('a')!.failed(new Error('It does not start.'));
  await expect(up).rejects.toThrow('It does not start.');
  ends.get('b')!.done();
  await settle();
  expect(begun).toEqual(['a', 'b']);
});

test('an update goes in batches and lets the old ones go after each', async () => {
  const log: string[] = [];
  const all = ['a', 'b', 'c'].map((name) => ({ name }));
  const end = await rollingUpdate(all, 2, {
    replace: async ({ name }) => void log.push(`new ${name}`),
    restore: async ({ name }) => void log.push(`old ${name}`),
    settle: async ({ name }) => void log.push(`gone ${name}`),
  });
  expect(end).toEqual({ kind: 'updated', count: 3 });
  expect(log).toEqual(['new a', 'new b', 'gone a', 'gone b', 'new c', 'gone c']);
});

test('a failure puts all back, the last one first, and touches no more', async () => {
  const log: string[] = [];
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name }));
  const end = await rollingUpdate(all, 2, {
    replace: async ({ name }) => {
      log.push(`new ${name}`);
      if (name === 'c') throw new Error('It is not healthy.');
    },
    restore: async ({ name }) => {
      log.push(`old ${name}`);
      if (name === 'a') throw new Error('Gone.');
    },
  });
  const lost = ['a'];
  expect(end).toEqual({ kind: 'rolled-back', name: 'c', reason: 'It is not healthy.', lost });
  const back = ['old d', 'old c', 'old b', 'old a'];
  expect(log).toEqual(['new a', 'new b', 'new c', 'new d', ...back]);
});
