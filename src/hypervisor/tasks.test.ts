import { afterEach, expect, test, vi } from 'vitest';
import { CANCEL_MS, TASKS_MAXIMUM, Tasks, type TaskView } from './tasks.ts';

afterEach(() => void vi.useRealTimers());

function fixture() {
  const ended: TaskView[] = [];
  let time = 1000;
  const tasks = new Tasks(
    (task) => ended.push(task),
    () => time,
  );
  const pass = (ms: number) => {
    time += ms;
  };
  return { tasks, ended, pass, list: () => tasks.store.getState().tasks };
}

test('a task is listed at once, tells its progress, and ends with what it said', async () => {
  const { tasks, ended, pass, list } = fixture();
  let finish: (value: number) => void = () => {};
  const result = tasks.run('Copy', { vm: '3' }, (task) => {
    task.progress(1, 10);
    task.says('Halfway.');
    return new Promise<number>((resolve) => {
      finish = resolve;
    });
  });
  expect(list()).toMatchObject([
    { title: 'Copy', vm: '3', state: 'running', progress: { done: 1, total: 10, unit: 'bytes' } },
  ]);
  pass(500);
  finish(7);
  expect(await result).toBe(7);
  expect(ended).toMatchObject([{ state: 'done', text: 'Halfway.', started: 1000, ended: 1500 }]);
});

test('a failure is the task’s sentence with what to do next, and rejects nothing', async () => {
  const { tasks, list } = fixture();
  const result = await tasks.run('Copy', { next: 'Free some.' }, async () => {
    throw new Error('The storage is full.');
  });
  expect(result).toBeUndefined();
  expect(list()).toMatchObject([
    { state: 'failed', text: 'The storage is full.', next: 'Free some.' },
  ]);
});

test('progress within a moment is dropped, the last of it never', () => {
  const { tasks, pass, list } = fixture();
  void tasks.run('Copy', {}, (task) => {
    task.progress(1, 100);
    task.progress(2, 100);
    expect(list()[0]?.progress?.done).toBe(1);
    pass(200);
    task.progress(3, 100);
    expect(list()[0]?.progress?.done).toBe(3);
    task.progress(100, 100);
    expect(list()[0]?.progress?.done).toBe(100);
    return new Promise(() => {});
  });
});

test('a cancelled task ends as cancelled', async () => {
  const { tasks, list } = fixture();
  const result = tasks.run(
    'Copy',
    {},
    ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  tasks.cancel(1);
  expect(list()).toMatchObject([{ state: 'running', stopping: true }]);
  await result;
  expect(list()).toMatchObject([{ state: 'cancelled', stopping: false }]);
});

test('one that does not answer is given up, and its late end changes nothing', async () => {
  vi.useFakeTimers();
  const { tasks, ended, list } = fixture();
  let finish: () => void = () => {};
  const result = tasks.run('Copy', {}, () => new Promise<void>((resolve) => (finish = resolve)));
  tasks.cancel(1);
  vi.advanceTimersByTime(CANCEL_MS);
  expect(list()).toMatchObject([{ state: 'cancelled' }]);
  finish();
  await result;
  expect(list()).toMatchObject([{ state: 'cancelled' }]);
  expect(ended).toHaveLength(1);
});

test('the list is bounded, and what runs stays', async () => {
  const { tasks, list } = fixture();
  void tasks.run('Long', {}, () => new Promise(() => {}));
  for (let i = 0; i < TASKS_MAXIMUM + 10; i++) await tasks.run(`Task ${i}`, {}, async () => i);
  expect(list()).toHaveLength(TASKS_MAXIMUM);
  expect(list()[0]?.title).toBe('Long');
  expect(list().at(-1)?.title).toBe(`Task ${TASKS_MAXIMUM + 9}`);
  tasks.clear();
  expect(list()).toMatchObject([{ title: 'Long' }]);
});
