import * as Comlink from 'comlink';
import * as v from 'valibot';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type PageMessage,
  type VmApi,
  type WorkerMessage,
  WorkerMessageSchema,
} from './protocol.ts';
import { eventually } from './testing/eventually.ts';
import { createFakeMachine } from './testing/fake-machine.ts';
import { type MachineFactory, serveVm } from './vm-server.ts';

const EMPTY_MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
const open: MessagePort[] = [];

afterEach(() => {
  for (const port of open.splice(0)) port.close();
  vi.unstubAllGlobals();
});

/** A served VM with the page's ends of its ports. */
function serve(factory: MachineFactory = createFakeMachine) {
  let greet: (event: unknown) => void = () => {};
  vi.stubGlobal('addEventListener', (_: string, listener: typeof greet) => {
    greet = listener;
  });
  serveVm(factory);
  const control = new MessageChannel();
  const stream = new MessageChannel();
  open.push(control.port1, control.port2, stream.port1, stream.port2);
  greet({ data: { control: control.port2, stream: stream.port2 } });
  const messages: WorkerMessage[] = [];
  stream.port1.onmessage = ({ data }) => {
    // What a well-behaved worker sends passes the page's check.
    const message = v.parse(WorkerMessageSchema, data);
    messages.push(message);
    if (message.type === 'output') send({ type: 'acknowledge', bytes: message.data.length });
  };
  const send = (message: PageMessage) => stream.port1.postMessage(message);
  const api = Comlink.wrap<VmApi>(control.port1);
  const boot = async () => {
    await api.prepare(EMPTY_MODULE.slice().buffer);
    return api.boot({
      memory: 128 << 20,
      kernel: { name: 'kernel', bytes: new ArrayBuffer(8), packed: false, size: 8 },
      append: '',
      shared: false,
      columns: 100,
      rows: 30,
    });
  };
  const text = () =>
    messages
      .flatMap((message) =>
        message.type === 'output' ? [new TextDecoder().decode(message.data)] : [],
      )
      .join('');
  const states = () =>
    messages.flatMap((message) => (message.type === 'state' ? [message.state] : []));
  return { api, boot, send, text, states };
}

const type = (text: string): PageMessage => ({
  type: 'input',
  data: new TextEncoder().encode(text),
});

describe('a served VM', () => {
  test('boots, prints, and answers what is typed', async () => {
    const vm = serve();
    await vm.boot();
    await eventually(() => expect(vm.text()).toContain('# '));
    vm.send(type('stty\r'));
    await eventually(() => expect(vm.text()).toContain('100x30'));
    vm.send({ type: 'resize', columns: 81, rows: 25 });
    vm.send(type('stty\r'));
    await eventually(() => expect(vm.text()).toContain('81x25'));
  });

  test('obeys what came while its machine was being made', async () => {
    let go: () => void = () => {};
    const going = new Promise<void>((resolve) => {
      go = resolve;
    });
    const vm = serve(async (...parts) => {
      await going;
      return createFakeMachine(...parts);
    });
    const booting = vm.boot();
    vm.send({ type: 'resize', columns: 81, rows: 25 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    go();
    await booting;
    await eventually(() => expect(vm.text()).toContain('# '));
    vm.send(type('stty\r'));
    await eventually(() => expect(vm.text()).toContain('81x25'));
  });

  test('reports its states, with the reason', async () => {
    const vm = serve();
    await vm.boot();
    await vm.api.pause();
    await vm.api.resume();
    await eventually(() => expect(vm.text()).toContain('# '));
    vm.send(type('panic\r'));
    await eventually(() => expect(vm.states().at(-1)?.kind).toBe('crashed'));
    expect(vm.states().map(({ kind }) => kind)).toEqual([
      'running',
      'paused',
      'running',
      'crashed',
    ]);
    expect(vm.states().at(-1)?.reason).toContain('panic');
  });

  test('a flood goes on only as the page acknowledges, and commands are still obeyed', async () => {
    const vm = serve();
    await vm.boot();
    await eventually(() => expect(vm.text()).toContain('# '));
    vm.send(type('yes\r'));
    await eventually(() => expect(vm.text().length).toBeGreaterThan(200_000));
    await vm.api.powerOff();
    await eventually(() => expect(vm.states().at(-1)?.kind).toBe('off'));
  });

  test('what fails becomes a rejected command with a sentence', async () => {
    const vm = serve(async () => {
      throw new Error('There is too little memory for this machine.');
    });
    await expect(vm.boot()).rejects.toThrow('There is too little memory for this machine.');
    await expect(vm.api.pause()).rejects.toThrow('The machine has not been created yet.');
  });

  test('a machine that throws at input is reported as crashed', async () => {
    const vm = serve(async (...parts) => {
      const machine = await createFakeMachine(...parts);
      machine.consoleInput = () => {
        throw new Error('a device is broken');
      };
      return machine;
    });
    await vm.boot();
    vm.send(type('x'));
    await eventually(() =>
      expect(vm.states().at(-1)).toEqual({ kind: 'crashed', reason: 'a device is broken' }),
    );
  });
});
