# Floating point: a0 steps of a particle in a field of two centres (double precision: multiply-add,
# divide, square root, compare), and a sum in single precision beside it.
main:
  la t0, float_constants
  fld fs0, 0(t0)            # time step
  fld fs1, 8(t0)            # softening
  fld fs2, 16(t0)           # 1
  fld fa0, 24(t0)           # x
  fld fa1, 32(t0)           # y
  fld fa2, 40(t0)           # vx
  fld fa3, 48(t0)           # vy
  fmv.w.x fa7, zero
  fcvt.s.d ft11, fs0
float_loop:
  # towards (1, 0)
  fsub.d ft0, fs2, fa0
  fneg.d ft1, fa1
  fmul.d ft2, ft0, ft0
  fmadd.d ft2, ft1, ft1, ft2
  fadd.d ft2, ft2, fs1
  fsqrt.d ft3, ft2
  fmul.d ft2, ft2, ft3
  fdiv.d ft2, fs0, ft2
  fmadd.d fa2, ft0, ft2, fa2
  fmadd.d fa3, ft1, ft2, fa3
  # towards (-1, 0)
  fneg.d ft0, fa0
  fsub.d ft0, ft0, fs2
  fmul.d ft2, ft0, ft0
  fmadd.d ft2, ft1, ft1, ft2
  fadd.d ft2, ft2, fs1
  fsqrt.d ft3, ft2
  fmul.d ft2, ft2, ft3
  fdiv.d ft2, fs0, ft2
  fmadd.d fa2, ft0, ft2, fa2
  fmadd.d fa3, ft1, ft2, fa3
  # moves
  fmadd.d fa0, fa2, fs0, fa0
  fmadd.d fa1, fa3, fs0, fa1
  fcvt.s.d ft4, fa0
  fmul.s ft4, ft4, ft11
  fadd.s fa7, fa7, ft4
  flt.d t1, fa0, fa1
  add t2, t2, t1
  addi a0, a0, -1
  bnez a0, float_loop
  fmv.x.d a0, fa0
  fmv.x.d a1, fa3
  fmv.x.w a2, fa7
  xor a0, a0, a1
  xor a0, a0, a2
  add a0, a0, t2
  ret
.align 3
float_constants:
  .dword 0x3f50624dd2f1a9fc # 0.001
  .dword 0x3fa999999999999a # 0.05
  .dword 0x3ff0000000000000 # 1
  .dword 0x3fe0000000000000 # 0.5
  .dword 0x3fd3333333333333 # 0.3
  .dword 0x3fb999999999999a # 0.1
  .dword 0xbfc999999999999a # -0.2
