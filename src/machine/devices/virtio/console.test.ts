import { describe, expect, test } from 'vitest';
import { checkState } from '../../testing/state.ts';
import { virtioRig } from '../../testing/virtio-rig.ts';
import { INTERRUPT, REG } from '../../virtio/constants.ts';
import { CONSOLE_EVENT, CONSOLE_FEATURE, ConsoleDevice, type ConsoleOptions } from './console.ts';
import { PORT_INPUT_LIMIT } from './console-port.ts';

const text = (value: string) => new TextEncoder().encode(value);
const string = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const CONTROL_IN = 2;
const CONTROL_OUT = 3;
const { DEVICE_READY, PORT_ADD, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME } =
  CONSOLE_EVENT;

/** A console with a terminal and two named ports, and a log of all that reaches the host. */
function rig(options: Partial<ConsoleOptions> = {}, features?: readonly number[]) {
  const log: string[] = [];
  const port = (name: string, console = false) => ({
    name,
    console,
    onOutput: (data: Uint8Array) => log.push(`${name} < ${string(data)}`),
    onSpace: () => log.push(`${name} space`),
    onGuestOpen: (open: boolean) => log.push(`${name} ${open ? 'opened' : 'closed'}`),
  });
  const ports = [port('tty', true), port('exec.0'), port('exec.1')];
  const all = virtioRig(new ConsoleDevice({ ports, cols: 80, rows: 25, ...options }));
  const { driver } = all;
  driver.start(features);
  const multiport = driver.features.includes(CONSOLE_FEATURE.MULTIPORT);
  const room = (queue: number, buffers = 8, length = 64) => {
    for (let i = 0; i < buffers; i++)
      offers.push({ queue, ...driver.queues[queue]!.offer([], [length]) });
    driver.queues[queue]!.kick();
  };
  const offers: {
    queue: number;
    head: number;
    room: readonly { address: number; length: number }[];
  }[] = [];
  /** What has arrived in the buffers of a queue since the last call. */
  const received = (queue: number) =>
    driver.queues[queue]!.reap().map(({ head, written }) => {
      const at = offers.findIndex((offer) => offer.queue === queue && offer.head === head);
      const [offer] = offers.splice(at, 1);
      return driver.read({ ...offer!.room[0]!, length: written });
    });
  const send = (queue: number, ...data: Uint8Array[]) => {
    driver.queues[queue]!.offer(data, []);
    driver.queues[queue]!.kick();
    return driver.queues[queue]!.reap().length;
  };
  const control = (id: number, event: number, value: number) => {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    send(CONTROL_OUT, bytes);
  };
  /** Messages of the device as [port, event, value, rest]. */
  const messages = () =>
    received(CONTROL_IN).map((bytes) => {
      const view = new DataView(bytes.buffer);
      const event = view.getUint16(4, true);
      const rest = bytes.subarray(8);
      const tail = event === PORT_NAME ? [string(rest)] : event === RESIZE ? [[...rest]] : [];
      return [view.getUint32(0, true), event, view.getUint16(6, true), ...tail];
    });
  /** Brings the ports up as Linux does. */
  const boot = () => {
    room(CONTROL_IN, 32);
    control(0, DEVICE_READY, 1);
    for (const { index } of all.device.ports) control(index, PORT_READY, 1);
    control(0, PORT_OPEN, 1);
    const seen = messages();
    room(CONTROL_IN, 16);
    return seen;
  };
  return { ...all, log, room, received, send, control, messages, boot, multiport };
}

