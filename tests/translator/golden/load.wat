;; 80200000 (entry):
;;   80200000  lb a0, 0(sp)
;;   80200004  lbu a1, 1(sp)
;;   80200008  lh a2, 2(sp)
;;   8020000c  lhu a3, 4(sp)
;;   80200010  lw a4, 8(sp)
;;   80200014  lwu a5, 12(sp)
;;   80200018  ld a6, 16(sp)
;;   8020001c  flw fa0, 24(sp)
;;   80200020  fld fa1, 32(sp)
;;   80200024  ld zero, 40(sp)
;;   → the interpreter at 80200028
(module
  (type $t0 (func (param i32 i64)))
  (type $t1 (func (param i32 i64 i32) (result i64)))
  (import "core" "loadSlow" (func $loadSlow (param i32 i64 i32) (result i64)))
  (import "core" "fflags" (global $fflags (mut i32)))
  (import "env" "table" (table $table 0 funcref))
  (import "env" "memory" (memory 1024))
  (func $r0 (export "r0") (param $entry i32) (param $base i64)
    (local $n i32) (local $tlb i32) (local $slot i32) (local $site i32) (local $mode i32)
    (local $i32Temp i32) (local $host i32) (local $address i64) (local $value i64)
    (local $target i64) (local $i64Temp i64) (local $sp i64) (local $a0 i64) (local $a1 i64)
    (local $a2 i64) (local $a3 i64) (local $a4 i64) (local $a5 i64) (local $a6 i64) (local $fa0 i64)
    (local $fa1 i64)
    (local.set $n (i32.load offset=(;budget;) (i32.const 0)))
    (local.set $tlb (i32.load offset=(;data_tlb;) (i32.const 0)))
    block $out
      block $event
        (i32.lt_s (local.get $n) (i32.const 10))
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
        (local.set $n (i32.sub (local.get $n) (i32.const 10)))
        (local.set $sp (i64.load offset=(;sp;) (i32.const 0)))
        ;; 80200000  lb a0, 0(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 0)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4096)))
        if (result i64)
          (i64.load8_s
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67149824))
          (i64.extend8_s (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 1)))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a0
        (i64.store offset=(;a0;) (i32.const 0) (local.get $a0))
        ;; 80200004  lbu a1, 1(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 1)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4096)))
        if (result i64)
          (i64.load8_u
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67145732))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 1))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a1
        (i64.store offset=(;a1;) (i32.const 0) (local.get $a1))
        ;; 80200008  lh a2, 2(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 2)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4095)))
        if (result i64)
          (i64.load16_s
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67141640))
          (i64.extend16_s (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 2)))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a2
        (i64.store offset=(;a2;) (i32.const 0) (local.get $a2))
        ;; 8020000c  lhu a3, 4(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 4)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4095)))
        if (result i64)
          (i64.load16_u
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67137548))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 2))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a3
        (i64.store offset=(;a3;) (i32.const 0) (local.get $a3))
        ;; 80200010  lw a4, 8(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 8)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4093)))
        if (result i64)
          (i64.load32_s
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67133456))
          (i64.extend32_s (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 4)))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a4
        (i64.store offset=(;a4;) (i32.const 0) (local.get $a4))
        ;; 80200014  lwu a5, 12(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 12)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4093)))
        if (result i64)
          (i64.load32_u
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67129364))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 4))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a5
        (i64.store offset=(;a5;) (i32.const 0) (local.get $a5))
        ;; 80200018  ld a6, 16(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 16)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4089)))
        if (result i64)
          (i64.load
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67125272))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 8))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $a6
        (i64.store offset=(;a6;) (i32.const 0) (local.get $a6))
        ;; 8020001c  flw fa0, 24(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 24)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4093)))
        if (result i64)
          (i64.load32_u
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67121180))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 4))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        (local.set $fa0 (i64.or (;stack;) (i64.const -4294967296)))
        (i64.store offset=(;fa0;) (i32.const 0) (local.get $fa0))
        (i32.store8 offset=(;mstatus + 1;)
          (i32.const 0)
          (i32.or (i32.load8_u offset=(;mstatus + 1;) (i32.const 0)) (i32.const 96)))
        ;; 80200020  fld fa1, 32(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 32)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4089)))
        if (result i64)
          (i64.load
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67117088))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 8))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        local.set $fa1
        (i64.store offset=(;fa1;) (i32.const 0) (local.get $fa1))
        ;; 80200024  ld zero, 40(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 40)))
        (i64.eq
          (i64.load
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4089)))
        if (result i64)
          (i64.load
            (i32.add (i32.load offset=8 (local.get $slot)) (i32.wrap_i64 (local.get $address))))
        else
          (local.set $site (i32.const 67112996))
          (call $loadSlow (i32.const 65536) (local.get $address) (i32.const 8))
          (br_if $event (i32.load offset=(;fault;) (i32.const 0)))
        end
        drop
        (local.set $target (i64.add (local.get $base) (i64.const 40)))
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
