# Memory streaming: a0 times a[i] = b[i] + 3 c[i] over arrays of 1,048,576 doubles (8 MiB each).
.equ WORDS, 1048576
main:
  la a1, heap               # a
  li t0, 8388608
  add a2, a1, t0            # b
  add a3, a2, t0            # c
  li t1, WORDS
  mv t2, a2
  mv t3, a3
stream_fill:
  fcvt.d.l ft0, t1
  fsd ft0, 0(t2)
  fsd ft0, 0(t3)
  addi t2, t2, 8
  addi t3, t3, 8
  addi t1, t1, -1
  bnez t1, stream_fill
  li t0, 3
  fcvt.d.l fa0, t0
stream_pass:
  mv t0, a1
  mv t1, a2
  mv t2, a3
  li t3, WORDS
stream_loop:
  fld ft0, 0(t1)
  fld ft1, 0(t2)
  fld ft2, 8(t1)
  fld ft3, 8(t2)
  fmadd.d ft0, ft1, fa0, ft0
  fmadd.d ft2, ft3, fa0, ft2
  fsd ft0, 0(t0)
  fsd ft2, 8(t0)
  addi t0, t0, 16
  addi t1, t1, 16
  addi t2, t2, 16
  addi t3, t3, -2
  bnez t3, stream_loop
  # What was written is read in the next pass.
  mv t0, a1
  mv a1, a2
  mv a2, t0
  addi a0, a0, -1
  bnez a0, stream_pass
  ld a0, 2040(a2)
  ret
