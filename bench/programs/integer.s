# Integer arithmetic: a0 rounds of a xorshift generator with multiplications, a division, rotations.
main:
  li t0, 0x9e3779b97f4a7c15
  li t2, 0x2545f4914f6cdd1d
  li t1, 0
integer_loop:
  slli t3, t0, 13
  xor t0, t0, t3
  srli t3, t0, 7
  xor t0, t0, t3
  slli t3, t0, 17
  xor t0, t0, t3
  mul t4, t0, t2
  mulhu t5, t0, t2
  add t1, t1, t4
  xor t1, t1, t5
  srli t6, t0, 40
  addi t6, t6, 1
  remu t6, t4, t6
  add t1, t1, t6
  slli t3, t1, 23
  srli t4, t1, 41
  or t1, t3, t4
  sraiw t3, t1, 5
  sltu t4, t3, t1
  add t1, t1, t4
  addi a0, a0, -1
  bnez a0, integer_loop
  mv a0, t1
  ret
