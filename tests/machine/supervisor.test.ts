/** Programs in S-mode, loaded as a kernel is: the machine as SBI firmware, from a guest's side. */
import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { makeImage } from '../../src/machine/loader/testing.ts';
import { MIB } from '../../src/machine/memory-map.ts';
import { runToEnd, start, virtualHost } from './bare-metal.ts';

const BASE = 0x8020_0000n;
const HEADER_BYTES = 64;

/** A kernel Image that jumps over its header to `source`. */
function kernel(source: string): Uint8Array {
  const { bytes } = assemble(
    `j begin\n.zero ${HEADER_BYTES - 4}\nbegin:\n${source}\n.align 3\nstring: .ascii "hello"\n`,
    { base: BASE },
  );
  const file = makeImage({}, 4096);
  file.set(bytes.subarray(0, 4), 0);
  file.set(bytes.subarray(HEADER_BYTES), HEADER_BYTES);
  return file;
}

const linux = (source: string) => ({
  memory: 96 * MIB,
  boot: { kind: 'linux' as const, kernel: kernel(source), append: '' },
});

const call = (extension: number, functionId: number) =>
  `li a7, ${extension}\nli a6, ${functionId}\necall\n`;
const SRST = 0x5352_5354;
const HSM = 0x48_534d;
const DBCN = 0x4442_434e;
const TIME = 0x5449_4d45;
const IPI = 0x73_5049;
const off = `li a0, 0\nli a1, 0\n${call(SRST, 0)}`;
/** Prints one character by the legacy call. */
const print = (character: string) => `li a0, '${character}'\n${call(1, 0)}`;

const run = (source: string) => runToEnd('', linux(source));

