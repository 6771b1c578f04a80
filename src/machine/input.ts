/**
 * What a person types, on its way to the guest: to the virtio console once it has a driver, before
 * that to the serial port. Relies on both devices to say when they have room; guarantees order,
 * and a bound on what waits. A Linux guest would lose what is typed during its boot, in a serial
 * port that nobody reads or in a terminal that is opened and closed again: there, input waits until
 * the terminal has shown something (a prompt), or until the guest idles without.
 */
import type { ConsolePort } from './devices/virtio/console-port.ts';
import { bytes, flag, type State, stateOf } from './state.ts';

/** More than a person types or pastes ahead; what is beyond it is the sender's to keep. */
const LIMIT = 1 << 20;

export interface InputDevices {
  readonly terminal: ConsolePort;
  readonly uart: { receive(data: Uint8Array): number };
}

export class ConsoleInput {
  readonly #devices: InputDevices;
  readonly #waits: boolean;
  /** In the order in which they were typed. */
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Somebody reads: what is typed goes to the terminal, or without one to the serial port. */
  #open: boolean;
  #pumping = false;
  readonly state: State;

  /** `waitsForTerminal`: a virtio console is expected to get a driver. */
  constructor(devices: InputDevices, waitsForTerminal: boolean) {
    this.#devices = devices;
    this.#waits = waitsForTerminal;
    this.#open = !waitsForTerminal;
    const input = this;
    this.state = stateOf(
      1,
      {
        get typed(): Uint8Array {
          return input.#typed();
        },
        set typed(typed: Uint8Array) {
          input.#chunks = typed.length > 0 ? [typed] : [];
          input.#bytes = typed.length;
        },
        get open() {
          return input.#open;
        },
        set open(open) {
          input.#open = open;
        },
      },
      { typed: bytes(LIMIT), open: flag },
    );
  }

  /** Bytes are held back until it is clear which device the guest reads. */
  get waiting(): boolean {
    return !this.#open && this.#chunks.length > 0;
  }

  /** Takes what is typed; returns how many bytes, which is fewer than given at the bound. */
  type(data: Uint8Array): number {
    const taken = data.slice(0, LIMIT - this.#bytes);
    if (taken.length === 0) return 0;
    this.#chunks.push(taken);
    this.#bytes += taken.length;
    this.pump();
    return taken.length;
  }

  /** All that waits, as one. */
  #typed(): Uint8Array {
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  /** Gives to the devices what they have room for. */
  pump(): void {
    // A device that takes input in may say at once that it has room again.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      this.#give();
    } finally {
      this.#pumping = false;
    }
  }

  #give(): void {
    if (!this.#open) return;
    const { terminal, uart } = this.#devices;
    for (let [chunk] = this.#chunks; chunk; [chunk] = this.#chunks) {
      const taken = terminal.guestOpen ? terminal.write(chunk) : uart.receive(chunk);
      this.#bytes -= taken;
      if (taken < chunk.length) {
        this.#chunks[0] = chunk.subarray(taken);
        return;
      }
      this.#chunks.shift();
    }
  }

  /** The terminal has shown something, or the guest has nothing to do: it has booted. */
  guestReads(): void {
    if (this.#open) return;
    this.#open = true;
    this.pump();
  }

  reset(): void {
    this.#open = !this.#waits;
  }
}
