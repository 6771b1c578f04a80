/**
 * What a machine gets from Node: clocks, entropy, turns of the event loop, sleep. A turn also waits
 * while the terminal cannot take more output, so a guest that floods its console does not fill the
 * host's memory.
 */
import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import type { MachineHost, Sleep } from '../machine/host.ts';

/** Bytes that may wait in a stream before the guest is held back. */
const OUTPUT_LIMIT = 1 << 20;

export function nodeHost(output: readonly Writable[] = []): MachineHost {
  return {
    now: () => performance.now(),
    wallClock: () => performance.timeOrigin + performance.now(),
    entropy(into) {
      // A view of shared memory is refused: fill a copy.
      into.set(randomFillSync(new Uint8Array(into.length)));
    },
    async turn() {
      await new Promise<void>((resolve) => setImmediate(resolve));
      for (const stream of output) await drained(stream);
    },
    sleep,
  };
}

async function drained(stream: Writable): Promise<void> {
  if (stream.writableLength <= OUTPUT_LIMIT) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) stream.on(event, done);
  });
}

function sleep(ms: number): Sleep {
  let wake = () => {};
  const done = new Promise<void>((resolve) => {
    // Rounded up: a timer that fires early would find nothing to do and be set again.
    const timer = setTimeout(resolve, Math.ceil(ms));
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { done, wake };
}
