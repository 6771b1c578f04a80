/**
 * Where translated code goes on when an address comes to mean something else: another page is mapped
 * there, or who jumps there may not (privileged ISA, 'Supervisor Memory-Management Fence' and
 * 'Addressing and Memory Protection'). Both tiers must arrive where memory and rights say.
 */
import { describe, expect, it } from 'vitest';
import { RAM_BASE, RAM_OFFSET } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import { BASE } from './programs.ts';
import { FORMS, TierRun } from './tier.ts';

const ROUNDS = 12;
const CALLS = 20;
/** Two pages: the same function with another answer. */
const ODD = 0x8001_0000;
const EVEN = 0x8001_1000;
/** Where one of them is mapped: in the half of the addresses in which no larger pages are. */
const WINDOW = -0x1f_d000;
/** An address that only user mode may execute. */
const USER = 0x4000;
const TABLES = 0x800c_0000;
/** The same but for WINDOW, with which the other page is mapped there. */
const OTHER_TABLES = 0x800d_0000;
const LEAF_TABLE = 0x2000;
const WINDOW_INDEX = (WINDOW >>> 12) & 511;

const satp = (tables: number) => (8n << 60n) | BigInt(tables >>> 12);
const leaf = (address: number, flags: number) => (address >>> 12) * 1024 + flags;
const KERNEL = 0xcf;
const USERS = 0xdf;

/** What each round does so that WINDOW leads to the other page. s6: the answer that is due, 1 or 2. */
const WAYS: Readonly<Record<string, string>> = {
  'a fence of its address': `call remap\nli t0, ${WINDOW}\nsfence.vma t0`,
  'a fence of all addresses': 'call remap\nsfence.vma',
  'another root of the page tables': `
    li t0, ${satp(TABLES)}
    li t1, 1
    beq s6, t1, root
    li t0, ${satp(OTHER_TABLES)}
  root:
    csrw satp, t0
    sfence.vma`,
};

const ENTER = `
    la t0, trap
    csrw mtvec, t0
    li t0, 0x100
    csrw medeleg, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, ${satp(TABLES)}
    csrw satp, t0
    la t0, begin
    csrw mepc, t0
    li t0, 0x1000
    csrc mstatus, t0
    li t0, 0x800
    csrs mstatus, t0
    mret
    .align 2
  trap:
    csrr s8, mcause
    csrr s9, mepc
    li s10, 3
  stop:
    j stop`;

const remapped = (way: string) => `
    ${ENTER}
  begin:
    li s2, ${ROUNDS}
    li s6, 1
  round:
    ${way}
    li s4, ${CALLS}
  again:
    li t0, ${WINDOW}
    jalr t0
    bne a0, s6, wrong
    addi s5, s5, 1
    addi s4, s4, -1
    bnez s4, again
    xori s6, s6, 3
    addi s2, s2, -1
    bnez s2, round
    li s10, 1
  done:
    j done
  wrong:
    li s10, 2
    j done
  remap:
    li t1, ${leaf(ODD, KERNEL)}
    li t2, 1
    beq s6, t2, put
    li t1, ${leaf(EVEN, KERNEL)}
  put:
    li t2, ${TABLES + LEAF_TABLE + 8 * WINDOW_INDEX}
    sd t1, 0(t2)
    ret`;

/** User mode runs the page at USER by itself; then the supervisor jumps there, as it did elsewhere. */
const forbidden = `
    ${ENTER}
  begin:
    li s4, ${CALLS}
    la t0, function
  warm:
    jalr t0
    addi s4, s4, -1
    bnez s4, warm
    la t1, back
    csrw stvec, t1
    li t1, 0x100
    csrc sstatus, t1
    li t1, ${USER}
    csrw sepc, t1
    sret
    .align 2
  back:
    li s4, 2
    li t0, ${USER + 0x40}
    j warm
  function:
    ret`;

/** In the user's page: calls what is 0x40 further on, again and again, then the supervisor. */
const USER_CODE = `
    li s4, ${CALLS}
  again:
    jal function
    addi s4, s4, -1
    bnez s4, again
    ecall
    .align 6
  function:
    ret`;

function prepare(source: string, without?: (typeof FORMS)[number][1]): TierRun {
  const run = new TierRun(assemble(source, { base: BASE }).bytes, {
    translate: without && { without },
  });
  const view = new DataView(run.core.memory.buffer, RAM_OFFSET, run.ram.length);
  const put = (table: number, index: number, entry: number) =>
    view.setBigUint64(table - RAM_BASE + 8 * index, BigInt(entry), true);
  for (const [tables, window] of [
    [TABLES, ODD],
    [OTHER_TABLES, EVEN],
  ] as const) {
    put(tables, 2, leaf(RAM_BASE, KERNEL));
    put(tables, 0, leaf(tables + 0x1000, 1));
    put(tables + 0x1000, 0, leaf(tables + LEAF_TABLE, 1));
    put(tables + LEAF_TABLE, WINDOW_INDEX, leaf(window, KERNEL));
    put(tables, 511, leaf(tables + 0x1000, 1));
    put(tables + 0x1000, 511, leaf(tables + LEAF_TABLE, 1));
    put(tables + LEAF_TABLE, USER >>> 12, leaf(0x8001_2000, USERS));
  }
  const place = (address: number, text: string) =>
    run.ram.set(assemble(text, { base: BigInt(address) }).bytes, address - RAM_BASE);
  place(ODD, 'li a0, 1\nret');
  place(EVEN, 'li a0, 2\nret');
  place(0x8001_2000, USER_CODE);
  return run;
}

function finish(run: TierRun): bigint {
  for (let slices = 0; run.hart.x(26) === 0n && slices < 10_000; slices++) run.run(97);
  return run.hart.x(26);
}

describe.each(FORMS)('translated code, %s', (_, without) => {
  it.each(Object.entries(WAYS))('goes to what is mapped after %s', (__, way) => {
    for (const run of [prepare(remapped(way)), prepare(remapped(way), without)]) {
      expect([finish(run), run.hart.u64('mcause')]).toEqual([1n, 0n]);
      expect(run.hart.x(21)).toBe(BigInt(ROUNDS * CALLS));
    }
  });

  it('does not go where only user mode may', () => {
    for (const run of [prepare(forbidden), prepare(forbidden, without)]) {
      // Instruction page fault, at the user's function.
      expect(finish(run)).toBe(3n);
      expect([run.hart.x(24), run.hart.x(25)]).toEqual([12n, BigInt(USER + 0x40)]);
    }
  });
});
