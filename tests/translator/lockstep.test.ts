/** Whole computers in lockstep: Debian's kernel and a bare-metal program, interpreted and translated. */
import { describe, expect, it } from 'vitest';
import { loadCore, loadTemplate } from '../../src/cli/repository.ts';
import { LockstepBoards, type LockstepOptions } from '../../src/machine/lockstep-boards.ts';
import type { BootConfig } from '../../src/machine/machine.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import { program } from '../machine/bare-metal.ts';

async function boards(options: Partial<LockstepOptions> & { boot: BootConfig }) {
  let text = '';
  const made: LockstepBoards = new LockstepBoards({
    memory: 128 * MIB,
    core: await loadCore(),
    shared: false,
    onConsole: (data) => {
      text += Buffer.from(data).toString('latin1');
    },
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    ...options,
  });
  return { made, text: () => text };
}

async function linux(): Promise<BootConfig> {
  const { manifest, kernel, initrd } = await loadTemplate('micro');
  return { kind: 'linux', kernel, initrd, append: manifest.append };
}

const counting = (end: number) =>
  program(
    `
      # Far from the code: a page that is written is no place for translated code.
      li sp, 0x80080000
      li s0, 2000000
    again:
      addi s1, s1, 3
      mul s2, s1, s1
      sd s2, 0(sp)
      addi s0, s0, -1
      bnez s0, again
      li t0, ${(end << 1) | 1}
      la t1, tohost
      sd t0, 0(t1)
      j .
      .align 3
    tohost: .dword 0
    fromhost: .dword 0`,
  );

describe('lockstep', () => {
  it.each([
    ['both', 700_000_000, /Run \/init as init process/],
    // All that runs twice is translated: slow to begin with.
    ['translator', 15_000_000, /Linux version/],
  ] as const)("Debian's kernel boots alike (%s)", async (tier, limit, output) => {
    const { made, text } = await boards({ boot: await linux(), tier, limit });
    const end = await made.run();
    expect(end.difference).toBeUndefined();
    expect(end.request).toBeUndefined();
    expect(end.instructions).toBeGreaterThanOrEqual(limit);
    expect(end.translated).toBeGreaterThan(limit / 2);
    expect(text()).toMatch(output);
  });

  it('a program ends alike, with its code', async () => {
    const boot = { kind: 'elf', elf: counting(7) } as const;
    const { made } = await boards({ boot, memory: MIB });
    const end = await made.run();
    expect(end).toMatchObject({ request: { kind: 'off', exitCode: 7 } });
    expect(end.difference).toBeUndefined();
    expect(end.translated).toBeGreaterThan(5_000_000);
  });

  it.each([
    ['a register', 'x[19]'],
    ['memory', 'memory at 0x800f0000 (page 0x800f0000)'],
  ])('notices %s that differs', async (kind, what) => {
    const { made } = await boards({
      boot: { kind: 'elf', elf: counting(0) },
      memory: MIB,
      turn: async () => {
        if (kind === 'a register') made.subject.hart.setX(19, 1n);
        else
          new DataView(made.subject.core.memory.buffer).setUint32(0x400_0000 + 0xf_0000, 1, true);
      },
      limit: 5_000_000,
    });
    const end = await made.run();
    expect(end.difference).toMatchObject({ what, reference: 0n, subject: 1n });
  });
});
