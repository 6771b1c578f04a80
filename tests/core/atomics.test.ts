/**
 * The A extension against another thread: a guest and a thread of the host count up the same
 * doublewords at the same time, the guest with AMOs and with LR/SC. Nothing is lost.
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import { ExitReason, RAM_OFFSET } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';

const RAM = 1 << 20;
const DATA_OFFSET = 0x8_0000;
const COUNT = 300_000;

const PROGRAM = `
    li s0, 0x80080000
    li s1, ${COUNT}
    li s2, 1
  loop:
    amoadd.d zero, s2, (s0)
    addi t1, s0, 8
  retry:
    lr.w t0, (t1)
    addi t0, t0, 1
    sc.w t2, t0, (t1)
    bnez t2, retry
    addi t1, s0, 16
  again:
    lr.d t0, (t1)
    addi t0, t0, 1
    sc.d t2, t0, (t1)
    bnez t2, again
    addi s1, s1, -1
    bnez s1, loop
    wfi
`;

/** Counts the same places up, from JavaScript. */
const OTHER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { buffer, offset, count } = workerData;
  const words = new Int32Array(buffer, offset, 8);
  const doubles = new BigInt64Array(buffer, offset, 4);
  parentPort.postMessage('ready');
  for (let i = 0; i < count; i++) {
    Atomics.add(doubles, 0, 1n);
    Atomics.add(words, 2, 1);
    Atomics.add(doubles, 2, 1n);
  }
  parentPort.postMessage('done');
`;

describe('atomics in shared memory', () => {
  it('lose nothing beside another thread', async () => {
    const memory = createMemory(RAM, true);
    const module = new WebAssembly.Module(
      readFileSync(new URL('../../build/core-shared.wasm', import.meta.url)),
    );
    const core = instantiateCore(module, memory, {
      mmio_load: () => 0,
      mmio_load64: () => 0n,
      mmio_store: () => {},
      mmio_store64: () => {},
      time: () => 0,
    });
    const hart = new HartView(memory, 0);
    hart.setU32('ram_size', RAM);
    core.exports.reset(0);
    const { bytes } = assemble(PROGRAM, { base: 0x8000_0000n });
    new Uint8Array(memory.buffer, RAM_OFFSET).set(bytes);
    hart.pc = 0x8000_0000n;

    const worker = new Worker(OTHER, {
      eval: true,
      workerData: { buffer: memory.buffer, offset: RAM_OFFSET + DATA_OFFSET, count: COUNT },
    });
    const said = (word: string) =>
      new Promise<void>((resolve) =>
        worker.on('message', (message) => message === word && resolve()),
      );
    const ready = said('ready');
    const done = said('done');
    await ready;
    let reason: number = ExitReason.Budget;
    while (reason === ExitReason.Budget) reason = core.exports.run(0, 1_000_000);
    await done;
    await worker.terminate();

    expect(reason).toBe(ExitReason.Wfi);
    const view = new DataView(memory.buffer, RAM_OFFSET + DATA_OFFSET);
    expect(view.getBigUint64(0, true)).toBe(BigInt(2 * COUNT));
    expect(view.getUint32(8, true)).toBe(2 * COUNT);
    expect(view.getBigUint64(16, true)).toBe(BigInt(2 * COUNT));
  });
});
