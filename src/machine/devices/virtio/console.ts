/**
 * virtio console device (virtio 1.2 §5.3): a terminal for the guest and further named byte streams
 * (ports). With one port it is a plain console whose size stands in the configuration space; with
 * more it offers MULTIPORT, and ports are announced, named, opened, closed and resized by messages
 * on the control queue. Host input is bounded for each port, messages that are due are bits rather
 * than a queue, and a guest's output is taken in bounded pieces, so nothing grows with the guest's
 * pace.
 */
import { flag, type State, stateOf, stateOfParts, u16 } from '../../state.ts';
import { VirtioError } from '../../virtio/chain.ts';
import { DEVICE_ID } from '../../virtio/constants.ts';
import type { VirtioDevice, VirtioLink } from '../../virtio/device.ts';
import { ConsolePort, type ConsolePortOptions, DUE, type PortOwner } from './console-port.ts';

export const CONSOLE_FEATURE = { SIZE: 0, MULTIPORT: 1, EMERG_WRITE: 2 } as const;

/** Control messages, virtio 1.2 §5.3.6.2. */
export const CONSOLE_EVENT = {
  DEVICE_READY: 0,
  PORT_ADD: 1,
  PORT_REMOVE: 2,
  PORT_READY: 3,
  CONSOLE_PORT: 4,
  RESIZE: 5,
  PORT_OPEN: 6,
  PORT_NAME: 7,
} as const;

const QUEUE_SIZE = 64;
const CONTROL_IN = 2;
const CONTROL_OUT = 3;
const CONTROL_BYTES = 8;
const EMERGENCY_WRITE = 8;
const PORTS_MAX = 16;
const NAME_MAX = 64;
/** Output of one request: 32 times what Linux sends at once (a splice of a large pipe). */
const OUTPUT_LIMIT = 1024 * 1024;
/** Output is handed on in pieces of at most this size. */
const PIECE = 64 * 1024;

export interface ConsoleOptions {
  readonly ports: readonly ConsolePortOptions[];
  readonly cols?: number;
  readonly rows?: number;
  /**
   * Order of the two numbers in a RESIZE message. virtio 1.2 §5.3.6.2 says columns first; Linux read
   * rows first from 2.6.35 until commit 5326ab737a47 (6.15, and the stable series of early 2026).
   */
  readonly resizeOrder?: 'cols-rows' | 'rows-cols';
}

export class ConsoleDevice implements VirtioDevice, PortOwner {
  readonly name = 'virtio-console';
  readonly deviceId = DEVICE_ID.CONSOLE;
  readonly features: readonly number[];
  readonly queueSizes: readonly number[];
  readonly config = new Uint8Array(12);
  readonly state: State;
  readonly ports: readonly ConsolePort[];
  readonly #fields: { cols: number; rows: number; announced: boolean };
  readonly #colsFirst: boolean;
  #link: VirtioLink | undefined;

