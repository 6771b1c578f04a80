# Not measured itself: writes a0 blocks of 64 KiB of words and lines by chance, for rows that need
# text. Exits without printing a number.
main:
  mv s0, a0
  li s1, 0x5851f42d4c957f2d
  li s2, 42
text_block:
  la a1, heap
  li t0, 65536
  add t0, t0, a1
  mv t1, a1
text_letter:
  mul s2, s2, s1
  addi s2, s2, 1013
  srli t2, s2, 59           # 0 to 31
  li t3, 26
  bltu t2, t3, text_word
  li t3, 31
  li t4, 32                 # space
  bltu t2, t3, text_put
  li t4, 10                 # newline
  j text_put
text_word:
  addi t4, t2, 97           # 'a' and on
text_put:
  sb t4, 0(t1)
  addi t1, t1, 1
  bltu t1, t0, text_letter
  li a0, 1
  li a2, 65536
  li a7, 64                 # write
  ecall
  addi s0, s0, -1
  bnez s0, text_block
  li a0, 0
  j exit
