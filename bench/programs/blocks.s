# Blocks of 4 KiB of /dev/vda, past the cache, at places that follow each other by chance: a0 / 4 of
# them. The rest says what is done with each: 0 read, 1 written, 2 written and flushed. Returns how
# many bytes went well.
main:
  andi s0, a0, 3
  srli s1, a0, 2
  li t0, 0x6164762f7665642f # "/dev/vda"
  addi sp, sp, -16
  sd t0, 0(sp)
  sd zero, 8(sp)
  li a0, -100               # AT_FDCWD
  mv a1, sp
  li a2, 0x4002             # O_DIRECT, O_RDWR
  li a3, 0
  li a7, 56                 # openat
  ecall
  addi sp, sp, 16
  bltz a0, blocks_failed
  mv s2, a0
  la s3, heap               # begins a page
  li s4, 0
  li s5, 1
  li s6, 0x5851f42d4c957f2d
  li s7, 0x14057b7ef767814f
blocks_loop:
  mul s5, s5, s6
  add s5, s5, s7
  sd s5, 0(s3)              # no block is like another
  srli a3, s5, 50           # of 16384 blocks: 64 MiB
  slli a3, a3, 12
  mv a0, s2
  mv a1, s3
  li a2, 4096
  li a7, 67                 # pread64
  beqz s0, blocks_call
  li a7, 68                 # pwrite64
blocks_call:
  ecall
  add s4, s4, a0
  li t0, 2
  bne s0, t0, blocks_next
  mv a0, s2
  li a7, 83                 # fdatasync
  ecall
  add s4, s4, a0
blocks_next:
  addi s1, s1, -1
  bnez s1, blocks_loop
  mv a0, s4
  ret
blocks_failed:
  ret
