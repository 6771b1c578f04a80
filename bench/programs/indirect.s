# Indirect calls: a0 times one of 16 functions, picked by chance, through a table of pointers.
main:
  addi sp, sp, -16
  sd ra, 8(sp)
  mv s0, a0
  li s1, 0x5851f42d4c957f2d
  li s2, 12345
  la s3, indirect_table
  li a0, 0
indirect_loop:
  mul s2, s2, s1
  addi s2, s2, 1013
  srli t0, s2, 57
  andi t0, t0, 120          # 16 pointers of 8 bytes
  add t0, t0, s3
  ld t0, 0(t0)
  jalr t0
  addi s0, s0, -1
  bnez s0, indirect_loop
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
indirect_0:
  addi a0, a0, 1
  ret
indirect_1:
  xor a0, a0, s2
  ret
indirect_2:
  slli t1, a0, 1
  xor a0, a0, t1
  ret
indirect_3:
  srli t1, a0, 3
  add a0, a0, t1
  ret
indirect_4:
  add a0, a0, s2
  ret
indirect_5:
  sub a0, a0, s2
  ret
indirect_6:
  not a0, a0
  ret
indirect_7:
  addi a0, a0, -77
  ret
indirect_8:
  mul a0, a0, s1
  ret
indirect_9:
  or t1, a0, s2
  add a0, a0, t1
  ret
indirect_10:
  and t1, a0, s2
  sub a0, a0, t1
  ret
indirect_11:
  sltu t1, a0, s2
  add a0, a0, t1
  ret
indirect_12:
  addiw t1, a0, 5
  xor a0, a0, t1
  ret
indirect_13:
  srai t1, a0, 7
  sub a0, a0, t1
  ret
indirect_14:
  xori a0, a0, 1365
  ret
indirect_15:
  neg a0, a0
  ret
.align 3
indirect_table:
  .dword indirect_0
  .dword indirect_1
  .dword indirect_2
  .dword indirect_3
  .dword indirect_4
  .dword indirect_5
  .dword indirect_6
  .dword indirect_7
  .dword indirect_8
  .dword indirect_9
  .dword indirect_10
  .dword indirect_11
  .dword indirect_12
  .dword indirect_13
  .dword indirect_14
  .dword indirect_15
