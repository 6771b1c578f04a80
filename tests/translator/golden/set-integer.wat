;; 80200000 (entry):
;;   80200000  addi a0, a1, 16
;;   80200004  sub a2, a0, a1
;;   80200008  addw a3, a2, a0
;;   8020000c  slli a4, a3, 7
;;   80200010  sltu a5, a4, a0
;;   80200014  sh2add t0, a0, a5
;;   80200018  rol t1, t0, a0
;;   8020001c  max t2, t0, t1
;;   80200020  cpop t3, t2
;;   80200024  lui t4, 0x12345
;;   80200028  auipc t5, 0x1
;;   8020002c  add zero, a0, a1
;;   80200030  c.addi a0, 1
;;   → the interpreter at 80200032
(module
  (type $t0 (func (param i32 i64)))
  (import "core" "fflags" (global $fflags (mut i32)))
  (import "env" "table" (table $table 0 funcref))
  (import "env" "memory" (memory 1024))
  (func $r0 (export "r0") (param $entry i32) (param $base i64)
    (local $n i32) (local $tlb i32) (local $slot i32) (local $site i32) (local $mode i32)
    (local $i32Temp i32) (local $host i32) (local $address i64) (local $value i64)
    (local $target i64) (local $i64Temp i64) (local $t0 i64) (local $t1 i64) (local $t2 i64)
    (local $a0 i64) (local $a1 i64) (local $a2 i64) (local $a3 i64) (local $a4 i64) (local $a5 i64)
    (local $t3 i64) (local $t4 i64) (local $t5 i64)
    (local.set $n (i32.load offset=(;budget;) (i32.const 0)))
    (local.set $tlb (i32.load offset=(;data_tlb;) (i32.const 0)))
    block $out
      block $event
        (i32.lt_s (local.get $n) (i32.const 13))
        if
          (local.set $target (i64.add (local.get $base) (i64.const 0)))
          (local.set $slot (i32.const 0))
          br $out
        end
        (local.set $n (i32.sub (local.get $n) (i32.const 13)))
        (local.set $a1 (i64.load offset=(;a1;) (i32.const 0)))
        ;; 80200000  addi a0, a1, 16
        (local.set $a0 (i64.add (local.get $a1) (i64.const 16)))
        ;; 80200004  sub a2, a0, a1
        (local.set $a2 (i64.sub (local.get $a0) (local.get $a1)))
        (i64.store offset=(;a2;) (i32.const 0) (local.get $a2))
        ;; 80200008  addw a3, a2, a0
        (local.set $a3 (i64.extend32_s (i64.add (local.get $a2) (local.get $a0))))
        (i64.store offset=(;a3;) (i32.const 0) (local.get $a3))
        ;; 8020000c  slli a4, a3, 7
        (local.set $a4 (i64.shl (local.get $a3) (i64.const 7)))
        (i64.store offset=(;a4;) (i32.const 0) (local.get $a4))
        ;; 80200010  sltu a5, a4, a0
        (local.set $a5 (i64.extend_i32_u (i64.lt_u (local.get $a4) (local.get $a0))))
        (i64.store offset=(;a5;) (i32.const 0) (local.get $a5))
        ;; 80200014  sh2add t0, a0, a5
        (local.set $t0 (i64.add (i64.shl (local.get $a0) (i64.const 2)) (local.get $a5)))
        (i64.store offset=(;t0;) (i32.const 0) (local.get $t0))
        ;; 80200018  rol t1, t0, a0
        (local.set $t1 (i64.rotl (local.get $t0) (local.get $a0)))
        (i64.store offset=(;t1;) (i32.const 0) (local.get $t1))
        ;; 8020001c  max t2, t0, t1
        (local.set $t2
          (select (local.get $t1) (local.get $t0) (i64.lt_s (local.get $t0) (local.get $t1))))
        (i64.store offset=(;t2;) (i32.const 0) (local.get $t2))
        ;; 80200020  cpop t3, t2
        (local.set $t3 (i64.popcnt (local.get $t2)))
        (i64.store offset=(;t3;) (i32.const 0) (local.get $t3))
        ;; 80200024  lui t4, 0x12345
        (local.set $t4 (i64.const 305418240))
        (i64.store offset=(;t4;) (i32.const 0) (local.get $t4))
        ;; 80200028  auipc t5, 0x1
        (local.set $t5 (i64.add (i64.add (local.get $base) (i64.const 40)) (i64.const 4096)))
        (i64.store offset=(;t5;) (i32.const 0) (local.get $t5))
        ;; 8020002c  add zero, a0, a1
        ;; 80200030  c.addi a0, 1
        (local.set $a0 (i64.add (local.get $a0) (i64.const 1)))
        (i64.store offset=(;a0;) (i32.const 0) (local.get $a0))
        (local.set $target (i64.add (local.get $base) (i64.const 50)))
        (local.set $slot (i32.const 0))
        br $out
        unreachable
      end
      (local.set $target
        (i64.add (local.get $base) (i64.extend_i32_u (i32.and (local.get $site) (i32.const 4095)))))
      (local.set $n
        (i32.add
          (local.get $n)
          (i32.and (i32.shr_u (local.get $site) (i32.const 12)) (i32.const 4095))))
      (i32.eqz (i32.load offset=(;fault;) (i32.const 0)))
      if
        (local.set $target
          (i64.add
            (local.get $target)
            (i64.extend_i32_u (i32.shr_u (local.get $site) (i32.const 24)))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      end
      (local.set $slot (i32.const 0))
    end
    (i32.store offset=(;budget;) (i32.const 0) (local.get $n))
    local.get $slot
    if
      (i64.eq
        (i64.load
          (local.tee $slot
            (i32.add
              (i32.and
                (i32.wrap_i64 (i64.shr_u (local.get $target) (i64.const 8)))
                (i32.const 8176))
              (i32.load offset=(;fetch_tlb;) (i32.const 0)))))
        (local.tee $i64Temp (i64.and (local.get $target) (i64.const -4096))))
      if
        (i32.eq
          (i32.and
            (i32.load
              (local.tee $slot
                (i32.add
                  (i32.load offset=8 (local.get $slot))
                  (i32.shl
                    (i32.and (i32.wrap_i64 (local.get $target)) (i32.const 4095))
                    (i32.const 2)))))
            (i32.const 511))
          (i32.const 4))
        if
          (return_call_indirect $table (type $t0)
            (i32.and (local.tee $site (i32.load offset=4 (local.get $slot))) (i32.const 255))
            (local.get $i64Temp)
            (i32.shr_u (local.get $site) (i32.const 8)))
        end
      end
    end
    (i64.store offset=(;pc;) (i32.const 0) (local.get $target))
  )
)
