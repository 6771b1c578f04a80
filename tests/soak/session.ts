/**
 * A guest that runs one command after the other, by a loop in its shell that the exec protocol feeds.
 * Each command starts in an empty folder. Relies on the template micro; what fails in guest or
 * protocol makes the command that waits fail.
 */
import { GuestCommand } from '../../src/machine/exec.ts';
import { Guest, type GuestOptions } from '../linux/guest.ts';

/** Errors are sorted: which of a pipeline's processes says its first is chance. */
const SERVER = `while IFS= read -r line; do
  rm -rf /tmp/w; mkdir /tmp/w; cd /tmp/w
  sh -c "$line" >/tmp/out 2>/tmp/err </dev/null
  code=$?
  sort /tmp/err >>/tmp/out
  echo "$code $(wc -c </tmp/out)"
  cat /tmp/out
done`;

export interface Answer {
  readonly code: number;
  readonly output: string;
}

interface Waiting {
  done(answer: Answer): void;
  fail(error: Error): void;
}

export class Session {
  readonly name: string;
  readonly guest: Guest;
  #output = Buffer.alloc(0);
  #input: Uint8Array = new Uint8Array(0);
  #waiting: Waiting | undefined;
  #failure: Error | undefined;
  readonly #command: GuestCommand;

  private constructor(name: string, guest: Guest, command: GuestCommand) {
    this.name = name;
    this.guest = guest;
    this.#command = command;
  }

  static async start(name: string, options: GuestOptions): Promise<Session> {
    const fail = (reason: string) => session.#fail(reason);
    const command = new GuestCommand(new TextEncoder().encode(SERVER), {
      onStdout: (data) => session.#take(data),
      onStderr: (data) => fail(`The guest's loop says: ${Buffer.from(data)}`),
      onExit: (code) => fail(`The guest's loop ended with ${code}.`),
      onFailure: fail,
      onStdinSpace: () => session.#feed(),
    });
    const guest = await Guest.create(options, command);
    const session: Session = new Session(name, guest, command);
    command.attach((port) => guest.machine.port(port));
    guest.machine.onState((state) => {
      if (state.kind !== 'running') fail(`The guest is ${state.kind}: ${state.reason ?? ''}`);
    });
    guest.machine.start();
    return session;
  }

  /** Runs a command, which is one line. */
  run(line: string): Promise<Answer> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((done, fail) => {
      this.#waiting = { done, fail };
      this.#input = new TextEncoder().encode(`${line}\n`);
      this.#feed();
    });
  }

  #feed(): void {
    this.#input = this.#input.subarray(this.#command.write(this.#input));
  }

  #take(data: Uint8Array): void {
    this.#output = Buffer.concat([this.#output, data]);
    const end = this.#output.indexOf('\n');
    const head = /^(\d+) (\d+)$/.exec(this.#output.toString('latin1', 0, Math.max(0, end)));
    if (!head) return;
    const size = Number(head[2]);
    if (this.#output.length < end + 1 + size) return;
    const output = this.#output.toString('latin1', end + 1, end + 1 + size);
    this.#output = Buffer.from(this.#output.subarray(end + 1 + size));
    this.#waiting?.done({ code: Number(head[1]), output });
    this.#waiting = undefined;
  }

  #fail(reason: string): void {
    this.#failure ??= new Error(`${this.name}: ${reason}\n${this.guest.serial.slice(-2000)}`);
    this.#waiting?.fail(this.#failure);
    this.#waiting = undefined;
  }
}
