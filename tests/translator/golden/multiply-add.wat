;; 80200000 (entry):
;;   80200000  fmadd.d fa0, fa1, fa2, fa3
;;   80200004  fnmsub.s fa0, fa1, fa2, fa3
;;   → the interpreter at 80200008
(module
  (type $t0 (func (param i32 i64)))
  (type $t1 (func (param i64 i64 i64 i32) (result i64)))
  (type $t2 (func (param i32 i32 i32 i32) (result i32)))
  (import "core" "f64_fma" (func $f64_fma (param i64 i64 i64 i32) (result i64)))
  (import "core" "f32_fma" (func $f32_fma (param i32 i32 i32 i32) (result i32)))
  (import "core" "fflags" (global $fflags (mut i32)))
  (import "env" "table" (table $table 0 funcref))
  (import "env" "memory" (memory 1024))
  (func $r0 (export "r0") (param $entry i32) (param $base i64)
    (local $n i32) (local $tlb i32) (local $slot i32) (local $site i32) (local $mode i32)
    (local $i32Temp i32) (local $host i32) (local $address i64) (local $value i64)
    (local $target i64) (local $i64Temp i64) (local $fa0 i64) (local $fa1 i64) (local $fa2 i64)
    (local $fa3 i64)
    (local.set $n (i32.load offset=(;budget;) (i32.const 0)))
    (local.set $tlb (i32.load offset=(;data_tlb;) (i32.const 0)))
    block $out
      block $event
        (i32.lt_s (local.get $n) (i32.const 2))
        if
          (local.set $target (i64.add (local.get $base) (i64.const 0)))
          (local.set $slot (i32.const 0))
          br $out
        end
        (i32.eqz (i32.and (i32.load8_u offset=(;mstatus + 1;) (i32.const 0)) (i32.const 96)))
        if
          (local.set $target (i64.add (local.get $base) (i64.const 0)))
          (local.set $slot (i32.const 0))
          br $out
        end
        (local.set $n (i32.sub (local.get $n) (i32.const 2)))
        (local.set $fa1 (i64.load offset=(;fa1;) (i32.const 0)))
        (local.set $fa2 (i64.load offset=(;fa2;) (i32.const 0)))
        (local.set $fa3 (i64.load offset=(;fa3;) (i32.const 0)))
        ;; 80200000  fmadd.d fa0, fa1, fa2, fa3
        (local.set $host
          (i32.and
            (i32.and (global.get $fflags) (i32.const 1))
            (i32.eqz (i32.load offset=(;frm;) (i32.const 0)))))
        local.get $host
        if (result i64)
          (i32.lt_u
            (i32.sub
              (i32.and
                (i32.wrap_i64
                  (i64.shr_u
                    (local.tee $i64Temp
                      (i64.reinterpret_f64
                        (f64x2.extract_lane 0
                          (f64x2.relaxed_madd
                            (f64x2.splat (f64.reinterpret_i64 (local.get $fa1)))
                            (f64x2.splat (f64.reinterpret_i64 (local.get $fa2)))
                            (f64x2.splat (f64.reinterpret_i64 (local.get $fa3)))))))
                    (i64.const 52)))
                (i32.const 2047))
              (i32.const 2))
            (i32.const 2045))
          if (result i64)
            local.get $i64Temp
          else
            (local.set $site (i32.const 12288))
            (br_if $event
              (i32.gt_u
                (local.tee $mode (i32.load offset=(;frm;) (i32.const 0)))
                (i32.const 4)))
            (call $f64_fma (local.get $fa1) (local.get $fa2) (local.get $fa3) (local.get $mode))
          end
        else
          (local.set $site (i32.const 12288))
          (br_if $event
            (i32.gt_u
              (local.tee $mode (i32.load offset=(;frm;) (i32.const 0)))
              (i32.const 4)))
          (call $f64_fma (local.get $fa1) (local.get $fa2) (local.get $fa3) (local.get $mode))
        end
        local.set $fa0
        (i64.store offset=(;fa0;) (i32.const 0) (local.get $fa0))
        (i32.store8 offset=(;mstatus + 1;)
          (i32.const 0)
          (i32.or (i32.load8_u offset=(;mstatus + 1;) (i32.const 0)) (i32.const 96)))
        ;; 80200004  fnmsub.s fa0, fa1, fa2, fa3
        local.get $host
        if (result i32)
          (i32.lt_u
            (i32.sub
              (i32.and
                (i32.shr_u
                  (local.tee $i32Temp
                    (i32.reinterpret_f32
                      (f32x4.extract_lane 0
                        (f32x4.relaxed_madd
                          (f32x4.splat
                            (f32.reinterpret_i32
                              (i32.xor
                                (select
                                  (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
                                  (i32.const 2143289344)
                                  (i64.eq
                                    (i64.shr_u (local.get $i64Temp) (i64.const 32))
                                    (i64.const 4294967295)))
                                (i32.const -2147483648))))
                          (f32x4.splat
                            (f32.reinterpret_i32
                              (select
                                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa2)))
                                (i32.const 2143289344)
                                (i64.eq
                                  (i64.shr_u (local.get $i64Temp) (i64.const 32))
                                  (i64.const 4294967295)))))
                          (f32x4.splat
                            (f32.reinterpret_i32
                              (select
                                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa3)))
                                (i32.const 2143289344)
                                (i64.eq
                                  (i64.shr_u (local.get $i64Temp) (i64.const 32))
                                  (i64.const 4294967295)))))))))
                  (i32.const 23))
                (i32.const 255))
              (i32.const 2))
            (i32.const 253))
          if (result i32)
            local.get $i32Temp
          else
            (local.set $site (i32.const 8196))
            (br_if $event
              (i32.gt_u
                (local.tee $mode (i32.load offset=(;frm;) (i32.const 0)))
                (i32.const 4)))
            (call $f32_fma
              (i32.xor
                (select
                  (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
                  (i32.const 2143289344)
                  (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
                (i32.const -2147483648))
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa2)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa3)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
              (local.get $mode))
          end
        else
          (local.set $site (i32.const 8196))
          (br_if $event
            (i32.gt_u
              (local.tee $mode (i32.load offset=(;frm;) (i32.const 0)))
              (i32.const 4)))
          (call $f32_fma
            (i32.xor
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
              (i32.const -2147483648))
            (select
              (i32.wrap_i64 (local.tee $i64Temp (local.get $fa2)))
              (i32.const 2143289344)
              (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
            (select
              (i32.wrap_i64 (local.tee $i64Temp (local.get $fa3)))
              (i32.const 2143289344)
              (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
            (local.get $mode))
        end
        (local.set $fa0 (i64.or (i64.extend_i32_u) (i64.const -4294967296)))
        (i64.store offset=(;fa0;) (i32.const 0) (local.get $fa0))
        (local.set $target (i64.add (local.get $base) (i64.const 8)))
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
