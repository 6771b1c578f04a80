/**
 * The bare-metal program around the blocks, in assembly: it sets a block's state, enters it in its
 * mode, records and steps over its traps, and stores what it left behind. It needs M-mode, PMP and
 * nothing of the machine but the test finisher, so the same bytes run on the core and on QEMU.
 *
 * A trap in the block steps over the instruction; one outside the block's code (a jump to where no
 * code is) goes back to ra when that lies in the block, and otherwise ends the block. Traps that
 * are delegated come to the stub's ecall, and from there here: the same is done with sepc. A block
 * ends with the trap at its last halfword (zero, illegal), or when its log is full.
 */
import { assemble } from '../../src/isa/assemble.ts';
import { X_NAMES } from '../../src/isa/registers.ts';
import {
  BLOCKS,
  Block,
  FETCHES,
  FRAME,
  HARNESS,
  HARNESS_SIZE,
  LEVEL0,
  LEVEL1,
  PATCHES,
  POOL,
  POOL_END,
  POOL_PAGES,
  PTES,
  pteAddress,
  RECORDED_CSRS,
  RESULTS,
  Result,
  ROOT39,
  ROOT48,
  STUB,
  STUB_VECTORS,
  TABLES_END,
  TRAP_SIZE,
  TRAPS,
  WINDOW,
} from './layout.ts';

const SAVED = ['t0', 't1', 't2', 't3', 't4', 't5', 't6'];
/** Offsets in the frame: saved registers first. */
const Frame = { current: 64, next: 72, log: 80, logEnd: 88, mprv: 96 };

const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

/** Offsets of the words of a page that the windows hold. */
const windowOffsets = [0, 4096 - WINDOW].flatMap((start) =>
  Array.from({ length: WINDOW / 8 }, (_, i) => start + 8 * i),
);

/** pmpaddr of a naturally aligned region. */
const napot = (base: number, size: number) => base / 4 + size / 8 - 1;

const csrOf: Partial<Record<keyof typeof Block, string>> = {
  satp: 'satp',
  medeleg: 'medeleg',
  mideleg: 'mideleg',
  mie: 'mie',
  mip: 'mip',
  menvcfg: 'menvcfg',
  senvcfg: 'senvcfg',
  mcounteren: 'mcounteren',
  scounteren: 'scounteren',
  pmpcfg: 'pmpcfg0',
  stvec: 'stvec',
};

/** Goes to `no` unless `reg` lies in the block's code. Uses t5. */
const inCode = (reg: string, no: string) => `
  ld t5, ${Block.start}(t0)
  bltu ${reg}, t5, ${no}
  ld t5, ${Block.end}(t0)
  bgeu ${reg}, t5, ${no}`;

/** Adds the length of the instruction at `reg` to it. Uses t5. */
const stepOver = (reg: string) => `
  lhu t5, 0(${reg})
  addi ${reg}, ${reg}, 2
  andi t5, t5, 3
  addi t5, t5, -3
  bnez t5, . + 8
  addi ${reg}, ${reg}, 2`;

/** Puts the MPRV with which the trap was taken into mstatus in t4. Uses t5. */
const withMprv = `
  ld t5, ${Frame.mprv}(sp)
  or t4, t4, t5`;

/** Adds a record to the log at t3. Uses t4 and t5. */
const record = (mode: 'm' | 's') => `
  csrr t4, ${mode}cause
  sd t4, 0(t3)
  csrr t4, ${mode}epc
  sd t4, 8(t3)
  csrr t4, ${mode}tval
  sd t4, 16(t3)
  csrr t4, ${mode}status
  ${mode === 'm' ? withMprv : ''}
  sd t4, 24(t3)
  addi t3, t3, ${TRAP_SIZE}
  sd t3, ${Frame.log}(sp)`;