describe('multiport', () => {
  test('ports are announced, named, opened and sized in the order that Linux needs', () => {
    const { boot, device, log } = rig();
    device.ports[1]!.open();
    expect(boot()).toEqual([
      [0, PORT_ADD, 1],
      [1, PORT_ADD, 1],
      [2, PORT_ADD, 1],
      [0, CONSOLE_PORT, 1],
      [0, PORT_NAME, 1, 'tty'],
      [0, PORT_OPEN, 1],
      [0, RESIZE, 0, [80, 0, 25, 0]],
      [1, PORT_NAME, 1, 'exec.0'],
      [1, PORT_OPEN, 1],
      [2, PORT_NAME, 1, 'exec.1'],
    ]);
    expect(log).toEqual(['tty opened']);
  });

  test('a size change is told once, in the order that was asked for', () => {
    const specification = rig();
    specification.boot();
    specification.device.resize(132, 43);
    specification.device.resize(132, 43);
    expect(specification.messages()).toEqual([[0, RESIZE, 0, [132, 0, 43, 0]]]);
    const oldLinux = rig({ resizeOrder: 'rows-cols' });
    oldLinux.boot();
    oldLinux.device.resize(300, 43);
    expect(oldLinux.messages()).toEqual([[0, RESIZE, 0, [43, 0, 44, 1]]]);
  });

  test('sizes that no terminal has are brought into range', () => {
    const { boot, device, messages, transport } = rig();
    boot();
    device.resize(70_000, -4);
    expect(messages()).toEqual([[0, RESIZE, 0, [255, 255, 0, 0]]]);
    device.resize(Number.NaN, 7.9);
    expect(transport.load(REG.CONFIG, 4)).toBe(7 << 16);
  });

  test('messages wait for buffers, and only the last size is told', () => {
    const { device, control, messages, room } = rig();
    control(0, DEVICE_READY, 1);
    control(0, PORT_READY, 1);
    for (let i = 1; i <= 1000; i++) device.resize(i, i);
    for (let i = 0; i < 1000; i++) control(0, DEVICE_READY, 1);
    room(CONTROL_IN, 10);
    expect(messages()).toEqual([
      [0, PORT_ADD, 1],
      [0, CONSOLE_PORT, 1],
      [0, PORT_NAME, 1, 'tty'],
      [0, PORT_OPEN, 1],
      [0, RESIZE, 0, [232, 3, 232, 3]],
      [1, PORT_ADD, 1],
      [2, PORT_ADD, 1],
    ]);
  });

  test('bytes go both ways on each port', () => {
    const { boot, device, room, received, send, control, log } = rig();
    boot();
    device.ports[2]!.open();
    control(2, PORT_OPEN, 1);
    room(0);
    room(6);
    expect(device.ports[0]!.write(text('ls\n'))).toBe(3);
    expect(device.ports[2]!.write(text('run'))).toBe(3);
    expect(received(0).map(string)).toEqual(['ls\n']);
    expect(received(6).map(string)).toEqual(['run']);
    expect(send(1, text('file '), text('list'))).toBe(1);
    expect(send(7, text('done'))).toBe(1);
    expect(log).toEqual(['tty opened', 'exec.1 opened', 'tty < file list', 'exec.1 < done']);
  });

  test('input for a port that nobody has open waits until somebody has', () => {
    const { boot, device, room, received, control } = rig();
    boot();
    const port = device.ports[1]!;
    port.open();
    room(4);
    port.write(text('early'));
    expect(received(4)).toEqual([]);
    control(1, PORT_OPEN, 1);
    expect(received(4).map(string)).toEqual(['early']);
    port.write(text('unread'));
    received(4);
    control(1, PORT_OPEN, 0);
    port.write(text('late'));
    control(1, PORT_OPEN, 1);
    expect(received(4).map(string)).toEqual(['late']);
  });

  test('the end of file comes after all input, and a new beginning after that', () => {
    const { boot, device, room, received, control, messages, log } = rig();
    boot();
    const port = device.ports[1]!;
    port.open();
    control(1, PORT_OPEN, 1);
    messages();
    port.write(text('last words'));
    port.close();
    port.open();
    expect(port.write(text('too early'))).toBe(0);
    expect(messages()).toEqual([]);
    room(4, 1, 4);
    expect(messages()).toEqual([]);
    room(4, 4, 4);
    expect(received(4).map(string).join('')).toBe('last words');
    expect(messages()).toEqual([
      [1, PORT_OPEN, 0],
      [1, PORT_OPEN, 1],
    ]);
    expect(log.filter((line) => line === 'exec.0 space')).not.toHaveLength(0);
    expect(port.write(text('new'))).toBe(3);
    expect(received(4).map(string)).toEqual(['new']);
  });

  test('a port that was never open to the guest says nothing when it closes', () => {
    const { boot, device, messages } = rig();
    boot();
    device.ports[1]!.open();
    device.ports[1]!.close();
    expect(messages()).toEqual([
      [1, PORT_OPEN, 1],
      [1, PORT_OPEN, 0],
    ]);
    const other = rig();
    other.device.ports[1]!.open();
    other.device.ports[1]!.close();
    expect(other.boot().filter(([id, event]) => id === 1 && event === PORT_OPEN)).toEqual([]);
  });

  test('output of a port that the host has closed is taken and dropped', () => {
    const { boot, send, log } = rig();
    boot();
    expect(send(5, text('nobody listens'))).toBe(1);
    expect(log).toEqual(['tty opened']);
  });

  test('a held port leaves output in the guest until it is let go', () => {
    const { boot, device, driver, log } = rig();
    boot();
    const port = device.ports[1]!;
    port.open();
    port.hold(true);
    const queue = driver.queues[5]!;
    for (let i = 0; i < 5; i++) queue.offer([text(`${i}`)], []);
    queue.kick();
    expect(queue.reap()).toEqual([]);
    port.hold(false);
    expect(queue.reap()).toHaveLength(5);
    expect(log.slice(1)).toEqual([0, 1, 2, 3, 4].map((i) => `exec.0 < ${i}`));
  });

  test('input is bounded; the rest is the sender’s, who hears of room', () => {
    const { boot, device, room, received, log } = rig();
    boot();
    const port = device.ports[0]!;
    const flood = new Uint8Array(2 * PORT_INPUT_LIMIT).map((_, i) => i % 253);
    expect(port.write(flood)).toBe(PORT_INPUT_LIMIT);
    expect(port.write(flood)).toBe(0);
    expect(port.pending).toBe(PORT_INPUT_LIMIT);
    const seen: number[] = [];
    while (port.pending > 0) {
      room(0, 16, 512);
      for (const bytes of received(0)) seen.push(...bytes);
    }
    expect(seen).toEqual([...flood.subarray(0, PORT_INPUT_LIMIT)]);
    expect(log.filter((line) => line === 'tty space')).toHaveLength(1);
  });

  test('room is told after the write that found none, never during it', async () => {
    const { boot, device, driver, log } = rig();
    boot();
    const port = device.ports[0]!;
    const queue = driver.queues[0]!;
    for (let i = 0; i < 33; i++) queue.offer([], [2048]);
    queue.kick();
    // The guest takes all that fits at once, so that nothing waits when the write returns.
    const before = log.length;
    expect(port.write(new Uint8Array(PORT_INPUT_LIMIT + 1))).toBe(PORT_INPUT_LIMIT);
    expect(port.pending).toBe(0);
    expect(log.length).toBe(before);
    await Promise.resolve();
    expect(log.slice(before)).toEqual(['tty space']);
    expect(port.write(Uint8Array.of(1))).toBe(1);
    await Promise.resolve();
    expect(log.slice(before)).toEqual(['tty space']);
  });

  test('control messages that make no sense are passed over', () => {
    const { boot, control, messages, driver, send } = rig();
    boot();
    control(99, PORT_READY, 1);
    control(0xffff_ffff, PORT_OPEN, 1);
    control(1, 77, 1);
    control(1, PORT_READY, 0);
    control(0, DEVICE_READY, 0);
    expect(messages()).toEqual([]);
    expect(driver.needsReset).toBe(false);
    send(CONTROL_OUT, text('short'));
    expect(driver.needsReset).toBe(true);
  });

  test('buffers too small for a message, or without room, stop the device', () => {
    const small = rig();
    small.room(CONTROL_IN, 1, 4);
    small.control(0, DEVICE_READY, 1);
    expect(small.driver.needsReset).toBe(true);
    const none = rig();
    none.boot();
    none.driver.queues[0]!.offer([text('x')], []);
    none.device.ports[0]!.write(text('y'));
    none.driver.queues[0]!.kick();
    expect(none.driver.needsReset).toBe(true);
  });

  test('a guest cannot make the host take more than a megabyte at once', () => {
    const { boot, driver, log } = rig();
    boot();
    const address = driver.allocate(64 * 1024);
    const queue = driver.queues[1]!;
    queue.publish(queue.chain(Array.from({ length: 17 }, () => ({ address, length: 64 * 1024 }))));
    queue.kick();
    expect(driver.needsReset).toBe(true);
    expect(log).toEqual(['tty opened']);
  });

  test('a reset closes the guest’s side and forgets its input', () => {
    const { boot, control, device, driver, log } = rig();
    boot();
    control(1, PORT_OPEN, 1);
    device.ports[0]!.write(text('typed'));
    driver.reset();
    expect(device.ports.map((port) => [port.guestOpen, port.pending])).toEqual([
      [false, 0],
      [false, 0],
      [false, 0],
    ]);
    expect(log).toEqual(['tty opened', 'exec.0 opened', 'tty closed', 'exec.0 closed']);
  });

  test('input that a callback sends while the device works arrives too', () => {
    const { boot, device, room, received, send, log } = rig();
    boot();
    const [port] = device.ports;
    const answered = log.push.bind(log);
    log.push = (...lines: string[]) => {
      if (lines[0] === 'tty < ping') port!.write(text('pong'));
      return answered(...lines);
    };
    room(0);
    send(1, text('ping'));
    expect(received(0).map(string)).toEqual(['pong']);
  });
});