describe('a supervisor', () => {
  it('begins with its hart, the device tree, and nothing delegated away', async () => {
    const { state, text } = await run(`
      bnez a0, bad
      lw t0, 0(a1)
      li t1, 0xedfe0dd0
      slli t1, t1, 32
      srai t1, t1, 32
      bne t0, t1, bad
      csrr t0, satp
      bnez t0, bad
      csrr t0, time
      csrr t0, cycle
      csrr t0, instret
      ${print('y')}
      ${off}
    bad:
      ${print('n')}
      ${off}`);
    expect([text, state]).toEqual(['y', { kind: 'off' }]);
  });

  it('gets its own exceptions', async () => {
    const { text } = await run(`
      la t0, handler
      csrw stvec, t0
      .word 0
      j .
      .align 2
    handler:
      csrr a0, scause
      addi a0, a0, 48
      ${call(1, 0)}
      ${off}`);
    expect(text).toBe('2');
  });

  it.each([
    ['a load', 'lb t1, -1(zero)', '5'],
    ['a store', 'sb t1, -1(zero)', '7'],
    ['a store across the end', 'sd t1, -3(zero)', '7'],
  ])('faults by %s at the last address of all', async (_, access, cause) => {
    const { text } = await run(`
      la t0, handler
      csrw stvec, t0
      ${access}
      ${print('n')}
      ${off}
      .align 2
    handler:
      csrr a0, scause
      addi a0, a0, 48
      ${call(1, 0)}
      ${off}`);
    expect(text).toBe(cause);
  });

  it('writes by the debug console, from memory and only from memory', async () => {
    const { text } = await run(`
      li a0, 5
      la a1, string
      li a2, 0
      ${call(DBCN, 0)}
      addi a0, a1, 48
      ${call(DBCN, 2)}
      li a0, 5
      li a1, 0x10000000
      li a2, 0
      ${call(DBCN, 0)}
      addi a0, a0, 80
      ${call(DBCN, 2)}
      ${off}`);
    expect(text).toBe('hello5M');
  });

  it('reads what is typed by the legacy call', async () => {
    const run = await start(
      '',
      linux(`
    again:
      ${call(2, 0)}
      bltz a0, again
      addi s0, a0, 1
      mv a0, s0
      ${call(1, 0)}
      li t0, 'r'
      bne s0, t0, again
      ${off}`),
    );
    run.machine.consoleInput(new TextEncoder().encode('HALq'));
    await run.end;
    expect(run.output()).toBe('IBMr');
  });

  const UART = 0x1000_0000;
  /** Prints each character that it gets, plus one, until an r. */
  const echo = `
    lbu s0, 0(s1)
    addi s0, s0, 1
    sb s0, 0(s1)
    li t0, 'r'
    bne s0, t0, again
    ${off}`;

  it('reads what is typed while it polls the serial port and never idles', async () => {
    const run = await start(
      '',
      linux(`
      li s1, ${UART}
    again:
      lbu t0, 5(s1)
      andi t0, t0, 1
      beqz t0, again
      ${echo}`),
    );
    run.machine.consoleInput(new TextEncoder().encode('HALq'));
    await run.end;
    expect(run.output()).toBe('IBMr');
  });

  it('gets what is typed also when it never idles and asks for nothing', async () => {
    const run = await start(
      '',
      linux(`
      la t0, handler
      csrw stvec, t0
      li s1, ${UART}
      li t0, 1
      sb t0, 1(s1)
      li t1, 0x0c000000
      sw t0, 40(t1)
      li t1, 0x0c002080
      li t2, 0x400
      sw t2, 0(t1)
      li t1, 0x0c201000
      sw zero, 0(t1)
      li t0, 0x200
      csrw sie, t0
      csrsi sstatus, 2
      j .
      .align 2
    handler:
      li t1, 0x0c201004
      lw s2, 0(t1)
      lbu s0, 0(s1)
      addi s0, s0, 1
      sb s0, 0(s1)
      sw s2, 0(t1)
      li t0, 'r'
      beq s0, t0, end
      sret
    end: ${off}`),
      virtualHost(0.5),
    );
    run.machine.consoleInput(new TextEncoder().encode('HALq'));
    await run.end;
    expect(run.output()).toBe('IBMr');
  });

  it('is interrupted by the timer that it set, and by itself', async () => {
    const { state, text } = await runToEnd(
      '',
      linux(`
      la t0, handler
      csrw stvec, t0
      li t0, 0x22
      csrw sie, t0
      csrsi sstatus, 2
      csrr a0, time
      li t0, 20000
      add a0, a0, t0
      ${call(TIME, 0)}
      wfi
      li a0, 1
      li a1, 0
      ${call(IPI, 0)}
      ${off}
      .align 2
    handler:
      csrr t1, scause
      andi t1, t1, 15
      addi a0, t1, 48
      ${call(1, 0)}
      csrci sip, 2
      li a0, -1
      ${call(TIME, 0)}
      li a0, 0
      li a1, 0
      sret`),
      virtualHost(0.01),
    );
    expect([text, state.kind]).toEqual(['51', 'off']);
  });

  it('suspends until an interrupt, retentive and not', async () => {
    const { text } = await runToEnd(
      '',
      linux(`
      li t0, 0x20
      csrw sie, t0
      csrr a0, time
      li t0, 50000
      add a0, a0, t0
      ${call(TIME, 0)}
      li a0, 0
      ${call(HSM, 3)}
      addi a0, a0, 48
      ${call(1, 0)}
      csrr a0, time
      li t0, 50000
      add a0, a0, t0
      ${call(TIME, 0)}
      li a0, 0x80000000
      la a1, woken
      li a2, 'w'
      ${call(HSM, 3)}
      j .
    woken:
      mv a0, a1
      ${call(1, 0)}
      ${off}`),
      virtualHost(0.01),
    );
    expect(text).toBe('0w');
  });

  it('that stops its last hart has crashed, with the reason', async () => {
    const { state } = await run(call(HSM, 1));
    expect(state).toEqual({ kind: 'crashed', reason: 'The guest stopped its last processor.' });
  });

  it('reboots, and is taken off when it does nothing else', async () => {
    const { state, text } = await run(`
      ${print('b')}
      li a0, 1
      li a1, 0
      ${call(SRST, 0)}`);
    expect(text).toBe('bbbbb');
    expect(state.kind).toBe('crashed');
  });

  it('is not fooled by a call that does not exist', async () => {
    const { text } = await run(`
      li a0, 7
      ${call(0x1234_5678, 9)}
      li t0, -2
      bne a0, t0, bad
      bnez a1, bad
      ${print('y')}
      ${off}
    bad:
      ${print('n')}
      ${off}`);
    expect(text).toBe('y');
  });
});
