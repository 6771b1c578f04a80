/**
 * What a machine gets from its surroundings when it runs in a Web Worker: clocks, entropy, a turn
 * of the event loop between slices, and sleep that input can end. Relies on nothing that a worker
 * of an opaque origin lacks.
 */
import type { MachineHost } from '../machine/host.ts';

/** `getRandomValues` refuses more than this at once. */
const ENTROPY_CHUNK = 65536;

/**
 * A macrotask without the four milliseconds that nested timers are clamped to: messages that
 * arrived meanwhile are handled before it resolves.
 */
function eventLoopTurn(): () => Promise<void> {
  const channel = new MessageChannel();
  let resume: (() => void)[] = [];
  channel.port1.onmessage = () => {
    const ready = resume;
    resume = [];
    for (const resolve of ready) resolve();
  };
  return () =>
    new Promise((resolve) => {
      resume.push(resolve);
      channel.port2.postMessage(0);
    });
}

/** From here on a sleep may end a little late, in milliseconds. */
const COARSE_SLEEP_MS = 4;

/**
 * Timers cut fractions of a millisecond off. For short sleeps that is right: the run loop spends
 * the rest in turns and is exact. After longer ones it would poll hundreds of times for nothing.
 */
function timerDelay(ms: number): number {
  return ms >= COARSE_SLEEP_MS ? Math.ceil(ms) : Math.max(0, ms);
}

export interface WorkerHost extends MachineHost {
  /** How often the machine has gone on after a turn of the event loop or after sleep. */
  readonly wakeups: number;
}

export function workerHost(room: () => Promise<void>): WorkerHost {
  const turn = eventLoopTurn();
  let wakeups = 0;
  return {
    get wakeups() {
      return wakeups;
    },
    now: () => performance.now(),
    wallClock: () => Date.now(),
    entropy(into: Uint8Array): void {
      // A view of shared memory is refused: fill a copy.
      for (let at = 0; at < into.length; at += ENTROPY_CHUNK) {
        const part = new Uint8Array(Math.min(ENTROPY_CHUNK, into.length - at));
        into.set(crypto.getRandomValues(part), at);
      }
    },
    async turn(): Promise<void> {
      await turn();
      wakeups++;
      await room();
    },
    sleep(ms: number) {
      let wake = () => {};
      const done = new Promise<void>((resolve) => {
        let ended = false;
        const end = () => {
          if (!ended) wakeups++;
          ended = true;
          resolve();
        };
        const timer = Number.isFinite(ms) ? setTimeout(end, timerDelay(ms)) : undefined;
        wake = () => {
          clearTimeout(timer);
          end();
        };
      });
      return { done, wake };
    },
  };
}
