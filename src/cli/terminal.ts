/**
 * A person's terminal as the guest's console: raw mode, the size, and the escape key Ctrl-A.
 * Relies on Node's streams; guarantees that the terminal is as it was when `restore` has been
 * called, also when the process ends in another way.
 */
import { spawnSync } from 'node:child_process';
import type { ReadStream, WriteStream } from 'node:tty';

const CTRL_A = 0x01;

export interface KeyActions {
  /** Bytes for the guest. */
  send(data: Uint8Array): void;
  end(): void;
  help(): void;
}

/** Takes what is typed apart: Ctrl-A and the key after it are for this program. */
export class EscapeKeys {
  readonly #actions: KeyActions;
  #escaped = false;

  constructor(actions: KeyActions) {
    this.#actions = actions;
  }

  feed(data: Uint8Array): void {
    const forward: number[] = [];
    const flush = () => {
      if (forward.length > 0) this.#actions.send(Uint8Array.from(forward.splice(0)));
    };
    for (const byte of data) {
      if (!this.#escaped) {
        if (byte === CTRL_A) this.#escaped = true;
        else forward.push(byte);
        continue;
      }
      this.#escaped = false;
      // The key itself, or with Ctrl still held down.
      const key = byte < 0x20 ? byte | 0x60 : byte | 0x20;
      if (byte === CTRL_A || key === 0x61) forward.push(CTRL_A);
      else if (key === 0x78) {
        flush();
        this.#actions.end();
        return;
      } else if (key === 0x68 || byte === 0x3f) {
        flush();
        this.#actions.help();
      }
    }
    flush();
  }
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Puts the terminal into raw mode and reports its size; a pipe in its place just gives bytes. */
export function attachTerminal(
  input: ReadStream,
  output: WriteStream,
  on: { data(data: Uint8Array): void; resize(size: Size): void },
): { restore(): void } {
  const raw = input.isTTY === true;
  const onData = (data: Uint8Array) => on.data(data);
  const onResize = () => {
    if (output.columns > 0 && output.rows > 0) {
      on.resize({ columns: output.columns, rows: output.rows });
    }
  };
  const restore = () => {
    // Also undoes what `stty` did: Node puts back the settings from before it entered raw mode.
    if (raw) input.setRawMode(false);
  };
  if (raw) {
    input.setRawMode(true);
    // Node's raw mode still turns each newline into a carriage return and a newline, and the guest's
    // own terminal has done so already. Without stty the output merely has one of them too many.
    if (output.isTTY) spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
    process.on('exit', restore);
  }
  input.on('data', onData);
  input.resume();
  if (output.isTTY) {
    onResize();
    output.on('resize', onResize);
  }
  return {
    restore() {
      restore();
      process.off('exit', restore);
      input.off('data', onData);
      input.pause();
      output.off('resize', onResize);
    },
  };
}