describe('a plain console', () => {
  const ports = (log: string[]) => [
    {
      console: true,
      onOutput: (data: Uint8Array) => log.push(string(data)),
      onGuestOpen: (open: boolean) => log.push(open ? 'opened' : 'closed'),
    },
  ];

  test('offers no MULTIPORT and two queues; the size stands in the configuration space', () => {
    const log: string[] = [];
    const { driver, transport, device } = rig({ ports: ports(log), cols: 100, rows: 30 });
    expect(driver.offered()).toEqual([0, 2, 28, 29, 32]);
    expect(driver.queues).toHaveLength(2);
    expect(transport.load(REG.CONFIG, 2)).toBe(100);
    expect(transport.load(REG.CONFIG + 2, 2)).toBe(30);
    expect(log).toEqual(['opened']);
    driver.put(REG.INTERRUPT_ACK, 3);
    device.resize(101, 31);
    expect(driver.get(REG.INTERRUPT_STATUS)).toBe(INTERRUPT.CONFIG_CHANGE);
    expect(transport.load(REG.CONFIG, 4)).toBe((31 << 16) | 101);
    driver.put(REG.INTERRUPT_ACK, 3);
    device.resize(101, 31);
    expect(driver.get(REG.INTERRUPT_STATUS)).toBe(0);
  });

  test('its first output makes the driver look at the size', () => {
    const log: string[] = [];
    const { driver, send } = rig({ ports: ports(log) });
    driver.put(REG.INTERRUPT_ACK, 3);
    send(1, text('# '));
    expect(driver.get(REG.INTERRUPT_STATUS) & INTERRUPT.CONFIG_CHANGE).toBe(
      INTERRUPT.CONFIG_CHANGE,
    );
    driver.put(REG.INTERRUPT_ACK, 3);
    send(1, text('ls'));
    expect(driver.get(REG.INTERRUPT_STATUS) & INTERRUPT.CONFIG_CHANGE).toBe(0);
    expect(log).toEqual(['opened', '# ', 'ls']);
  });

  test('a driver that declines MULTIPORT gets port 0 as a plain console', () => {
    const { device, room, received, send, log, driver } = rig({}, [CONSOLE_FEATURE.SIZE]);
    room(0);
    device.ports[0]!.write(text('hi'));
    expect(received(0).map(string)).toEqual(['hi']);
    send(1, text('there'));
    expect(log).toEqual(['tty opened', 'tty < there']);
    driver.put(REG.INTERRUPT_ACK, 3);
    device.resize(1, 2);
    expect(driver.get(REG.INTERRUPT_STATUS)).toBe(INTERRUPT.CONFIG_CHANGE);
  });
});

