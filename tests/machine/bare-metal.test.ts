/** Programs in M-mode without any operating system: the machine's own promises, in 1 MB of RAM. */
import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { exit, runToEnd, start, virtualHost } from './bare-metal.ts';

const UART = 0x1000_0000;
const SYSCON = 0x10_0000;
const MTIMECMP = 0x200_4000;
const MTIME = 0x200_bff8;
const MSIP = 0x200_0000;

describe('how a program ends', () => {
  it.each([0, 1, 42, 255])('tohost: exit code %i', async (code) => {
    const { state } = await runToEnd(exit(code));
    expect(state).toEqual({ kind: 'off', exitCode: code });
  });

  it.each(['interpreter', 'translator', 'both'] as const)(
    'tohost: nothing runs after the store that ends the program (%s)',
    async (tier) => {
      const { machine } = await runToEnd(
        `
        li t2, 100000
        again: addi t2, t2, -1
        bnez t2, again
        li t0, 1
        la t1, tohost
        sd t0, 0(t1)
        again2: addi t3, t3, 1
        j again2
        .align 3
        tohost: .dword 0`,
        { tier },
      );
      // lui and addi, the loop, then li, auipc, addi and sd.
      expect(machine.stats().instructions).toBe(2 + 200_000 + 4);
    },
  );

  it('tohost in two halves is one command', async () => {
    const { state, text } = await runToEnd(`
      la t1, tohost
      li t0, 0x41
      sw t0, 0(t1)
      li t0, 0x01010000
      sw t0, 4(t1)
    ${exit(3)}`);
    expect([text, state]).toEqual(['A', { kind: 'off', exitCode: 3 }]);
  });

  it.each([
    [0x5555, { kind: 'off' }],
    [0x3333 | (7 << 16), { kind: 'off', exitCode: 7, reason: 'The guest reported failure 7.' }],
  ])('test finisher: %i', async (value, state) => {
    const run = await runToEnd(`
      li t0, ${SYSCON}
      li t1, ${value}
      sw t1, 0(t0)
      j .`);
    expect(run.state).toEqual(state);
  });

  it('the instruction after the one that switches off does not run', async () => {
    const { text } = await runToEnd(`
      li t0, ${SYSCON}
      li t1, 0x5555
      li t2, ${UART}
      li t3, 'x'
      sw t1, 0(t0)
      sb t3, 0(t2)
      j .`);
    expect(text).toBe('');
  });

  it('a reboot loop is a crash with its reason', async () => {
    const { state, text } = await runToEnd(`
      li t2, ${UART}
      li t3, 'b'
      sb t3, 0(t2)
      li t0, ${SYSCON}
      li t1, 0x7777
      sw t1, 0(t0)
      j .`);
    expect(text).toBe('bbbbb');
    expect(state.kind).toBe('crashed');
    expect(state.reason).toContain('rebooted 5 times in a row');
  });

  it('a trap handler that faults itself is a crash with its reason', async () => {
    const { state } = await runToEnd('ld a0, 0(zero)');
    expect(state.kind).toBe('crashed');
    expect(state.reason).toMatch(
      /faults without end: its trap handler at 0x0 .*cause 1, value 0x0/,
    );
  });
});

