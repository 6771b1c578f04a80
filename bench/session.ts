/**
 * One boot of the measured guest, on whatever side: told by the host when the first prompt stood,
 * what the guest's script says, and why it ended before its time. Side by side, the sides differ
 * only in how they make a session.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchGuest } from './image.ts';

export type SideName = 'qemu10' | 'qemu7' | 'node' | 'chromium' | 'interpreter';

export interface Line {
  readonly text: string;
  /** When the host got it, in milliseconds of a clock of its own. */
  readonly at: number;
  /** Instructions since the start, where the side counts them. */
  readonly instructions?: number;
}

export interface Session {
  /** Seconds from the start to the first prompt. */
  readonly booted: Promise<number>;
  /** The next line of the guest's script, or why there will be none. */
  next(timeoutMs: number): Promise<Line | { readonly failure: string }>;
  close(): Promise<void>;
}

export interface Side {
  readonly name: SideName;
  readonly title: string;
  /** Boots a guest and types `command` at its prompt. */
  start(guest: BenchGuest, command: string): Session;
  close?(): Promise<void>;
}

/** The prompt must have stood this long before something is typed, in milliseconds. */
const PROMPT_SETTLES_MS = 150;

/** Lines that wait to be taken, and whoever waits for a line. */
export class Lines {
  readonly #lines: Line[] = [];
  #failure: string | undefined;
  #wake: (() => void) | undefined;

  push(line: Line): void {
    this.#lines.push(line);
    this.#wake?.();
  }

  fail(reason: string): void {
    this.#failure ??= reason;
    this.#wake?.();
  }

  async next(timeoutMs: number): Promise<Line | { failure: string }> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line) return line;
      if (this.#failure !== undefined) return { failure: this.#failure };
      const left = end - performance.now();
      if (left <= 0) return { failure: `It was not done after ${Math.round(timeoutMs / 1000)} s.` };
      const timer = new AbortController();
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        sleep(left, undefined, { signal: timer.signal }).catch(() => {}),
      ]);
      timer.abort();
    }
  }
}

/** What a terminal shows, without the sequences that move and colour. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '');
}

export const PROMPT = /root@[\w-]+:~# $/;

/** A session whose guest has its console on a process's stdin and stdout. */
export class ProcessSession implements Session {
  readonly booted: Promise<number>;
  readonly lines = new Lines();
  readonly #child: ChildProcess;
  /** Why the process ended. */
  readonly #exited: Promise<string>;
  #errors = '';
  #prompted = false;

  /** `takesLines`: read the script's lines from stdout; else whoever made the session pushes them. */
  constructor(spawnChild: () => ChildProcess, command: string, takesLines: boolean) {
    const started = performance.now();
    const child = spawnChild();
    this.#child = child;
    this.#exited = new Promise((done) => {
      child.on('error', (error) => done(error.message));
      child.on('exit', (code, signal) =>
        done(`The process ended (${signal ?? code}). ${this.#errors.trim().slice(-300)}`.trim()),
      );
    });
    this.#exited.then((reason) => this.lines.fail(reason));
    let text = '';
    this.booted = new Promise((resolve, reject) => {
      child.stdout?.on('data', (data: Buffer) => {
        const at = performance.now();
        text += data.toString('latin1');
        if (!this.#prompted && PROMPT.test(plainText(text))) {
          this.#prompted = true;
          resolve((at - started) / 1000);
          setTimeout(() => child.stdin?.write(`${command}\r`), PROMPT_SETTLES_MS);
        }
        const complete = text.lastIndexOf('\n') + 1;
        if (takesLines) {
          for (const line of plainText(text.slice(0, complete)).split('\n')) {
            if (line.startsWith('@bench ')) this.lines.push({ text: line, at });
          }
        }
        text = text.slice(complete);
      });
      this.#exited.then((reason) => reject(new Error(reason)));
    });
    this.booted.catch(() => {}); // whoever waits for it hears of it
    child.stderr?.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-2000);
    });
    child.stdin?.on('error', () => {}); // it may end while it is written to
  }

  next(timeoutMs: number) {
    return this.lines.next(timeoutMs);
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
