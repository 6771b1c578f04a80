/**
 * What the core promises and QEMU cannot judge, because it counts, splits accesses and keeps
 * reservations in its own way: programs in M-mode that report on the serial port, in both tiers.
 */
import { describe, expect, it } from 'vitest';
import { exit, runToEnd } from './bare-metal.ts';

const UART = 0x1000_0000;

/** Writes a register, which holds less than ten, as a digit. */
const report = (register: string) => `
  addi t6, ${register}, 48
  li t5, ${UART}
  sb t6, 0(t5)`;

/** Steps over what faults and sets s11. */
const handler = `
  .align 2
handler:
  csrr s10, mepc
  addi s10, s10, 4
  csrw mepc, s10
  li s11, 1
  mret`;

describe.each(['interpreter', 'translator'] as const)('%s', (tier) => {
  it.each(['minstret', 'mcycle'])(
    'a write of %s is what the next instruction reads',
    async (csr) => {
      const { text } = await runToEnd(
        `
        la sp, tohost
        li s0, 40
        li s2, 0
      again:
        li t0, 1000
        csrw ${csr}, t0
        csrr a0, ${csr}
        add zero, zero, zero
        mul t1, t0, t0
        ld t2, 0(sp)
        csrr a1, ${csr}
        addi a0, a0, -1000
        addi a1, a1, -1000
        or s2, s2, a0
        slli s1, a1, 4
        addi s0, s0, -1
        bnez s0, again
        srli s1, s1, 4
        ${report('s2')}
        ${report('s1')}
      ${exit(0)}`,
        { tier },
      );
      // The reads and what lies between them: four instructions.
      expect(text).toBe('04');
    },
  );

  it('a counter set with csrrs and csrrwi counts on from there', async () => {
    const { text } = await runToEnd(
      `
        csrrwi zero, minstret, 5
        csrrsi a0, minstret, 2
        csrr a1, minstret
        csrr a2, instret
        ${report('a0')}
        ${report('a1')}
        ${report('a2')}
      ${exit(0)}`,
      { tier },
    );
    // 5 | 2 is 7; the csrr that reads 7 makes it 8.
    expect(text).toBe('578');
  });

  const FIRST_BOUNDARY = 0x8001_1000;
  /** Where, beside its page boundary, each protected word lies. */
  const REGIONS = [-8, -4, 0, 4];
  const accesses = [
    { store: 'sd', load: 'ld', size: 8 },
    { store: 'sw', load: 'lw', size: 4 },
    { store: 'sh', load: 'lh', size: 2 },
  ];
  const cases = REGIONS.flatMap((region, i) =>
    accesses.flatMap(({ store, load, size }) =>
      Array.from({ length: size - 1 }, (_, k) => ({
        store,
        load,
        at: FIRST_BOUNDARY + 0x2000 * i - 1 - k,
        boundary: FIRST_BOUNDARY + 0x2000 * i,
        faults: -1 - k < region + 4 && -1 - k + size > region,
      })),
    ),
  );
  const expected = cases.map(({ faults }) => (faults ? '1' : '0')).join('');
  /** Entries 0 to 3: a locked word each, which M-mode may read (0x91) or not touch (0x90). */
  const protect = (config: number) => `
    la t0, handler
    csrw mtvec, t0
    ${REGIONS.map(
      (region, i) => `
        li t0, ${(FIRST_BOUNDARY + 0x2000 * i + region) / 4}
        csrw pmpaddr${i}, t0`,
    ).join('')}
    li t0, ${config * 0x1010101}
    csrw pmpcfg0, t0`;

  it('a store across pages faults where PMP forbids any byte of it, and writes none', async () => {
    const { text } = await runToEnd(
      `
        ${protect(0x91)}
        li t2, -1
        ${cases
          .map(
            ({ store, at, boundary }) => `
              li s11, 0
              li t0, ${at}
              ${store} t2, 0(t0)
              ${report('s11')}
              bnez s11, . + 8
              ${store} zero, 0(t0)
              li t0, ${boundary}
              ld t3, -8(t0)
              ld t4, 0(t0)
              or s9, s9, t3
              or s9, s9, t4`,
          )
          .join('')}
        snez s9, s9
        ${report('s9')}
      ${exit(0)}${handler}`,
      { tier },
    );
    expect(text).toBe(`${expected}0`);
  });

  it('a load across pages faults where PMP forbids any byte of it', async () => {
    const { text } = await runToEnd(
      `
        ${protect(0x90)}
        ${cases
          .map(
            ({ load, at }) => `
              li s11, 0
              li t0, ${at}
              ${load} t2, 0(t0)
              ${report('s11')}`,
          )
          .join('')}
      ${exit(0)}${handler}`,
      { tier },
    );
    expect(text).toBe(expected);
  });

  it.each([
    ['lr.w', 'sc.w', 0, 0],
    ['lr.d', 'sc.d', 0, 0],
    ['lr.w', 'sc.d', 0, 1],
    ['lr.d', 'sc.w', 0, 1],
    ['lr.d', 'sc.w', 4, 1],
    ['lr.w', 'sc.w', 4, 1],
    ['lr.d', 'sc.d', 8, 1],
  ])('%s, then %s %i bytes further: result %i', async (reserve, conditional, offset, result) => {
    const { text } = await runToEnd(
      `
        la s0, data
        addi s1, s0, ${offset}
        li t1, 5
        ${reserve} t0, (s0)
        ${conditional} s2, t1, (s1)
        lbu s3, 0(s1)
        ${report('s2')}
        ${report('s3')}
      ${exit(0)}
        .align 4
      data: .dword 1, 1`,
      { tier },
    );
    // The doubleword is the word with its sign extended: a value alone would not tell them apart.
    const old = offset === 4 ? 0 : 1;
    expect(text).toBe(`${result}${result === 0 ? 5 : old}`);
  });

  it('an SC that failed leaves no reservation behind', async () => {
    const { text } = await runToEnd(
      `
        la s0, data
        lr.w t0, (s0)
        sc.d s2, t0, (s0)
        sc.w s3, t0, (s0)
        ${report('s2')}
        ${report('s3')}
      ${exit(0)}
        .align 4
      data: .dword 1`,
      { tier },
    );
    expect(text).toBe('11');
  });
});
