/**
 * How a run of a machine meets this process: an interactive session on the terminal, or one command
 * with stdin, stdout, stderr and an exit code of its own. Both end exactly once and leave terminal
 * and streams as they were.
 */
import type { Writable } from 'node:stream';
import type { ConsolePortOptions } from '../machine/devices/virtio/console-port.ts';
import { GuestCommand } from '../machine/exec.ts';
import type { Machine, MachineState } from '../machine/machine.ts';
import { ExitCode } from './exit.ts';
import { help } from './help.ts';
import { attachTerminal, EscapeKeys } from './terminal.ts';

/** How a run ended. */
export interface End {
  readonly code: number;
  /** For stderr. */
  readonly message?: string;
}

export interface Session {
  /** Those of the guest's ports that the session serves. */
  readonly ports: readonly ConsolePortOptions[];
  /** After a command has ended: resolves when the guest could take another, or takes its time. */
  ready?(): Promise<void>;
  /** Starts the machine, or resumes one that was restored; resolves when it has ended, or when nothing more is wanted of it. */
  run(machine: Machine): Promise<End>;
}

/** The guest's console on this terminal. */
export function consoleSession(): Session {
  return {
    ports: [],
    run: (machine) =>
      new Promise((resolve) => {
        const finish = (end: End) => {
          terminal.restore();
          resolve(end);
        };
        const keys = new EscapeKeys({
          send: (data) => void machine.consoleInput(data),
          end: () => finish({ code: ExitCode.Done }),
          help: () => process.stdout.write(help.keys.replaceAll('\n', '\r\n')),
        });
        const tty = process.stdin.isTTY === true;
        machine.onConsole((data) => process.stdout.write(data));
        machine.onEvent(({ text }) =>
          process.stderr.write(`tabvisor: ${text}${tty ? '\r' : ''}\n`),
        );
        onEnd(machine, finish);
        const terminal = attachTerminal(process.stdin, process.stdout, {
          data: (data) => (tty ? keys.feed(data) : pour(machine, data)),
          resize: ({ columns, rows }) => machine.resize(columns, rows),
        });
        begin(machine);
      }),
  };
}

/** Starts a machine, or lets one that was restored go on. */
function begin(machine: Machine): void {
  if (machine.state.kind === 'paused') machine.resume();
  else machine.start();
}

/** Time until a guest that has much unread input is offered more, in milliseconds. */
const RETRY_MS = 20;

/** Types what comes out of a pipe, at the pace at which the guest reads it. */
function pour(machine: Machine, data: Uint8Array): void {
  const rest = data.subarray(machine.consoleInput(data));
  if (rest.length === 0 || machine.state.kind === 'destroyed') {
    process.stdin.resume();
    return;
  }
  process.stdin.pause();
  setTimeout(() => pour(machine, rest), RETRY_MS).unref();
}

export interface CommandOptions {
  /** Takes what the command writes to its standard output. */
  readonly output?: Writable;
  /** The guest is about to run the command. */
  readonly onStart?: () => void;
}

/** Time that a guest has to power off after it closed the port for the exit code, in milliseconds. */
const FAREWELL_MS = 2000;
/** Time that a guest has after a command to wait for the next one, in milliseconds. */
const READY_MS = 5000;

/** One command in the guest. */
export function commandSession(
  text: string,
  { output = process.stdout, onStart }: CommandOptions = {},
): Session {
  let finish: (end: End) => void = () => {};
  const input: Uint8Array[] = [];
  let ended = false;
  let becomeReady = () => {};
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });
  const feed = () => {
    for (let [chunk] = input; chunk; [chunk] = input) {
      const taken = command.write(chunk);
      if (taken < chunk.length) {
        input[0] = chunk.subarray(taken);
        process.stdin.pause();
        return;
      }
      input.shift();
    }
    if (ended) command.end();
    else process.stdin.resume();
  };
  const command = new GuestCommand(new TextEncoder().encode(text), {
    onStdout: (data) => output.write(data),
    onStderr: (data) => process.stderr.write(data),
    onFetched: onStart,
    onReady: () => becomeReady(),
    onExit: (code) => finish({ code }),
    onFailure: (message) => {
      // A guest that is being powered off closes its ports first: then that is the end.
      setTimeout(() => finish({ code: ExitCode.Failed, message }), FAREWELL_MS).unref();
    },
    onStdinSpace: feed,
  });
  const onData = (data: Uint8Array) => {
    input.push(data);
    feed();
  };
  const onInputEnd = () => {
    ended = true;
    feed();
  };
  return {
    ports: command.ports,
    async ready() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, READY_MS);
      });
      await Promise.race([ready, late]);
      clearTimeout(timer);
    },
    run: (machine) =>
      new Promise((resolve) => {
        finish = (end) => {
          process.stdin.off('data', onData).off('end', onInputEnd).pause();
          resolve(end);
        };
        command.attach((name) => machine.port(name));
        // A command that powers the guest off races with its own end: both ends are 0.
        onEnd(machine, finish);
        process.stdin.on('data', onData).on('end', onInputEnd).on('error', onInputEnd);
        const restored = machine.state.kind === 'paused';
        begin(machine);
        if (restored && !command.resume()) {
          const message =
            'The guest of the snapshot takes no command: it was busy when it was saved, or has ' +
            'booted without the word tabvisor.exec.';
          finish({ code: ExitCode.Failed, message });
        }
      }),
  };
}

/** Calls `finish` when the machine is off or has crashed. */
function onEnd(machine: Machine, finish: (end: End) => void): void {
  machine.onState((state) => {
    const end = endOf(state);
    if (end) finish(end);
  });
}

function endOf(state: MachineState): End | undefined {
  if (state.kind === 'off') {
    return { code: (state.exitCode ?? ExitCode.Done) & 0xff, message: state.reason };
  }
  if (state.kind === 'crashed') return { code: ExitCode.Failed, message: state.reason };
  return undefined;
}
