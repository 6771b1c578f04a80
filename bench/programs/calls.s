# Calls and returns: the Fibonacci number of a0, without remembering.
main:
  li t0, 2
  bltu a0, t0, calls_leaf
  addi sp, sp, -32
  sd ra, 24(sp)
  sd s0, 16(sp)
  sd s1, 8(sp)
  mv s0, a0
  addi a0, s0, -1
  call main
  mv s1, a0
  addi a0, s0, -2
  call main
  add a0, a0, s1
  ld ra, 24(sp)
  ld s0, 16(sp)
  ld s1, 8(sp)
  addi sp, sp, 32
calls_leaf:
  ret
