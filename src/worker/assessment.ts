/**
 * Measures the host, in a worker of its own: how much memory the browser really gives, and how fast
 * a guest runs here. The memory is asked for and let go at once; ending the worker gives all of it
 * back. The guest is a real one, a small program on the whole machine, without a browser's warm-up.
 */
import { Machine } from '../machine/machine.ts';
import { MIB } from '../machine/memory-map.ts';
import type {
  AssessmentReply,
  AssessmentRequest,
  MemoryProbe,
  Speed,
} from './assessment-protocol.ts';
import { workerHost } from './host.ts';
import { speedProgram } from './speed-program.ts';

const WASM_PAGE = 65_536;
/** Memory is asked for in steps of this size: fine enough for a budget, and quickly done. */
const STEP = 128 * MIB;
/** What one WebAssembly memory may have: as the largest guest. */
const EACH = 2048 * MIB;
const GUEST_MEMORY = 8 * MIB;
/** Code is translated and compiled in this time; it does not count. */
const WARM_UP_MS = 300;

globalThis.addEventListener(
  'message',
  (event: Event) => {
    void assess((event as MessageEvent<AssessmentRequest>).data);
  },
  { once: true },
);

async function assess({ memoryBound, speed }: AssessmentRequest): Promise<void> {
  try {
    reply({ type: 'memory', memory: probeMemory(memoryBound) });
    if (speed) reply({ type: 'speed', speed: await measureSpeed(speed.core, speed.seconds) });
  } catch (error) {
    reply({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
  }
}

function reply(message: AssessmentReply): void {
  postMessage(message);
}

/**
 * Grows memories until the browser refuses or the bound is met. A byte in each step is written:
 * an address alone is not memory yet.
 */
function probeMemory(bound: number): MemoryProbe {
  let bytes = 0;
  while (bytes < bound) {
    const memory = newMemory();
    if (memory === undefined) return { bytes, ends: true };
    for (let size = 0; size < EACH && bytes < bound; size += STEP) {
      try {
        memory.grow(STEP / WASM_PAGE);
        new Uint8Array(memory.buffer, size, STEP).fill(1, 0, 1);
      } catch {
        return { bytes, ends: true };
      }
      bytes += STEP;
    }
  }
  return { bytes, ends: false };
}

function newMemory(): WebAssembly.Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial: 0, maximum: EACH / WASM_PAGE });
  } catch {
    return undefined;
  }
}

async function measureSpeed(core: ArrayBuffer, seconds: number): Promise<Speed> {
  const host = workerHost(() => Promise.resolve());
  const machine = Machine.create(
    {
      memory: GUEST_MEMORY,
      boot: { kind: 'firmware', firmware: speedProgram(), append: '' },
      core: await WebAssembly.compile(core),
      shared: false,
    },
    host,
  );
  try {
    machine.start();
    await host.sleep(WARM_UP_MS).done;
    const before = { at: host.now(), instructions: machine.stats('estimate').instructions };
    await host.sleep(seconds * 1000).done;
    const { state } = machine;
    if (state.kind !== 'running') {
      throw new Error(`The measuring guest stopped: ${state.reason ?? state.kind}.`);
    }
    const elapsed = (host.now() - before.at) / 1000;
    const instructions = machine.stats('estimate').instructions - before.instructions;
    return { mips: instructions / elapsed / 1e6, seconds: elapsed };
  } finally {
    machine.destroy();
  }
}
