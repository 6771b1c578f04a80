/**
 * Code that changes, in both tiers: a function is called until it is translated, then another one is
 * written over it in each of the ways in which memory is written, then fence.i, then it is called
 * again. Each call must do what memory says (unprivileged ISA, 'Zifencei').
 */
import { describe, expect, it } from 'vitest';
import { PAGE_FLAGS_OFFSET, PAGE_SHIFT, RAM_BASE, RAM_OFFSET } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import { GuestMemory } from '../../src/machine/memory.ts';
import { BASE } from './programs.ts';
import { FORMS, TierRun } from './tier.ts';

/** More rounds than stores after which a page is taken for data. */
const ROUNDS = 100;
const CALLS = 40;
const CODE = 0x8001_0000;
const DEVICE = 0x1000_0000;
/** Root of the page tables, then a table of each further level. */
const TABLES = 0x800c_0000;
/** Where the tables show CODE's page a second time. */
const ALIAS = 0x3000;

interface Way {
  /** Where the function is called; CODE unless given. */
  readonly at?: number;
  /** Writes a function that returns s3; t1 holds `li a0, s3`. */
  readonly write: string;
  readonly supervisor?: boolean;
  /** The function lies in the page of what calls and writes it. */
  readonly near?: boolean;
}

const WAYS: Readonly<Record<string, Way>> = {
  'a store': { write: `li t0, ${CODE}\nsw t1, 0(t0)` },
  'bytes one by one': {
    write: `li t0, ${CODE}
      sb t1, 0(t0)
      srli t1, t1, 8
      sb t1, 1(t0)
      srli t1, t1, 8
      sb t1, 2(t0)
      srli t1, t1, 8
      sb t1, 3(t0)`,
  },
  'an atomic swap': { write: `li t0, ${CODE}\namoswap.w zero, t1, (t0)` },
  'a store to the page that it is in itself': { near: true, write: 'la t0, near\nsw t1, 0(t0)' },
  'a store that begins in the page before': {
    // Two bytes of that page, the instruction, and the c.nop that follows it.
    write: `li t0, ${CODE - 2}
      slli t1, t1, 32
      srli t1, t1, 16
      li t2, 1
      slli t2, t2, 48
      or t1, t1, t2
      sd t1, 0(t0)`,
  },
  'a store to the second half of an instruction that crosses pages': {
    at: CODE - 2,
    write: `li t0, ${CODE}\nsrli t1, t1, 16\nsh t1, 0(t0)`,
  },
  'a store that crosses pages to an instruction that does': {
    at: CODE - 2,
    write: `li t0, ${CODE - 2}\nsw t1, 0(t0)`,
  },
  'a store to another address of the page': {
    supervisor: true,
    write: `li t0, ${ALIAS}\nsw t1, 0(t0)`,
  },
  'a store to the page that runs at another address': {
    supervisor: true,
    at: ALIAS,
    write: `li t0, ${CODE}\nsw t1, 0(t0)`,
  },
  'a device': { write: `li t0, ${DEVICE}\nsw t1, 0(t0)` },
  'a cleared block and a store': {
    write: `li t0, ${CODE}
      lw t2, 4(t0)
      cbo.zero (t0)
      sw t1, 0(t0)
      sw t2, 4(t0)`,
  },
};

/** c.nop; c.ret */
const TAIL = 0x8082_0001;

function source({ at = CODE, write, supervisor = false, near = false }: Way): string {
  return `
    la t0, trap
    csrw mtvec, t0
    ${
      supervisor
        ? `li t0, ${(8n << 60n) | BigInt(TABLES >>> 12)}
           csrw satp, t0
           li t0, -1
           csrw pmpaddr0, t0
           li t0, 0x1f
           csrw pmpcfg0, t0
           la t0, begin
           csrw mepc, t0
           li t0, 0x800
           csrs mstatus, t0
           li t0, 0x1000
           csrc mstatus, t0
           mret`
        : ''
    }
  begin:
    li s2, ${ROUNDS}
    li s3, 0
  round:
    addi s3, s3, 1
    slli t1, s3, 20
    li t2, 0x513
    or t1, t1, t2
    ${write}
    fence.i
    li s4, ${CALLS}
  again:
    ${near ? 'la t0, near' : `li t0, ${at}`}
    jalr t0
    bne a0, s3, wrong
    addi s5, s5, 1
    addi s4, s4, -1
    bnez s4, again
    addi s2, s2, -1
    bnez s2, round
    li s10, 1
  done:
    j done
  wrong:
    li s10, 2
    j done
    .align 2
  trap:
    csrr s8, mcause
    csrr s9, mepc
    li s10, 3
    j done
    .align 2
  near:
    .word 0x513
    .word ${TAIL}
  `;
}

function tables(view: DataView): void {
  const put = (table: number, index: number, entry: number) =>
    view.setBigUint64(table - RAM_BASE + 8 * index, BigInt(entry), true);
  const leaf = (address: number) => (address >>> 12) * 1024 + 0xcf;
  const pointer = (address: number) => (address >>> 12) * 1024 + 1;
  put(TABLES, 2, leaf(RAM_BASE));
  put(TABLES, 0, pointer(TABLES + 0x1000));
  put(TABLES + 0x1000, 0, pointer(TABLES + 0x2000));
  put(TABLES + 0x2000, ALIAS >>> 12, leaf(CODE));
}

function prepare(way: Way, translate?: { without: (typeof FORMS)[number][1] }): TierRun {
  const { bytes } = assemble(source(way), { base: BASE });
  const run: TierRun = new TierRun(bytes, {
    translate,
    host: {
      mmio_store: (_, __, value) => {
        const word = new Uint8Array(new Uint32Array([value]).buffer);
        memory.write(memory.locate(CODE, 0, 4), 0, word);
      },
    },
  });
  const { buffer } = run.core.memory;
  // As a device writes: the core hears of pages that hold code.
  const flags = new Uint8Array(buffer, PAGE_FLAGS_OFFSET, run.ram.length >>> PAGE_SHIFT);
  const memory = new GuestMemory({ buffer, offset: RAM_OFFSET, size: run.ram.length });
  memory.onWrite = (offset, length) => {
    if (flags[offset >>> PAGE_SHIFT]) run.core.exports.invalidate(0, offset, length);
  };
  const view = new DataView(buffer, RAM_OFFSET, run.ram.length);
  const at = (way.at === CODE - 2 ? CODE - 2 : CODE) - RAM_BASE;
  view.setUint32(at, 0x513, true);
  view.setUint32(at + 4, TAIL, true);
  tables(view);
  return run;
}

describe.each(FORMS)('translated code that is written over, %s', (_, without) => {
  it.each(Object.entries(WAYS))('by %s', (__, way) => {
    const interpreted = prepare(way);
    const translated = prepare(way, { without });
    for (const run of [interpreted, translated]) {
      for (let slices = 0; run.hart.x(26) === 0n && slices < 10_000; slices++) run.run(97);
      expect([run.hart.x(26), run.hart.u64('mcause')]).toEqual([1n, 0n]);
      expect(run.hart.x(21)).toBe(BigInt(ROUNDS * CALLS));
    }
    expect(translated.hart.u64('stat_translated')).toBeGreaterThan(BigInt(ROUNDS * CALLS));
    // An instruction that crosses pages is the interpreter's, its caller is not.
    if (way.at !== CODE - 2) {
      expect(translated.translator?.stats.invalidations).toBeGreaterThan(5);
    }
  });
});