const source = `
  j entry
  .balign 256
vectors:
${lines(16, () => '  j trap')}

entry:
  csrr t0, mhartid
  beqz t0, first_hart
sleep:
  wfi
  j sleep
first_hart:
  la t0, vectors
  csrw mtvec, t0
  li t0, 0x2004000          # mtimecmp: never
  li t1, -1
  sd t1, 0(t0)
  li t0, ${1n << 63n}       # menvcfg.STCE, for stimecmp
  csrw menvcfg, t0
  csrw stimecmp, t1
  # PMP: this code 0, blocks 7; what lies between is the blocks' to set, but for pmpaddr6.
  li t0, ${napot(HARNESS, HARNESS_SIZE)}
  csrw pmpaddr0, t0
  li t0, ${POOL_END / 4}
  csrw pmpaddr6, t0
  li t0, ${RESULTS / 4}
  csrw pmpaddr7, t0
  li t0, 0x8d0000000000009d
  csrw pmpcfg0, t0
  la sp, frame
  li t0, ${BLOCKS}
  sd t0, ${Frame.next}(sp)

next:
  la sp, frame
  ld t0, ${Frame.next}(sp)
  beqz t0, done
  sd t0, ${Frame.current}(sp)
  ld t1, ${Block.next}(t0)
  sd t1, ${Frame.next}(sp)
  ld t1, ${Block.result}(t0)
  li t2, ${Result.log}
  add t1, t1, t2
  sd t1, ${Frame.log}(sp)
  addi t1, t1, ${(TRAPS - 1) * TRAP_SIZE}
  sd t1, ${Frame.logEnd}(sp)

  # The pool: numbers from the block's seed.
  ld t1, ${Block.seed}(t0)
  ld s0, ${Block.translates}(t0)
  li t2, ${POOL}
  li t3, ${POOL_PAGES}
  li t4, 0x5851f42d4c957f2d
  li t0, 1405
  li t6, ${FETCHES}
  bne t6, s0, random_fill
  li t4, 0                  # returns, wherever code leads
  li t0, 0x8082808280828082
random_fill:
  li t6, 4096
fill:
  add t5, t2, t6
${windowOffsets
  .map(
    (offset) => `
  mul t1, t1, t4
  add t1, t1, t0
  sd t1, ${offset < 2048 ? `${offset}(t2)` : `${offset - 4096}(t5)`}`,
  )
  .join('')}
  mv t2, t5
  addi t3, t3, -1
  bnez t3, fill
  ld t0, ${Frame.current}(sp)
${lines(
  PATCHES,
  (i) => `
  ld t1, ${Block.patches + 16 * i}(t0)
  beqz t1, patched
  ld t2, ${Block.patches + 16 * i + 8}(t0)
  sd t2, 0(t1)`,
)}
patched:
  fence.i

  ld t1, ${Block.translates}(t0)
  beqz t1, mapped
${lines(
  PTES,
  (i) => `
  ld t1, ${Block.ptes + 8 * i}(t0)
  li t2, ${pteAddress(i)}
  sd t1, 0(t2)`,
)}
mapped:
  sfence.vma
  li t1, 0x6000
  csrw mstatus, t1
  csrw pmpcfg2, zero
${lines(
  5,
  (i) => `
  ld t1, ${Block.pmpaddr + 8 * i}(t0)
  csrw pmpaddr${i + 1}, t1`,
)}
${Object.entries(csrOf)
  .map(
    ([field, csr]) => `
  ld t1, ${Block[field as keyof typeof Block]}(t0)
  csrw ${csr}, t1`,
  )
  .join('')}
  csrw sepc, zero
  csrw scause, zero
  csrw stval, zero
  csrw sscratch, zero
  csrw mscratch, zero
  sfence.vma
  ld t1, ${Block.fcsr}(t0)
  csrw fcsr, t1
${lines(32, (i) => `  fld f${i}, ${Block.f + 8 * i}(t0)`)}
  ld t1, ${Block.mstatus}(t0)
  csrw mstatus, t1
  ld t1, ${Block.start}(t0)
  csrw mepc, t1
  mv sp, t0
${lines(32, (i) => (i === 0 || i === 2 ? '' : `  ld x${i}, ${Block.x + 8 * i}(sp)`))}
  ld sp, ${Block.x + 16}(sp)
  mret

done:
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
  j done

trap:
  csrw mscratch, sp
  lui sp, 0x20              # MPRV: our own accesses are M-mode's
  csrrc sp, mstatus, sp
  srli sp, sp, 17
  andi sp, sp, 1
  bnez sp, trap_mprv
  la sp, frame
  sd zero, ${Frame.mprv}(sp)
save:
${SAVED.map((name, i) => `  sd ${name}, ${8 * i}(sp)`).join('\n')}
  ld t0, ${Frame.current}(sp)
  csrr t1, mcause
  csrr t2, mepc
  ld t4, ${Block.end}(t0)
  beq t2, t4, finish
  ld t3, ${Frame.log}(sp)
${record('m')}
  ld t4, ${Frame.logEnd}(sp)
  bgeu t3, t4, finish
  bltz t1, interrupt
  csrr t4, stvec
  andi t4, t4, -4
  sub t5, t2, t4
  li t6, ${STUB_VECTORS}
  bltu t5, t6, stub_called
${inCode('t2', 'outside')}
${stepOver('t2')}
  csrw mepc, t2
resume:
${SAVED.map((name, i) => `  ld ${name}, ${8 * i}(sp)`).join('\n')}
  csrr sp, mscratch
  mret

trap_mprv:
  la sp, frame
  sd t0, 0(sp)
  lui t0, 0x20
  sd t0, ${Frame.mprv}(sp)
  ld t0, 0(sp)
  j save

outside:
${inCode('ra', 'finish')}
  andi t4, ra, -2           # QEMU keeps bit 0 of mepc and sepc
  csrw mepc, t4
  j resume

interrupt:
  li t4, 1
  sll t4, t4, t1
  csrc mie, t4
  j resume

stub_called:
  add t4, t4, t6
  csrw mepc, t4
${record('s')}
  csrr t2, sepc
  ld t4, ${Block.end}(t0)
  beq t2, t4, finish
  csrr t1, scause
  bltz t1, interrupt
${inCode('t2', 'stub_outside')}
${stepOver('t2')}
  csrw sepc, t2
  j resume
stub_outside:
${inCode('ra', 'finish')}
  andi t4, ra, -2
  csrw sepc, t4
  j resume

finish:
  ld t3, ${Block.result}(t0)
  sd t2, ${Result.pc}(t3)
${lines(32, (i) => {
  const name = X_NAMES[i] ?? '';
  if (i === 0 || name === 'sp' || SAVED.includes(name)) return '';
  return `  sd ${name}, ${Result.x + 8 * i}(t3)`;
})}
${SAVED.map((name, i) => {
  const to = Result.x + 8 * X_NAMES.indexOf(name);
  return `  ld t4, ${8 * i}(sp)\n  sd t4, ${to}(t3)`;
}).join('\n')}
  csrr t4, mscratch
  sd t4, ${Result.x + 16}(t3)
  csrr t4, mstatus
  ${withMprv}
  sd t4, ${Result.csrs + 8 * RECORDED_CSRS.indexOf('mstatus')}(t3)
  li t4, 0x6000
  csrs mstatus, t4
${RECORDED_CSRS.map((csr, i) =>
  csr === 'mstatus' ? '' : `  csrr t4, ${csr}\n  sd t4, ${Result.csrs + 8 * i}(t3)`,
).join('\n')}
${lines(32, (i) => `  fsd f${i}, ${Result.f + 8 * i}(t3)`)}
  csrw satp, zero
  csrw mie, zero
  csrw mideleg, zero
  csrw medeleg, zero
  csrw mip, zero
  csrw mstatus, zero
  csrw pmpcfg0, zero        # an access that an entry covers in part fails in M-mode too
  csrw pmpcfg2, zero
  li t1, ${1n << 63n}
  csrw menvcfg, t1
  li t1, -1
  csrw stimecmp, t1

  li t1, 1
  li t2, ${POOL}
  li t4, 0x9e3779b97f4a7c15
  li t6, ${POOL_END}
  mv s1, t3
  li s2, 4096
hash:
  add t5, t2, s2
${windowOffsets
  .map(
    (offset) => `
  ld t3, ${offset < 2048 ? `${offset}(t2)` : `${offset - 4096}(t5)`}
  xor t1, t1, t3
  mul t1, t1, t4
  srli t3, t1, 32
  xor t1, t1, t3`,
  )
  .join('')}
  mv t2, t5
  bne t2, t6, hash
  mv t3, s1
  sd t1, ${Result.hash}(t3)
  ld t1, ${Block.translates}(t0)
  beqz t1, next
${lines(
  PTES,
  (i) => `
  li t2, ${pteAddress(i)}
  ld t1, 0(t2)
  sd t1, ${Result.ptes + 8 * i}(t3)`,
)}
  j next
`;

