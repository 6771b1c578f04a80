/** Bare-metal programs for tests: assembled, wrapped as ELF, run on a machine in this process. */

import { nodeHost } from '../../src/cli/node-host.ts';
import { loadCore } from '../../src/cli/repository.ts';
import { assemble } from '../../src/isa/assemble.ts';
import type { MachineHost } from '../../src/machine/host.ts';
import { makeElf } from '../../src/machine/loader/testing.ts';
import { Machine, type MachineConfig, type MachineState } from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';

const BASE = 0x8000_0000n;

/** Ends a program with what t0 holds, for tohost. */
export const END = `
  la t1, tohost
  sd t0, 0(t1)
  j .
  .align 3
tohost: .dword 0
fromhost: .dword 0
`;

/** Ends a program with an exit code. */
export const exit = (code: number): string => `
  li t0, ${(code << 1) | 1}
${END}`;

/** An ELF file of `source` at the start of RAM; its labels tohost and fromhost are symbols. */
export function program(source: string): Uint8Array {
  const { bytes, symbols } = assemble(source, { base: BASE });
  const wanted = ['tohost', 'fromhost'].flatMap((name) => {
    const address = symbols.get(name);
    return address === undefined ? [] : [[name, address] as const];
  });
  return makeElf({
    entry: BASE,
    segments: [
      { virtual: BASE, physical: BASE, data: bytes, memory: BigInt((bytes.length + 7) & ~7) },
    ],
    symbols: Object.fromEntries(wanted),
  });
}

export interface Run {
  readonly machine: Machine;
  readonly output: () => string;
  /** The state in which the machine stops: off or crashed. */
  readonly end: Promise<MachineState>;
}

/** Starts a program in 1 MB of RAM. */
export async function start(
  source: string,
  config: Partial<MachineConfig> = {},
  host: MachineHost = nodeHost(),
): Promise<Run> {
  const machine = Machine.create(
    {
      memory: MIB,
      boot: { kind: 'elf', elf: program(source) },
      core: await loadCore(),
      shared: false,
      ...config,
    },
    host,
  );
  let output = '';
  machine.onConsole((data) => {
    output += Buffer.from(data).toString('latin1');
  });
  const end = new Promise<MachineState>((resolve) => {
    machine.onState((state) => {
      if (state.kind === 'off' || state.kind === 'crashed') resolve(state);
    });
  });
  machine.start();
  return { machine, output: () => output, end };
}

export async function runToEnd(
  source: string,
  config: Partial<MachineConfig> = {},
  host?: MachineHost,
) {
  const run = await start(source, config, host);
  const state = await run.end;
  return { ...run, state, text: run.output() };
}

/** A host whose time passes by `step` milliseconds at each look at its clock, and by sleeping. */
export function virtualHost(step: number): MachineHost {
  let now = 0;
  return {
    now: () => {
      now += step;
      return now;
    },
    wallClock: () => 1.7e12 + now,
    entropy: (into) => into.fill(4),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    sleep(ms) {
      if (!(ms < 60_000)) throw new Error(`The machine sleeps for ${ms} ms, as if for ever.`);
      now += ms;
      return { done: Promise.resolve(), wake: () => {} };
    },
  };
}