describe('what a program finds', () => {
  it('its hart, the device tree, M-mode, zeroed memory', async () => {
    const { state } = await runToEnd(`
      bnez a0, bad
      lw t0, 0(a1)
      li t1, 0xedfe0dd0
      slli t1, t1, 32
      srai t1, t1, 32
      bne t0, t1, bad
      csrr t0, mhartid
      bnez t0, bad
      csrr t0, misa
      bgez t0, bad
      la t0, tohost
      ld t1, 64(t0)
      bnez t1, bad
      ${exit(0).replace('j .', 'j .\nbad: li t0, 3\nsd t0, 0(t1)\nj .')}`);
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
  });

  it('nothing outside RAM and devices: an access fault', async () => {
    const { state } = await runToEnd(`
      la t0, handler
      csrw mtvec, t0
      li t0, 0x80100000
      lw t0, 0(t0)
      j .
      .align 2
    handler:
      csrr t0, mcause
      slli t0, t0, 1
      ori t0, t0, 1
      la t1, tohost
      sd t0, 0(t1)
      j .
      .align 3
    tohost: .dword 0`);
    expect(state).toEqual({ kind: 'off', exitCode: 5 });
  });

  it('a serial port that takes input', async () => {
    const run = await start(`
      li s0, ${UART}
    next:
      lbu t0, 5(s0)
      andi t0, t0, 1
      beqz t0, next
      lbu t0, 0(s0)
      addi t1, t0, 1
      sb t1, 0(s0)
      li t1, 'q'
      bne t0, t1, next
    ${exit(0)}`);
    run.machine.consoleInput(new TextEncoder().encode('HALq'));
    await run.end;
    expect(run.output()).toBe('IBMr');
  });

  it('a console by the host interface, with input', async () => {
    const run = await start(`
      la s0, tohost
      la s1, fromhost
    next:
      li t0, 1
      slli t0, t0, 56
      sd t0, 0(s0)
    wait:
      ld t1, 0(s1)
      beqz t1, wait
      sd zero, 0(s1)
      andi t1, t1, 0xff
      li t2, 0x101
      slli t2, t2, 48
      or t2, t2, t1
      sd t2, 0(s0)
    sent:
      ld t3, 0(s0)
      bnez t3, sent
      sd zero, 0(s1)
      li t2, 'q'
      bne t1, t2, next
    ${exit(0)}`);
    run.machine.consoleInput(new TextEncoder().encode('ab'));
    // The program now waits in a loop: what is typed later reaches it there.
    while (run.output() !== 'ab') await new Promise((resolve) => setTimeout(resolve, 5));
    run.machine.consoleInput(new TextEncoder().encode('cq'));
    await run.end;
    expect(run.output()).toBe('abcq');
  });

  it('disks in the first virtio slots', async () => {
    const { state } = await runToEnd(
      `
      li s0, 0x10001000
      lw t0, 0(s0)
      li t1, 0x74726976
      bne t0, t1, bad
      lw t0, 8(s0)
      li t1, 2
      bne t0, t1, bad
      li s0, 0x10008000
      lw t0, 8(s0)
      li t1, 3
      bne t0, t1, bad
      la t1, tohost
      ${exit(0).replace('j .', 'j .\nbad: li t0, 3\nla t1, tohost\nsd t0, 0(t1)\nj .')}`,
      { disks: [new MemoryBackend(1 << 20)] },
    );
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
  });
});