const PTE = { V: 1n, R: 2n, W: 4n, X: 8n, U: 16n, G: 32n, A: 64n, D: 128n };

/** Pieces of memory that are the same in every run, by address. */
export function harness(): { address: number; bytes: Uint8Array }[] {
  const withFrame = source.replaceAll(', frame', `, ${FRAME}`);
  const { bytes } = assemble(withFrame, { base: BigInt(HARNESS) });
  if (bytes.length > HARNESS_SIZE) {
    throw new Error(`The harness has ${bytes.length} bytes, more than its ${HARNESS_SIZE}.`);
  }
  const stub = assemble(`${lines(STUB_VECTORS / 4, () => 'ecall')}\nsret`, { base: BigInt(STUB) });
  const tables = new DataView(new ArrayBuffer(TABLES_END - ROOT48));
  const set = (table: number, index: number, value: bigint) =>
    tables.setBigUint64(table - ROOT48 + 8 * index, value, true);
  const pointer = (table: number) => (BigInt(table) >> 2n) | PTE.V;
  const ram = BigInt(HARNESS) >> 2n;
  set(ROOT48, 0, pointer(ROOT39));
  set(ROOT48, 511, pointer(ROOT39));
  set(ROOT39, 1, pointer(LEVEL1));
  set(ROOT39, 511, pointer(LEVEL1));
  set(ROOT39, 3, ram | PTE.V | PTE.R | PTE.X | PTE.A);
  set(LEVEL1, 0, pointer(LEVEL0));
  return [
    { address: HARNESS, bytes },
    { address: STUB, bytes: stub.bytes },
    { address: ROOT48, bytes: new Uint8Array(tables.buffer) },
  ];
}
