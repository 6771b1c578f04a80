import * as Comlink from 'comlink';
import { afterEach, describe, expect, test } from 'vitest';
import { ReplySchema, WorkerMessageSchema } from '../worker/protocol.ts';
import { eventually } from '../worker/testing/eventually.ts';
import { FIGURES } from '../worker/testing/figures.ts';
import { checkedEndpoint, listenChecked } from './guard.ts';

const open: MessagePort[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

function channel() {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  return { page: port1, worker: port2 };
}

describe('a port to a worker that may be hostile', () => {
  function listen() {
    const { page, worker } = channel();
    const received: unknown[] = [];
    const violations: string[] = [];
    listenChecked(
      page,
      WorkerMessageSchema,
      (message) => received.push(message),
      (what) => violations.push(what),
    );
    return { worker, received, violations };
  }

  test('messages that fit arrive', async () => {
    const { worker, received, violations } = listen();
    worker.postMessage({ type: 'state', state: { kind: 'running' } });
    worker.postMessage({ type: 'output', source: 'hvc', data: Uint8Array.of(1, 2) });
    worker.postMessage({ type: 'figures', figures: FIGURES });
    await eventually(() => expect(received).toHaveLength(3));
    expect(violations).toEqual([]);
  });

  test.each<[string, unknown]>([
    ['no object', 'hello'],
    ['an unknown type', { type: 'storage' }],
    ['an additional field', { type: 'state', state: { kind: 'running' }, more: 1 }],
    ['an unknown state', { type: 'state', state: { kind: 'root' } }],
    [
      'a reason that is too long',
      { type: 'state', state: { kind: 'off', reason: 'x'.repeat(3000) } },
    ],
    ['a reason of another type', { type: 'state', state: { kind: 'off', reason: {} } }],
    ['a chunk that is too long', { type: 'output', source: 'hvc', data: new Uint8Array(40_000) }],
    [
      'a small view of a large buffer',
      { type: 'output', source: 'hvc', data: new Uint8Array(1 << 20).subarray(0, 8) },
    ],
    ['a figure that is no number', { type: 'figures', figures: { ...FIGURES, busy: Number.NaN } }],
    ['a share above one', { type: 'figures', figures: { ...FIGURES, busy: 2 } }],
  ])('%s is a violation, and nothing arrives afterwards', async (_, message) => {
    const { worker, received, violations } = listen();
    worker.postMessage(message);
    worker.postMessage({ type: 'state', state: { kind: 'running' } });
    await eventually(() => expect(violations).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(received).toEqual([]);
    expect(violations).toHaveLength(1);
  });

  test('a flood is a violation', async () => {
    const { worker, violations } = listen();
    for (let i = 0; i < 5000; i++)
      worker.postMessage({ type: 'state', state: { kind: 'running' } });
    await eventually(() => expect(violations).toEqual(['it sent too many messages']));
  });
});

describe('comlink over a checked port', () => {
  test('a call gets its answer, an error its sentence', async () => {
    const { page, worker } = channel();
    Comlink.expose(
      {
        ping: async () => {},
        fail: async () => {
          throw new Error('not now');
        },
      },
      worker,
    );
    const violations: string[] = [];
    const api = Comlink.wrap<{ ping(): Promise<void>; fail(): Promise<void> }>(
      checkedEndpoint(page, ReplySchema, (what) => violations.push(what)),
    );
    await api.ping();
    await expect(api.fail()).rejects.toThrow('not now');
    expect(violations).toEqual([]);
  });

  test('a value, a proxy or a port instead of an answer is a violation', async () => {
    for (const reply of [
      { id: '1', type: 'RAW', value: 'a value' },
      { id: '1', type: 'HANDLER', name: 'proxy', value: {} },
      { id: '1', type: 'HANDLER', name: 'throw', value: { isError: false, value: {} } },
    ]) {
      const { page, worker } = channel();
      const violations: string[] = [];
      checkedEndpoint(page, ReplySchema, (what) => violations.push(what));
      worker.postMessage(reply);
      await eventually(() => expect(violations).toHaveLength(1));
    }
  });
});
