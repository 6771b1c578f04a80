;; 80200000 (entry):
;;   80200000  feq.d a0, fa0, fa1
;;   80200004  flt.s a1, fa0, fa1
;;   80200008  fclass.d a2, fa0
;;   8020000c  fsqrt.d fa2, fa0
;;   → the interpreter at 80200010
(module
  (type $t0 (func (param i32 i64)))
  (type $t1 (func (param i64 i64) (result i64)))
  (type $t2 (func (param i32 i32) (result i64)))
  (type $t3 (func (param i64) (result i64)))
  (type $t4 (func (param i64 i32) (result i64)))
  (import "core" "f64_eq" (func $f64_eq (param i64 i64) (result i64)))
  (import "core" "f32_lt" (func $f32_lt (param i32 i32) (result i64)))
  (import "core" "f64_class" (func $f64_class (param i64) (result i64)))
  (import "core" "f64_sqrt" (func $f64_sqrt (param i64 i32) (result i64)))
  (import "core" "fflags" (global $fflags (mut i32)))
  (import "env" "table" (table $table 0 funcref))
  (import "env" "memory" (memory 1024))
  (func $r0 (export "r0") (param $entry i32) (param $base i64)
    (local $n i32) (local $tlb i32) (local $slot i32) (local $site i32) (local $mode i32)
    (local $i32Temp i32) (local $host i32) (local $address i64) (local $value i64)
    (local $target i64) (local $i64Temp i64) (local $a0 i64) (local $a1 i64) (local $a2 i64)
    (local $fa0 i64) (local $fa1 i64) (local $fa2 i64)
    (local.set $n (i32.load offset=(;budget;) (i32.const 0)))
    (local.set $tlb (i32.load offset=(;data_tlb;) (i32.const 0)))
    block $out
      block $event
        (i32.lt_s (local.get $n) (i32.const 4))
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
        (local.set $n (i32.sub (local.get $n) (i32.const 4)))
        (local.set $fa0 (i64.load offset=(;fa0;) (i32.const 0)))
        (local.set $fa1 (i64.load offset=(;fa1;) (i32.const 0)))
        ;; 80200000  feq.d a0, fa0, fa1
        (i32.and
          (f64.eq (f64.reinterpret_i64 (local.get $fa0)) (f64.reinterpret_i64 (local.get $fa0)))
          (f64.eq (f64.reinterpret_i64 (local.get $fa1)) (f64.reinterpret_i64 (local.get $fa1))))
        if (result i64)
          (i64.extend_i32_u
            (f64.eq (f64.reinterpret_i64 (local.get $fa0)) (f64.reinterpret_i64 (local.get $fa1))))
        else
          (call $f64_eq (local.get $fa0) (local.get $fa1))
        end
        local.set $a0
        (i64.store offset=(;a0;) (i32.const 0) (local.get $a0))
        ;; 80200004  flt.s a1, fa0, fa1
        (i32.and
          (f32.eq
            (f32.reinterpret_i32
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa0)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295))))
            (f32.reinterpret_i32
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa0)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))))
          (f32.eq
            (f32.reinterpret_i32
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295))))
            (f32.reinterpret_i32
              (select
                (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
                (i32.const 2143289344)
                (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295))))))
        if (result i64)
          (i64.extend_i32_u
            (f32.lt
              (f32.reinterpret_i32
                (select
                  (i32.wrap_i64 (local.tee $i64Temp (local.get $fa0)))
                  (i32.const 2143289344)
                  (i64.eq
                    (i64.shr_u (local.get $i64Temp) (i64.const 32))
                    (i64.const 4294967295))))
              (f32.reinterpret_i32
                (select
                  (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
                  (i32.const 2143289344)
                  (i64.eq
                    (i64.shr_u (local.get $i64Temp) (i64.const 32))
                    (i64.const 4294967295))))))
        else
          (call $f32_lt
            (select
              (i32.wrap_i64 (local.tee $i64Temp (local.get $fa0)))
              (i32.const 2143289344)
              (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295)))
            (select
              (i32.wrap_i64 (local.tee $i64Temp (local.get $fa1)))
              (i32.const 2143289344)
              (i64.eq (i64.shr_u (local.get $i64Temp) (i64.const 32)) (i64.const 4294967295))))
        end
        local.set $a1
        (i64.store offset=(;a1;) (i32.const 0) (local.get $a1))
        ;; 80200008  fclass.d a2, fa0
        (local.set $a2 (call $f64_class (local.get $fa0)))
        (i64.store offset=(;a2;) (i32.const 0) (local.get $a2))
        ;; 8020000c  fsqrt.d fa2, fa0
        (local.set $host
          (i32.and
            (i32.and (global.get $fflags) (i32.const 1))
            (i32.eqz (i32.load offset=(;frm;) (i32.const 0)))))
        local.get $host
        if (result i64)
          (i32.ne
            (i32.and
              (i32.wrap_i64
                (i64.shr_u
                  (local.tee $i64Temp
                    (i64.reinterpret_f64 (f64.sqrt (f64.reinterpret_i64 (local.get $fa0)))))
                  (i64.const 52)))
              (i32.const 2047))
            (i32.const 2047))
          if (result i64)
            local.get $i64Temp
          else
            (local.set $site (i32.const 8204))
            (br_if $event
              (i32.gt_u
                (local.tee $mode (i32.load offset=(;frm;) (i32.const 0)))
                (i32.const 4)))
            (call $f64_sqrt (local.get $fa0) (local.get $mode))
          end
        else
          (local.set $site (i32.const 8204))
          (br_if $event
            (i32.gt_u
              (local.tee $mode (i32.load offset=(;frm;) (i32.const 0)))
              (i32.const 4)))
          (call $f64_sqrt (local.get $fa0) (local.get $mode))
        end
        local.set $fa2
        (i64.store offset=(;fa2;) (i32.const 0) (local.get $fa2))
        (i32.store8 offset=(;mstatus + 1;)
          (i32.const 0)
          (i32.or (i32.load8_u offset=(;mstatus + 1;) (i32.const 0)) (i32.const 96)))
        (local.set $target (i64.add (local.get $base) (i64.const 16)))
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
