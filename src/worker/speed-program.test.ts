import { describe, expect, it } from 'vitest';
import { nodeHost } from '../cli/node-host.ts';
import { loadCore } from '../cli/repository.ts';
import { Machine } from '../machine/machine.ts';
import { MIB } from '../machine/memory-map.ts';
import { speedProgram } from './speed-program.ts';

describe('the program that measures speed', () => {
  it('runs without end on a whole machine, and never waits', async () => {
    const host = nodeHost();
    const machine = Machine.create(
      {
        memory: 8 * MIB,
        boot: { kind: 'firmware', firmware: speedProgram(), append: '' },
        core: await loadCore(),
        shared: false,
      },
      host,
    );
    machine.start();
    for (let turn = 0; turn < 200 && machine.stats('estimate').instructions < 2e6; turn++) {
      await host.sleep(10).done;
    }
    expect(machine.state.kind).toBe('running');
    const { instructions, idle_s, translated_instructions } = machine.stats('estimate');
    expect(instructions).toBeGreaterThan(2e6);
    expect(translated_instructions).toBeGreaterThan(0);
    expect(idle_s).toBe(0);
    machine.destroy();
  });
});
