/**
 * The host's side of the exec protocol (guests/README.md): one command in a guest, with its
 * standard streams and its exit code. Relies on five ports of the virtio console, whose options it
 * makes and which it gets once the machine exists; guarantees that no byte of input is given before
 * the guest listens or after it has been told the end, and that `exited` comes after all output.
 */
import type { ConsolePort, ConsolePortOptions } from './devices/virtio/console-port.ts';

const PREFIX = 'org.tabvisor.exec.';
/** Names of the ports, in the order of `GuestCommand.ports`. */
export const EXEC_PORTS: readonly string[] = ['cmd', 'stdin', 'stdout', 'stderr', 'status'].map(
  (name) => PREFIX + name,
);
/** A word on the kernel's command line that makes the guest serve the ports. */
export const EXEC_APPEND = 'tabvisor.exec';
/** More than a decimal exit code and a newline is no status. */
const STATUS_LIMIT = 16;

export interface GuestCommandEvents {
  onStdout(data: Uint8Array): void;
  onStderr(data: Uint8Array): void;
  /** The command ended; all that it wrote has been given to the two above. */
  onExit(code: number): void;
  /** The guest gave up before the command ended. */
  onFailure(reason: string): void;
  /** The guest has fetched the command, and is about to run it. */
  onFetched?(): void;
  /** After the end: the guest could take another command. */
  onReady?(): void;
  /** There is room for standard input: again after `write` took less than it was given. */
  onStdinSpace(): void;
}

export class GuestCommand {
  /** Further ports for the machine's console device. */
  readonly ports: readonly ConsolePortOptions[];
  readonly #events: GuestCommandEvents;
  /** Bytes of the command that the port has not taken yet. */
  #command: Uint8Array;
  #stdin: ConsolePort | undefined;
  #stdinOpen = false;
  #stdinEnded = false;
  /** The guest may take bytes, and report room, before a port's `write` has returned. */
  #writing = false;
  #sending = false;
  #fetched = false;
  #status = '';
  #done = false;

  constructor(command: Uint8Array, events: GuestCommandEvents) {
    this.#command = command;
    this.#events = events;
    this.ports = [
      {
        name: `${PREFIX}cmd`,
        open: true,
        onOutput: () => {},
        onGuestOpen: (open) => {
          if (!open) {
            // What the host closed to end the command: the guest may open it for the next one.
            if (this.#fetched) this.#cmd?.open();
            return;
          }
          if (this.#done) {
            this.#stdin?.open();
            events.onReady?.();
            return;
          }
          // The guest fetches the command once in a boot.
          if (this.#fetched) this.#fail('The guest rebooted before the command ended.');
          this.#fetched = true;
          this.#sendCommand();
          events.onFetched?.();
        },
        onSpace: () => this.#sendCommand(),
      },
      {
        name: `${PREFIX}stdin`,
        open: true,
        onOutput: () => {},
        onGuestOpen: (open) => {
          this.#stdinOpen = open;
          if (open) this.#feed();
        },
        onSpace: () => this.#feed(),
      },
      { name: `${PREFIX}stdout`, open: true, onOutput: (data) => events.onStdout(data) },
      { name: `${PREFIX}stderr`, open: true, onOutput: (data) => events.onStderr(data) },
      {
        name: `${PREFIX}status`,
        open: true,
        onOutput: (data) => this.#takeStatus(data),
        onGuestOpen: (open) => {
          if (!open) this.#fail('The guest ended the command without an exit code.');
        },
      },
    ];
  }

  /** Takes the ports that the machine made from `ports`. */
  attach(find: (name: string) => ConsolePort | undefined): void {
    this.#cmd = find(`${PREFIX}cmd`);
    this.#stdin = find(`${PREFIX}stdin`);
  }

  #cmd: ConsolePort | undefined;

  /** The machine was restored: gives the command to a guest that waits for one; false: none does. */
  resume(): boolean {
    if (!this.#cmd?.guestOpen) return false;
    this.#fetched = true;
    this.#stdin?.open();
    this.#sendCommand();
    this.#events.onFetched?.();
    return true;
  }

  /**
   * Gives standard input; returns how many bytes were taken: 0 until the guest listens. Room that
   * the guest makes meanwhile is used at once, not reported: the caller does not know yet what
   * was taken.
   */
  write(data: Uint8Array): number {
    const port = this.#stdin;
    if (!port || !this.#stdinOpen || this.#stdinEnded || this.#writing) return 0;
    this.#writing = true;
    const taken = writeAll(port, data);
    this.#writing = false;
    return taken;
  }

  /** The end of standard input. */
  end(): void {
    this.#stdinEnded = true;
    if (this.#stdinOpen) this.#stdin?.close();
  }

  #feed(): void {
    if (this.#stdinEnded) this.#stdin?.close();
    else if (!this.#writing) this.#events.onStdinSpace();
  }

  #sendCommand(): void {
    const port = this.#cmd;
    if (!port?.guestOpen || this.#sending) return;
    this.#sending = true;
    const taken = writeAll(port, this.#command);
    this.#sending = false;
    this.#command = this.#command.subarray(taken);
    if (this.#command.length === 0) port.close();
  }

  #takeStatus(data: Uint8Array): void {
    this.#status += String.fromCharCode(...data.subarray(0, STATUS_LIMIT));
    const match = /^(\d{1,3})\n/.exec(this.#status);
    if (match) {
      if (this.#done) return;
      this.#done = true;
      this.#events.onExit(Number(match[1]));
    } else if (this.#status.length >= STATUS_LIMIT) {
      this.#fail('The guest reported something that is no exit code.');
    }
  }

  #fail(reason: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#events.onFailure(reason);
  }
}

/** Writes as long as the port takes something; returns how many bytes it took. */
function writeAll(port: ConsolePort, data: Uint8Array): number {
  let taken = 0;
  while (taken < data.length) {
    const step = port.write(data.subarray(taken));
    if (step === 0) break;
    taken += step;
  }
  return taken;
}