describe('waiting', () => {
  /** Sleeps `ms` by mtimecmp and WFI, ten times or a few more on a busy host. */
  const sleeper = (ms: number) => `
      la t0, handler
      csrw mtvec, t0
      li s0, ${MTIME}
      li s1, ${MTIMECMP}
      li s2, 0
      li t0, 128
      csrw mie, t0
      ld t0, 0(s0)
      li t1, ${ms * 10_000}
      add t0, t0, t1
      sd t0, 0(s1)
      csrsi mstatus, 8
    again:
      wfi
      li t0, 10
      blt s2, t0, again
      j done
      .align 2
    handler:
      addi s2, s2, 1
      ld t0, 0(s0)
      li t1, ${ms * 10_000}
      add t0, t0, t1
      sd t0, 0(s1)
      mret
    done:
    ${exit(0)}`;

  it('for the machine timer costs nothing', async () => {
    const { state, machine } = await runToEnd(sleeper(20));
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
    const { instructions, idle_s, wall_s } = machine.stats();
    expect(instructions).toBeLessThan(1000);
    expect(wall_s).toBeGreaterThan(0.19);
    expect(idle_s).toBeGreaterThan(0.1);
  });

  it('shorter than timers are exact works as well', async () => {
    const { state } = await runToEnd(sleeper(0.2));
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
  });

  it.each([0.0137, 0.05, 0.31])(
    'ends however time passes between two looks: %f ms',
    async (step) => {
      const { state } = await runToEnd(sleeper(0.5), {}, virtualHost(step));
      expect(state).toEqual({ kind: 'off', exitCode: 0 });
    },
  );

  it('is the same in every run when time and entropy are', async () => {
    const runs = [];
    for (let i = 0; i < 2; i++) {
      const { machine } = await runToEnd(sleeper(2), {}, virtualHost(0.05));
      runs.push({ ...machine.stats(), translator: undefined });
    }
    expect(runs[1]).toEqual(runs[0]);
  });

  it('for an interrupt that comes from typing ends by it', async () => {
    // UART interrupt 10, priority 1, enabled for context 0, at hart 0's MEIP.
    const run = await start(`
      li t0, 0x0c000028
      li t1, 1
      sw t1, 0(t0)
      li t0, 0x0c002000
      li t1, 0x400
      sw t1, 0(t0)
      li s0, ${UART}
      li t1, 1
      sb t1, 1(s0)
      li t0, 0x800
      csrw mie, t0
      wfi
      li t0, 0x0c200004
      lw t1, 0(t0)
      lbu t2, 0(s0)
      sb t2, 0(s0)
      addi t1, t1, 55
      sb t1, 0(s0)
    ${exit(0)}`);
    while (run.machine.stats().idle_s === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    run.machine.consoleInput(Uint8Array.of(0x7a));
    await run.end;
    expect(run.output()).toBe('zA');
  });

  it('with its own software interrupt pending does not wait', async () => {
    const { state } = await runToEnd(`
      li t0, ${MSIP}
      li t1, 1
      sw t1, 0(t0)
      li t0, 8
      csrw mie, t0
      wfi
    ${exit(0)}`);
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
  });

  it('for ever can be paused, resumed, reset, switched off and destroyed', async () => {
    const { machine, output } = await start(`
      li t0, ${UART}
      li t1, '.'
      sb t1, 0(t0)
    forever:
      wfi
      j forever`);
    const idle = async (from: number) => {
      while (machine.stats().idle_s <= from) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await idle(0);
    machine.pause();
    expect(machine.state.kind).toBe('paused');
    machine.resume();
    await idle(machine.stats().idle_s);
    machine.reset();
    await idle(machine.stats().idle_s);
    expect(output()).toBe('..');
    machine.powerOff();
    expect(machine.state).toEqual({ kind: 'off' });
    expect(() => machine.pause()).toThrow('cannot be paused: it is off');
    machine.start();
    await idle(machine.stats().idle_s);
    expect(output()).toBe('...');
    machine.destroy();
    machine.destroy();
    expect(() => machine.start()).toThrow('has been destroyed');
  });
});

describe('a busy program', () => {
  it('leaves the event loop its turn', async () => {
    const { machine } = await start('j .');
    let turns = 0;
    let longest = 0;
    let last = performance.now();
    await new Promise<void>((resolve) => {
      const turn = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        if (++turns < 50) setTimeout(turn, 0);
        else resolve();
      };
      turn();
    });
    machine.destroy();
    console.log(`longest time without a turn of the event loop: ${longest.toFixed(1)} ms`);
    expect(turns).toBe(50);
  });

  it('that floods its console is heard in order and can be stopped', async () => {
    const { machine, output } = await start(`
      li t0, ${UART}
      li t1, 0
    more:
      andi t2, t1, 63
      addi t2, t2, 48
      sb t2, 0(t0)
      addi t1, t1, 1
      j more`);
    while (output().length < 500_000) await new Promise((resolve) => setTimeout(resolve, 1));
    machine.powerOff();
    const text = output();
    const expected = Array.from({ length: 64 }, (_, i) => String.fromCharCode(48 + i)).join('');
    expect(text.slice(0, 64 * 5000)).toBe(expected.repeat(5000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(output().length).toBe(text.length);
  });
});

describe('a machine that cannot be', () => {
  it.each([
    [{ memory: 0 }, /1 MB to 2048 MB/],
    [{ memory: 4096 * 1024 * 1024 }, /1 MB to 2048 MB/],
    [{ memory: (1 << 20) + 1 }, /cannot have/],
    [{ disks: Array.from({ length: 7 }, () => new MemoryBackend(512)) }, /6 disks/],
  ])('is refused with a sentence', async (config, sentence) => {
    await expect(start('j .', config)).rejects.toThrow(sentence);
  });
});
