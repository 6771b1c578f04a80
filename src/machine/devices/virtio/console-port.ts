/**
 * One port of the virtio console as the host holds it: what the guest writes arrives at `onOutput`,
 * what the host writes waits in a bounded queue until the guest has room. The device (console.ts)
 * moves the bytes; a port keeps what is known about both sides of it.
 */
import { ByteRing, byteRing } from '../../ring.ts';
import { flag, type State, stateOf, u8 } from '../../state.ts';

/** Host input that may wait at one port. */
export const PORT_INPUT_LIMIT = 64 * 1024;

export interface ConsolePortOptions {
  /** Name under which the guest finds a port that is no console: /dev/virtio-ports/NAME. */
  readonly name?: string;
  /** A console gets a terminal (hvc) in the guest, other ports a character device. */
  readonly console?: boolean;
  /** The host's side is open from the start; true for consoles anyway. */
  readonly open?: boolean;
  /** Bytes from the guest, which are the receiver's own. */
  readonly onOutput: (data: Uint8Array) => void;
  /** There is room again after a write that was not taken whole. */
  readonly onSpace?: () => void;
  /** The guest's side was opened or closed. */
  readonly onGuestOpen?: (open: boolean) => void;
}

/** Control messages that are due, in the order in which they are sent. virtio 1.2 §5.3.6.2 */
export const DUE = { ADD: 1, CONSOLE: 2, NAME: 4, CLOSE: 8, OPEN: 16, RESIZE: 32 } as const;

/** What a port asks of its device. */
export interface PortOwner {
  /** Input waits, or the hold on output has ended. */
  portChanged(port: ConsolePort): void;
  /** A control message has become due. */
  controlDue(): void;
}

export class ConsolePort {
  readonly index: number;
  readonly name: string;
  readonly isConsole: boolean;
  readonly state: State;
  readonly options: ConsolePortOptions;
  readonly fields;
  /** The host cannot take more output: the guest's writes wait in its own memory. */
  held = false;
  readonly #owner: PortOwner;
  /** A write was not taken whole, and its writer has not been told of room since. */
  #refused = false;
  #writing = false;

  constructor(index: number, options: ConsolePortOptions, owner: PortOwner) {
    this.index = index;
    this.options = options;
    this.#owner = owner;
    this.name = options.name ?? '';
    this.isConsole = options.console ?? false;
    this.fields = {
      input: new ByteRing(PORT_INPUT_LIMIT),
      /** The guest's driver has set the port up. */
      ready: false,
      guestOpen: false,
      hostOpen: this.isConsole || (options.open ?? false),
      /** The guest has been told that the host's side is open. */
      toldOpen: false,
      due: 0,
    };
    this.state = stateOf(1, this.fields, {
      input: byteRing(PORT_INPUT_LIMIT),
      ready: flag,
      guestOpen: flag,
      hostOpen: flag,
      toldOpen: flag,
      due: u8,
    });
  }

  /** Whether a program in the guest has the port open (for a console: a driver serves it). */
  get guestOpen(): boolean {
    return this.fields.guestOpen;
  }

  /** Bytes of input that the guest has not taken yet. */
  get pending(): number {
    return this.fields.input.length;
  }

  /**
   * Hands input to the guest; returns how many bytes were taken, which may be fewer than given: none
   * while the host's side is closed or the guest is still to see that it was. Then `onSpace` follows
   * when there is room, never before this call has returned.
   */
  write(data: Uint8Array): number {
    const { fields } = this;
    const closed = !fields.hostOpen || (fields.due & DUE.CLOSE) !== 0;
    const taken = closed ? 0 : fields.input.push(data);
    if (taken > 0) {
      const outer = this.#writing;
      this.#writing = true;
      this.#owner.portChanged(this);
      this.#writing = outer;
    }
    if (taken < data.length) {
      this.#refused = true;
      // The guest may have taken all at once, and nothing else would bring the rest.
      if (!closed && fields.input.length === 0) void Promise.resolve().then(() => this.tellSpace());
    }
    return taken;
  }

  /** There is room again: tells a writer who was refused some. */
  tellSpace(): void {
    if (!this.#refused || this.#writing) return;
    this.#refused = false;
    this.options.onSpace?.();
  }

  /** Opens the host's side: the guest's writes are wanted, its readers see no end of file. */
  open(): void {
    const { fields } = this;
    if (fields.hostOpen) return;
    fields.hostOpen = true;
    if (!fields.ready) return;
    fields.due |= DUE.OPEN;
    this.#owner.controlDue();
  }

  /** Closes the host's side: the guest reads what waits, then the end of file. */
  close(): void {
    const { fields } = this;
    if (!fields.hostOpen) return;
    fields.hostOpen = false;
    fields.due &= ~DUE.OPEN;
    if (!fields.toldOpen) return;
    fields.due |= DUE.CLOSE;
    this.#owner.controlDue();
  }

  /** Stops or resumes taking the guest's output. */
  hold(on: boolean): void {
    if (this.held === on) return;
    this.held = on;
    if (!on) this.#owner.portChanged(this);
  }

  reset(): void {
    const { fields } = this;
    fields.ready = false;
    fields.toldOpen = false;
    fields.due = 0;
    this.setGuestOpen(false);
    this.#dropInput();
  }

  setGuestOpen(open: boolean): void {
    const { fields } = this;
    if (fields.guestOpen === open) return;
    fields.guestOpen = open;
    // Input for a program that has gone is of no use to the next one.
    const dropped = !open && fields.input.length > 0;
    if (dropped) fields.input.clear();
    this.options.onGuestOpen?.(open);
    if (dropped) this.tellSpace();
  }

  #dropInput(): void {
    const { input } = this.fields;
    if (input.length === 0) return;
    input.clear();
    this.tellSpace();
  }
}
