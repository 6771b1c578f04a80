/**
 * What the guest runs by which a host's speed is measured: without end, a bit of all that programs
 * do — arithmetic, multiplication, loads and stores over 64 KiB, branches that depend on data, calls.
 */
import { assemble } from '../isa/assemble.ts';

const SOURCE = `
  li s0, 0x80100000
  li s1, 0x9e3779b97f4a7c15
  li s2, 0
round:
  li s3, 0
  li s4, 8192
next:
  slli t0, s1, 13
  xor s1, s1, t0
  srli t0, s1, 7
  xor s1, s1, t0
  slli t0, s1, 17
  xor s1, s1, t0
  slli t1, s3, 3
  add t1, s0, t1
  ld t2, 0(t1)
  add t2, t2, s1
  sd t2, 0(t1)
  andi t3, s1, 7
  beqz t3, rare
  add s2, s2, t2
  j common
rare:
  call mix
common:
  addi s3, s3, 1
  bltu s3, s4, next
  j round
mix:
  mul t4, s2, s1
  mulhu t5, s2, s1
  xor s2, t4, t5
  ret
`;

/** Machine code for the start of RAM. */
export function speedProgram(): Uint8Array {
  return assemble(SOURCE, { base: 0x8000_0000n }).bytes;
}
