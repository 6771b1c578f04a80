/**
 * A guest program that makes ever-new code: fills pages with functions that it has not run before,
 * runs each until it is translated, and begins again.
 */

/** Where the functions are written: one page after the other. */
export const CODE = 0x8001_0000;
/** Instructions of a function: `addi a0, a0, random` again and again, then `ret`. */
export const LENGTH = 64;
const BYTES = LENGTH * 4;

export interface EverNew {
  /** Functions that are written over in turn, sixteen to a page. */
  readonly functions: number;
  readonly calls: number;
}

/** s5 counts the functions that were made and gave what they should, s10 is 1 after a wrong one. */
export function everNew({ functions, calls }: EverNew): string {
  return `
    li s7, 12345
    li s5, 0
  begin:
    li s1, ${CODE}
    li s2, ${functions}
  make:
    mv t0, s1
    li t1, ${LENGTH - 1}
    li s3, 0
  write:
    li t2, 1664525
    mul s7, s7, t2
    li t2, 1013904223
    add s7, s7, t2
    srli t2, s7, 16
    andi t2, t2, 1023
    add s3, s3, t2
    slli t2, t2, 20
    li t3, 0x50513
    or t2, t2, t3
    sw t2, 0(t0)
    addi t0, t0, 4
    addi t1, t1, -1
    bnez t1, write
    li t2, 0x8067
    sw t2, 0(t0)
    fence.i
    li s4, ${calls}
  again:
    li a0, 0
    jalr s1
    bne a0, s3, wrong
    addi s4, s4, -1
    bnez s4, again
    addi s5, s5, 1
    addi s1, s1, ${BYTES}
    addi s2, s2, -1
    bnez s2, make
    j begin
  wrong:
    li s10, 1
    j wrong
  `;
}