test('the emergency write reaches the console before any negotiation', () => {
  const { transport, driver, log } = rig();
  driver.reset();
  transport.store(REG.CONFIG + 8, 4, 0x21);
  transport.store(REG.CONFIG + 8, 1, 0x22);
  transport.store(REG.CONFIG, 4, 0x23);
  expect(log).toEqual(['tty < !', 'tty < "']);
});

test('state, and a console that goes on after a restore', () => {
  checkState(() => rig().device.state);
  const a = rig();
  a.boot();
  a.device.ports[0]!.write(text('typed before'));
  a.device.resize(44, 55);
  const b = rig();
  b.driver.write(0x8000_0000, a.driver.read({ address: 0x8000_0000, length: a.memory.size }));
  b.transport.state.restore(a.transport.state.save());
  expect(b.transport.load(REG.CONFIG, 4)).toBe((55 << 16) | 44);
  expect(b.device.ports[0]!.pending).toBe(12);
  expect(b.device.ports[0]!.guestOpen).toBe(true);
  const offer = a.driver.queues[0]!.offer([], [64], { publish: false });
  b.driver.write(0x8000_0000, a.driver.read({ address: 0x8000_0000, length: a.memory.size }));
  const ring = b.memory.locate(a.driver.queues[0]!.driverRing, 0, 8);
  b.memory.writeU16(ring, 4, offer.head);
  b.memory.writeU16(ring, 2, 1);
  b.driver.put(REG.QUEUE_NOTIFY, 0);
  expect(string(b.driver.read({ ...offer.room[0]!, length: 12 }))).toBe('typed before');
});

test('impossible consoles are refused', () => {
  const onOutput = () => {};
  expect(() => new ConsoleDevice({ ports: [] })).toThrow(/1 to 16 ports/);
  expect(() => new ConsoleDevice({ ports: [{ name: 'x'.repeat(65), onOutput }] })).toThrow(
    /longer than/,
  );
});
