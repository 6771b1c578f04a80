# Branches that nobody can foretell: the lengths of the Collatz sequences of 1 to a0, summed.
main:
  mv t0, a0
  li a0, 0
branches_next:
  mv t1, t0
branches_loop:
  andi t2, t1, 1
  addi a0, a0, 1
  beqz t2, branches_even
  slli t3, t1, 1
  add t1, t1, t3
  addi t1, t1, 1
  j branches_loop
branches_even:
  srli t1, t1, 1
  li t3, 1
  bgtu t1, t3, branches_loop
  addi t0, t0, -1
  bgtu t0, t3, branches_next
  ret
