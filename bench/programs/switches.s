# Context switches: two processes send one byte to and fro through two pipes, a0 times.
main:
  mv s0, a0
  la s6, heap
  mv a0, s6
  li a1, 0
  li a7, 59                 # pipe2
  ecall
  addi a0, s6, 8
  li a1, 0
  li a7, 59
  ecall
  li a0, 17                 # SIGCHLD
  li a1, 0
  li a2, 0
  li a3, 0
  li a4, 0
  li a7, 220                # clone, as fork does
  ecall
  lw s1, 0(s6)              # there: read
  lw s2, 4(s6)              # there: write
  lw s3, 8(s6)              # back: read
  lw s4, 12(s6)             # back: write
  addi s6, s6, 16           # the byte
  li s5, 0
  beqz a0, switches_child
switches_parent:
  mv a0, s2
  mv a1, s6
  li a2, 1
  li a7, 64                 # write
  ecall
  add s5, s5, a0
  mv a0, s3
  mv a1, s6
  li a2, 1
  li a7, 63                 # read
  ecall
  add s5, s5, a0
  addi s0, s0, -1
  bnez s0, switches_parent
  mv a0, s5
  ret
switches_child:
  mv a0, s1
  mv a1, s6
  li a2, 1
  li a7, 63
  ecall
  mv a0, s4
  mv a1, s6
  li a2, 1
  li a7, 64
  ecall
  addi s0, s0, -1
  bnez s0, switches_child
  li a0, 0
  j exit
