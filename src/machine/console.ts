/**
 * The machine's one console: the serial port and the virtio console as one stream, in the order in
 * which the guest wrote. Bytes are gathered and leave when the source changes, when the run loop
 * ends a slice, or when enough have come together; nothing is held longer.
 */

import { flag, type State, stateOf, text } from './state.ts';

export type ConsoleSource = 'serial' | 'hvc';

const CHUNK = 8192;

export class ConsoleOutput {
  readonly #emit: (data: Uint8Array, source: ConsoleSource) => void;
  readonly #buffer = new Uint8Array(CHUNK);
  #fill = 0;
  #source: ConsoleSource = 'serial';

  constructor(emit: (data: Uint8Array, source: ConsoleSource) => void) {
    this.#emit = emit;
  }

  byte(source: ConsoleSource, byte: number): void {
    if (source !== this.#source || this.#fill === CHUNK) this.flush();
    this.#source = source;
    this.#buffer[this.#fill++] = byte;
  }

  bytes(source: ConsoleSource, data: Uint8Array): void {
    for (const byte of data) this.byte(source, byte);
  }

  flush(): void {
    if (this.#fill === 0) return;
    const data = this.#buffer.slice(0, this.#fill);
    this.#fill = 0;
    this.#emit(data, this.#source);
  }
}

/** A panicking kernel's message, behind the time that printk puts before it. */
const PANIC = /^(?:\[\s*\d+\.\d+\] ?)?(?:\[[^\]]*\] ?)?Kernel panic - not syncing: (.*)$/;
/** The last line of a panic, after which the kernel only spins. */
const PANIC_END = /---\[ end Kernel panic - not syncing: /;
const LINE_LIMIT = 500;

/**
 * Reads the kernel's log on the serial port for a panic. A program in the guest can fake one; it
 * then stops its own machine, which it may do anyway.
 */
export class PanicWatcher {
  readonly #onEnd: () => void;
  readonly #onLine: (line: string) => void;
  readonly #fields = { line: '', panicked: false, reason: '' };
  readonly state: State = stateOf(1, this.#fields, {
    line: text(LINE_LIMIT),
    panicked: flag,
    reason: text(LINE_LIMIT),
  });

  /**
   * `onEnd` is called when the kernel has said all and would spin for ever, `onLine` with each line
   * before a panic.
   */
  constructor(onEnd: () => void, onLine: (line: string) => void = () => {}) {
    this.#onEnd = onEnd;
    this.#onLine = onLine;
  }

  /** What the kernel gave as reason, once it has panicked. */
  get reason(): string | undefined {
    return this.#fields.panicked ? this.#fields.reason : undefined;
  }

  byte(byte: number): void {
    const fields = this.#fields;
    if (byte !== 0x0a) {
      if (byte !== 0x0d && fields.line.length < LINE_LIMIT)
        fields.line += String.fromCharCode(byte);
      return;
    }
    const { line } = fields;
    fields.line = '';
    const panic = PANIC.exec(line);
    if (panic) {
      if (!fields.panicked) fields.reason = panic[1] ?? '';
      fields.panicked = true;
    } else if (fields.panicked && PANIC_END.test(line)) {
      this.#onEnd();
    } else if (!fields.panicked) {
      this.#onLine(line);
    }
  }

  reset(): void {
    Object.assign(this.#fields, { line: '', panicked: false, reason: '' });
  }
}
