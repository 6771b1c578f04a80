/**
 * Console output on its way to the page. Guests write byte by byte: what one slice of the run loop
 * produced leaves as one message. The page acknowledges what its terminal has taken in; beyond a
 * window of unacknowledged bytes output waits here, and `room()` makes the run loop wait as well,
 * so that a guest that floods its console slows down as on a real serial line. Memory is bounded:
 * past the limit the oldest waiting output is dropped and a line says so.
 */
import { type ConsoleSource, OUTPUT_CHUNK, OUTPUT_WINDOW } from './protocol.ts';

/** Waiting bytes above which the run loop is held back. */
const HOLD_BACK = 64 * 1024;
/** Waiting bytes above which the oldest are dropped: a page that has stopped reading. */
const LIMIT = 4 * 1024 * 1024;
/** The run loop is never held longer than this, so that commands are obeyed, in milliseconds. */
const LONGEST_HOLD_MS = 100;

const DROPPED = new TextEncoder().encode(
  '\r\n[tabvisor: output was dropped, the page could not keep up]\r\n',
);

interface Chunk {
  source: ConsoleSource;
  data: Uint8Array<ArrayBuffer>;
}

export class OutputStream {
  private waiting: Chunk[] = [];
  private waitingBytes = 0;
  private unacknowledged = 0;
  private flushPlanned = false;
  private release: (() => void) | undefined;

  constructor(
    private readonly send: (source: ConsoleSource, data: Uint8Array<ArrayBuffer>) => void,
  ) {}

  push(data: Uint8Array, source: ConsoleSource): void {
    for (let at = 0; at < data.length; ) {
      const chunk = this.openChunk(source);
      const take = Math.min(data.length - at, OUTPUT_CHUNK - chunk.fill);
      chunk.buffer.set(data.subarray(at, at + take), chunk.fill);
      chunk.fill += take;
      this.waitingBytes += take;
      at += take;
      this.closeWhenFull(chunk);
    }
    if (this.waitingBytes > LIMIT) this.dropOldest();
    if (!this.flushPlanned) {
      this.flushPlanned = true;
      // A microtask runs when the slice ends, never inside it.
      queueMicrotask(() => {
        this.flushPlanned = false;
        this.flush();
      });
    }
  }

  acknowledge(bytes: number): void {
    this.unacknowledged = Math.max(0, this.unacknowledged - bytes);
    this.flush();
    if (this.waitingBytes < HOLD_BACK) this.release?.();
  }

  /** Resolves when there is room for more output; at once in the common case. */
  async room(): Promise<void> {
    if (this.waitingBytes < HOLD_BACK) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LONGEST_HOLD_MS);
      this.release = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.release = undefined;
  }

  private open: { source: ConsoleSource; buffer: Uint8Array<ArrayBuffer>; fill: number } | null =
    null;

  private openChunk(source: ConsoleSource) {
    if (this.open !== null && this.open.source !== source) this.close();
    this.open ??= { source, buffer: new Uint8Array(OUTPUT_CHUNK), fill: 0 };
    return this.open;
  }

  private closeWhenFull(chunk: { fill: number }): void {
    if (chunk.fill === OUTPUT_CHUNK) this.close();
  }

  private close(): void {
    if (this.open === null) return;
    if (this.open.fill > 0) {
      this.waiting.push({
        source: this.open.source,
        data: this.open.buffer.slice(0, this.open.fill),
      });
    }
    this.open = null;
  }

  private flush(): void {
    if (this.unacknowledged >= OUTPUT_WINDOW) return;
    this.close();
    let sent = 0;
    for (const chunk of this.waiting) {
      if (this.unacknowledged + chunk.data.length > OUTPUT_WINDOW) break;
      this.unacknowledged += chunk.data.length;
      this.waitingBytes -= chunk.data.length;
      this.send(chunk.source, chunk.data);
      sent++;
    }
    this.waiting.splice(0, sent);
  }

  private dropOldest(): void {
    this.close();
    let dropped = 0;
    while (this.waitingBytes > LIMIT / 2 && dropped < this.waiting.length) {
      this.waitingBytes -= this.waiting[dropped++]?.data.length ?? 0;
    }
    const source = this.waiting[dropped]?.source ?? 'serial';
    this.waiting.splice(0, dropped, { source, data: DROPPED });
    this.waitingBytes += DROPPED.length;
  }
}
