/**
 * One VM's console on the page: output that came from the worker waits here until the terminal has
 * taken it in, and is acknowledged then, so that a flood is paced by the page and not the other way
 * round. Each frame of the screen spends a bounded number of bytes on it, fewer when the console is
 * hidden. While there is no terminal yet, a bounded tail is kept.
 */
import { OUTPUT_CHUNK, OUTPUT_WINDOW } from '../worker/protocol.ts';

/** Bytes handed to a visible terminal in one frame of the screen. */
const VISIBLE_BYTES_PER_FRAME = 64 * 1024;
/** The same for a hidden one: it is parsed, too, so that nothing is lost, but later. */
const HIDDEN_BYTES_PER_FRAME = 12 * 1024;
/** Output kept for a terminal that is still to be made, in bytes. */
const KEEP_WITHOUT_TERMINAL = 512 * 1024;
/** A frame of the screen; a timer, because hidden pages have no animation frames. */
const FRAME_MS = 16;

export interface ConsoleSink {
  /** Takes output in; calls `done` when it has been parsed. */
  write(data: Uint8Array, done: () => void): void;
  readonly visible: boolean;
  /** What the screen shows, as text that shows it again when it is written to another terminal. */
  picture(): string;
}

export class ConsoleStream {
  private queue: Uint8Array[] = [];
  private queued = 0;
  private onTheWay = 0;
  private budget = VISIBLE_BYTES_PER_FRAME;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private sink: ConsoleSink | undefined;

  /** `acknowledge` tells the worker that so many bytes have been taken in. */
  constructor(private readonly acknowledge: (bytes: number) => void) {}

  /** Output from the worker; false when it sent more than it may without acknowledgement. */
  receive(data: Uint8Array): boolean {
    if (this.onTheWay + data.length > OUTPUT_WINDOW + OUTPUT_CHUNK) return false;
    this.onTheWay += data.length;
    this.enqueue(data);
    if (this.sink === undefined) this.done(data.length);
    return true;
  }

  /** A line from the page itself, between the guest's own. */
  note(text: string): void {
    this.enqueue(new TextEncoder().encode(`\r\n\x1b[90m── ${text} ──\x1b[0m\r\n`));
  }

  /** What the screen shows: at most `limit` characters, the last ones. */
  picture(limit: number): string {
    const picture = this.sink?.picture() ?? '';
    if (picture.length <= limit) return picture;
    // Whole lines, for a sequence that is cut would show as what it is.
    const rest = picture.slice(-limit);
    return rest.slice(rest.indexOf('\n') + 1);
  }

  /** Shows a picture, below what is there. */
  show(picture: string): void {
    this.enqueue(new TextEncoder().encode(picture));
  }

  attach(sink: ConsoleSink): void {
    // What had arrived without a terminal was acknowledged at once: nothing is on the way now.
    this.sink = sink;
    this.pump();
  }

  detach(): void {
    this.sink = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
    // A terminal that is gone says of nothing more that it was parsed.
    this.done(this.onTheWay);
    this.trim();
  }

  /** A new worker starts with a clean account. */
  restart(): void {
    this.onTheWay = 0;
  }

  private enqueue(data: Uint8Array): void {
    this.queue.push(data);
    this.queued += data.length;
    if (this.sink === undefined) this.trim();
    else this.pump();
  }

  private trim(): void {
    while (this.queued > KEEP_WITHOUT_TERMINAL && this.queue.length > 1) {
      this.queued -= this.queue.shift()?.length ?? 0;
    }
  }

  private pump(): void {
    const sink = this.sink;
    if (sink === undefined) return;
    while (this.queue.length > 0 && this.budget > 0) {
      const data = this.queue.shift();
      if (data === undefined) break;
      this.queued -= data.length;
      this.budget -= data.length;
      sink.write(data, () => this.done(data.length));
    }
    this.timer ??= setTimeout(() => this.nextFrame(), FRAME_MS);
  }

  private nextFrame(): void {
    this.timer = undefined;
    const share = this.sink?.visible ? VISIBLE_BYTES_PER_FRAME : HIDDEN_BYTES_PER_FRAME;
    // What a large chunk took beyond the budget is paid back by the frames that follow.
    this.budget = Math.min(share, this.budget + share);
    if (this.queue.length > 0) this.pump();
  }

  private done(bytes: number): void {
    const acknowledged = Math.min(bytes, this.onTheWay);
    this.onTheWay -= acknowledged;
    if (acknowledged > 0) this.acknowledge(acknowledged);
  }
}
