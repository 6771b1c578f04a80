/**
 * Commands in one guest, one after the other. Relies on the exec protocol, whose guest takes the next
 * command once it has given the exit code of the last; guarantees that each call ends once, also when
 * the guest goes away.
 */
import type { ConsolePort, ConsolePortOptions } from '../../machine/devices/virtio/console-port.ts';
import { EXEC_PORTS, GuestCommand } from '../../machine/exec.ts';

export interface ShellOutput {
  stdout(data: Uint8Array): void;
  stderr(data: Uint8Array): void;
}

interface Job {
  readonly text: string;
  readonly output: ShellOutput;
  readonly stdin: Uint8Array;
  readonly done: (code: number) => void;
  readonly failed: (reason: Error) => void;
}

export class GuestShell {
  readonly ports: readonly ConsolePortOptions[];
  readonly #jobs: Job[] = [];
  #find: (name: string) => ConsolePort | undefined = () => undefined;
  #job: Job | undefined;
  #command: GuestCommand | undefined;
  #gone: Error | undefined;

  /** `listening`: the guest takes commands, for the first time or again. */
  constructor(private readonly listening: () => void) {
    this.ports = EXEC_PORTS.map((name) => ({
      name,
      open: true,
      onOutput: (data) => this.#port(name)?.onOutput(data),
      onSpace: () => this.#port(name)?.onSpace?.(),
      onGuestOpen: (open) => {
        this.#port(name)?.onGuestOpen?.(open);
        if (open && name === EXEC_PORTS[0] && this.#job === undefined) this.#next();
      },
    }));
  }

  attach(find: (name: string) => ConsolePort | undefined): void {
    this.#find = find;
  }

  /** The machine goes on: its guest may listen already. */
  resumed(): void {
    this.#next();
  }

  run(text: string, output: ShellOutput, stdin: Uint8Array = new Uint8Array()): Promise<number> {
    return new Promise((done, failed) => {
      if (this.#gone) {
        failed(this.#gone);
        return;
      }
      this.#jobs.push({ text, output, stdin, done, failed });
      if (this.#job === undefined) this.#next();
    });
  }

  /** The guest is no more: whoever waits hears why. */
  end(reason: string): void {
    const error = new Error(reason);
    this.#gone = error;
    this.#job?.failed(error);
    for (const job of this.#jobs.splice(0)) job.failed(error);
  }

  #port(name: string): ConsolePortOptions | undefined {
    return this.#command?.ports.find((port) => port.name === name);
  }

  #next(): void {
    if (this.#find(EXEC_PORTS[0] ?? '')?.guestOpen !== true) return;
    const job = this.#jobs.shift();
    if (job === undefined) {
      this.listening();
      return;
    }
    this.#job = job;
    let rest: Uint8Array = job.stdin;
    const command = new GuestCommand(new TextEncoder().encode(job.text), {
      onStdout: job.output.stdout,
      onStderr: job.output.stderr,
      onExit: job.done,
      onFailure: (reason) => {
        job.failed(new Error(reason));
        this.#job = undefined;
      },
      onReady: () => {
        // The next one is begun by the port's own event, after this one has heard of it.
        this.#job = undefined;
      },
      onStdinSpace: () => {
        rest = rest.subarray(command.write(rest));
        if (rest.length === 0) command.end();
      },
    });
    this.#command = command;
    command.attach(this.#find);
    command.resume();
  }
}