  constructor({ ports, cols = 0, rows = 0, resizeOrder = 'cols-rows' }: ConsoleOptions) {
    if (ports.length < 1 || ports.length > PORTS_MAX) {
      throw new RangeError(`A console has 1 to ${PORTS_MAX} ports, not ${ports.length}.`);
    }
    const longest = ports.find(({ name }) => (name?.length ?? 0) > NAME_MAX);
    if (longest !== undefined) {
      throw new RangeError(`The port name ${longest.name} is longer than ${NAME_MAX} characters.`);
    }
    this.ports = ports.map((options, index) => new ConsolePort(index, options, this));
    const { SIZE, MULTIPORT, EMERG_WRITE } = CONSOLE_FEATURE;
    const multiport = ports.length > 1 || ports[0]!.console !== true;
    this.features = multiport ? [SIZE, MULTIPORT, EMERG_WRITE] : [SIZE, EMERG_WRITE];
    const queues = multiport ? 2 * (ports.length + 1) : 2;
    this.queueSizes = new Array<number>(queues).fill(QUEUE_SIZE);
    this.#colsFirst = resizeOrder === 'cols-rows';
    this.#fields = { cols: clampSize(cols), rows: clampSize(rows), announced: false };
    this.state = stateOfParts(1, {
      size: stateOf(1, this.#fields, { cols: u16, rows: u16, announced: flag }),
      ...Object.fromEntries(this.ports.map((port) => [`port${port.index}`, port.state])),
    });
    this.#describe();
  }

  /** Tells the guest the size of the terminal. */
  resize(cols: number, rows: number): void {
    const fields = this.#fields;
    const newCols = clampSize(cols);
    const newRows = clampSize(rows);
    if (fields.cols === newCols && fields.rows === newRows) return;
    fields.cols = newCols;
    fields.rows = newRows;
    this.#describe();
    if (!this.#multiport()) {
      this.#link?.configChanged();
      return;
    }
    for (const port of this.ports) {
      if (port.isConsole && port.fields.ready) port.fields.due |= DUE.RESIZE;
    }
    this.controlDue();
  }

  attach(link: VirtioLink): void {
    this.#link = link;
  }

  activate(): void {
    if (this.#multiport()) return;
    const port = this.ports[0]!;
    port.fields.ready = true;
    port.setGuestOpen(true);
  }

  onQueue(index: number): void {
    if (index === CONTROL_IN) {
      this.#sendControl();
    } else if (index === CONTROL_OUT) {
      this.#receiveControl();
    } else {
      // Queue pairs: port 0, control, port 1, port 2, …
      const pair = index >>> 1;
      const port = this.ports[pair === 0 ? 0 : pair - 1]!;
      if ((index & 1) === 0) this.#deliver(port, index);
      else this.#collect(port, index);
    }
  }

  writeConfig(offset: number, _size: number, value: number): void {
    if (offset !== EMERGENCY_WRITE) return;
    const console = this.ports.find((port) => port.isConsole);
    console?.options.onOutput(Uint8Array.of(value & 0xff));
  }

  reset(): void {
    this.#fields.announced = false;
    for (const port of this.ports) port.reset();
  }

  restored(): void {
    this.#describe();
  }

  portChanged(port: ConsolePort): void {
    const queue = port.index === 0 ? 0 : 2 * (port.index + 1);
    this.#link?.poke(queue);
    this.#link?.poke(queue + 1);
  }

  controlDue(): void {
    if (this.#multiport()) this.#link!.poke(CONTROL_IN);
  }

  #multiport(): boolean {
    return this.#link?.has(CONSOLE_FEATURE.MULTIPORT) ?? false;
  }

  /** virtio 1.2 §5.3.4 */
  #describe(): void {
    const view = new DataView(this.config.buffer);
    view.setUint16(0, this.#fields.cols, true);
    view.setUint16(2, this.#fields.rows, true);
    view.setUint32(4, this.ports.length, true);
  }

  /** Moves waiting input into the guest's buffers. */
  #deliver(port: ConsolePort, index: number): void {
    const { input } = port.fields;
    // Linux throws away what reaches a port that nobody has open.
    if (input.length === 0 || !port.guestOpen) return;
    const link = this.#link!;
    const queue = link.queues[index]!;
    while (input.length > 0) {
      const chain = queue.pop();
      if (chain === undefined) return;
      const { writer } = chain;
      if (writer.remaining === 0) throw new VirtioError('A buffer for console input has no room.');
      while (input.length > 0 && writer.remaining > 0) {
        const part = input.peek(writer.remaining);
        writer.write(part);
        input.drop(part.length);
      }
      link.complete(index, chain);
    }
    port.tellSpace();
    // An end of file that waited behind the input may be told now.
    if ((port.fields.due & DUE.CLOSE) !== 0) this.controlDue();
  }

  /** Takes the guest's output. */
  #collect(port: ConsolePort, index: number): void {
    const link = this.#link!;
    const queue = link.queues[index]!;
    while (!port.held) {
      const chain = queue.pop();
      if (chain === undefined) return;
      const { reader } = chain;
      if (reader.remaining > OUTPUT_LIMIT) {
        throw new VirtioError(`A console request sends ${reader.remaining} bytes at once.`);
      }
      while (reader.remaining > 0 && port.fields.hostOpen) {
        const data = new Uint8Array(Math.min(reader.remaining, PIECE));
        reader.read(data);
        port.options.onOutput(data);
      }
      link.complete(index, chain);
      this.#announce();
    }
  }

  /**
   * Linux looks at the size of a plain console only when told of a change, and only once its
   * terminal exists, which the first output shows.
   */
  #announce(): void {
    if (this.#fields.announced || this.#multiport()) return;
    this.#fields.announced = true;
    this.#link!.configChanged();
  }

  #receiveControl(): void {
    const link = this.#link!;
    const queue = link.queues[CONTROL_OUT]!;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const { reader } = chain;
      if (reader.remaining < CONTROL_BYTES) {
        throw new VirtioError('A console control message is shorter than its header.');
      }
      const id = reader.readU32();
      const event = reader.readU16();
      const value = reader.readU16();
      this.#control(id, event, value);
      link.complete(CONTROL_OUT, chain);
    }
    link.poke(CONTROL_IN);
  }

  #control(id: number, event: number, value: number): void {
    if (event === CONSOLE_EVENT.DEVICE_READY) {
      if (value === 1) for (const port of this.ports) port.fields.due |= DUE.ADD;
      return;
    }
    const port = this.ports[id];
    if (port === undefined) return;
    const { fields } = port;
    if (event === CONSOLE_EVENT.PORT_READY && value === 1) {
      fields.ready = true;
      fields.toldOpen = false;
      fields.due |=
        (port.isConsole ? DUE.CONSOLE | DUE.RESIZE : 0) |
        (port.name !== '' ? DUE.NAME : 0) |
        (fields.hostOpen ? DUE.OPEN : 0);
    } else if (event === CONSOLE_EVENT.PORT_OPEN) {
      port.setGuestOpen(value === 1);
      this.portChanged(port);
    }
  }

  /** Sends the messages that are due, as far as the guest has buffers for them. */
  #sendControl(): void {
    const link = this.#link!;
    const queue = link.queues[CONTROL_IN]!;
    for (const port of this.ports) {
      for (let due = nextDue(port); due !== 0; due = nextDue(port)) {
        const chain = queue.pop();
        if (chain === undefined) return;
        chain.writer.write(this.#message(port, due));
        port.fields.due &= ~due;
        if (due === DUE.OPEN) port.fields.toldOpen = true;
        if (due === DUE.CLOSE) {
          port.fields.toldOpen = false;
          port.tellSpace();
        }
        link.complete(CONTROL_IN, chain);
      }
    }
  }

  #message(port: ConsolePort, due: number): Uint8Array {
    const { cols, rows } = this.#fields;
    const { PORT_ADD, CONSOLE_PORT, PORT_NAME, PORT_OPEN, RESIZE } = CONSOLE_EVENT;
    switch (due) {
      case DUE.ADD:
        return message(port.index, PORT_ADD, 1);
      case DUE.CONSOLE:
        return message(port.index, CONSOLE_PORT, 1);
      case DUE.NAME:
        return message(port.index, PORT_NAME, 1, port.name);
      case DUE.CLOSE:
        return message(port.index, PORT_OPEN, 0);
      case DUE.OPEN:
        return message(port.index, PORT_OPEN, 1);
      default: {
        const bytes = new Uint8Array(CONTROL_BYTES + 4);
        bytes.set(message(port.index, RESIZE, 0));
        const view = new DataView(bytes.buffer);
        view.setUint16(CONTROL_BYTES, this.#colsFirst ? cols : rows, true);
        view.setUint16(CONTROL_BYTES + 2, this.#colsFirst ? rows : cols, true);
        return bytes;
      }
    }
  }
}

/** The first message that is due and may be sent: the end of file waits for the input before it. */
function nextDue(port: ConsolePort): number {
  const { due, input, guestOpen } = port.fields;
  const closing = (due & DUE.CLOSE) !== 0 && input.length > 0 && guestOpen;
  const waits = closing ? DUE.CLOSE | DUE.OPEN : 0;
  const open = due & ~waits;
  return open & -open;
}

function message(id: number, event: number, value: number, text = ''): Uint8Array {
  const bytes = new Uint8Array(CONTROL_BYTES + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, id, true);
  view.setUint16(4, event, true);
  view.setUint16(6, value, true);
  for (let i = 0; i < text.length; i++) bytes[CONTROL_BYTES + i] = text.charCodeAt(i) & 0x7f;
  return bytes;
}

function clampSize(value: number): number {
  return Math.min(Math.max(Math.trunc(value) || 0, 0), 0xffff);
}
