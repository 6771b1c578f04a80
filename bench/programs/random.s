# Random access: a0 times one word of 64 MiB is read, changed and written, at a place that depends on
# the word before.
main:
  la a1, heap
  li t0, 1
  li t1, 0x5851f42d4c957f2d
  li t2, 0x14057b7ef767814f
  li t3, 0x3fffff8          # 8 Mi words
random_loop:
  mul t0, t0, t1
  add t0, t0, t2
  srli t4, t0, 33
  and t4, t4, t3
  add t4, t4, a1
  ld t5, 0(t4)
  add t0, t0, t5
  addi t5, t5, 1
  sd t5, 0(t4)
  addi a0, a0, -1
  bnez a0, random_loop
  mv a0, t0
  ret
