# Page faults: a0 times 16 MiB of fresh memory are mapped, each page is written, all is unmapped.
main:
  mv s0, a0
  li s2, 0
faults_loop:
  li a0, 0
  li a1, 16777216
  li a2, 3                  # read, write
  li a3, 0x22               # private, anonymous
  li a4, -1
  li a5, 0
  li a7, 222                # mmap
  ecall
  bltz a0, faults_done
  mv s1, a0
  li a1, 16777216
  li a2, 15                 # no huge pages: one fault a page
  li a7, 233                # madvise
  ecall
  mv t0, s1
  li t1, 4096
  mv t2, t1
faults_touch:
  sd t0, 0(t0)
  add t0, t0, t1
  addi t2, t2, -1
  bnez t2, faults_touch
  ld t3, -8(t0)
  add s2, s2, t3
  addi s2, s2, 1
  mv a0, s1
  li a1, 16777216
  li a7, 215                # munmap
  ecall
  addi s0, s0, -1
  bnez s0, faults_loop
faults_done:
  mv a0, s2
  ret
