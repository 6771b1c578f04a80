;; 80200000 (entry):
;;   80200000  sb a0, 0(sp)
;;   80200004  sh a1, 2(sp)
;;   80200008  sw a2, 4(sp)
;;   8020000c  sd a3, 8(sp)
;;   80200010  fsw fa0, 16(sp)
;;   80200014  fsd fa1, 24(sp)
;;   80200018  sd zero, 32(sp)
;;   → the interpreter at 8020001c
(module
  (type $t0 (func (param i32 i64)))
  (type $t1 (func (param i32 i64 i32 i64)))
  (import "core" "storeSlow" (func $storeSlow (param i32 i64 i32 i64)))
  (import "core" "fflags" (global $fflags (mut i32)))
  (import "env" "table" (table $table 0 funcref))
  (import "env" "memory" (memory 1024))
  (func $r0 (export "r0") (param $entry i32) (param $base i64)
    (local $n i32) (local $tlb i32) (local $slot i32) (local $site i32) (local $mode i32)
    (local $i32Temp i32) (local $host i32) (local $address i64) (local $value i64)
    (local $target i64) (local $i64Temp i64) (local $sp i64) (local $a0 i64) (local $a1 i64)
    (local $a2 i64) (local $a3 i64) (local $fa0 i64) (local $fa1 i64)
    (local.set $n (i32.load offset=(;budget;) (i32.const 0)))
    (local.set $tlb (i32.load offset=(;data_tlb;) (i32.const 0)))
    block $out
      block $event
        (i32.lt_s (local.get $n) (i32.const 7))
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
        (local.set $n (i32.sub (local.get $n) (i32.const 7)))
        (local.set $sp (i64.load offset=(;sp;) (i32.const 0)))
        (local.set $a0 (i64.load offset=(;a0;) (i32.const 0)))
        ;; 80200000  sb a0, 0(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 0)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4096)))
        if
          (i64.store8
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (local.get $a0))
        else
          (local.set $site (i32.const 67137536))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 1) (local.get $a0))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        (local.set $a1 (i64.load offset=(;a1;) (i32.const 0)))
        ;; 80200004  sh a1, 2(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 2)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4095)))
        if
          (i64.store16
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (local.get $a1))
        else
          (local.set $site (i32.const 67133444))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 2) (local.get $a1))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        (local.set $a2 (i64.load offset=(;a2;) (i32.const 0)))
        ;; 80200008  sw a2, 4(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 4)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4093)))
        if
          (i64.store32
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (local.get $a2))
        else
          (local.set $site (i32.const 67129352))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 4) (local.get $a2))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        (local.set $a3 (i64.load offset=(;a3;) (i32.const 0)))
        ;; 8020000c  sd a3, 8(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 8)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4089)))
        if
          (i64.store
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (local.get $a3))
        else
          (local.set $site (i32.const 67125260))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 8) (local.get $a3))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        (local.set $fa0 (i64.load offset=(;fa0;) (i32.const 0)))
        ;; 80200010  fsw fa0, 16(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 16)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4093)))
        if
          (i64.store32
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (local.get $fa0))
        else
          (local.set $site (i32.const 67121168))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 4) (local.get $fa0))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        (local.set $fa1 (i64.load offset=(;fa1;) (i32.const 0)))
        ;; 80200014  fsd fa1, 24(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 24)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4089)))
        if
          (i64.store
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (local.get $fa1))
        else
          (local.set $site (i32.const 67117076))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 8) (local.get $fa1))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        ;; 80200018  sd zero, 32(sp)
        (local.set $address (i64.add (local.get $sp) (i64.const 32)))
        (i64.eq
          (i64.load offset=8192
            (local.tee $slot
              (i32.add
                (i32.and
                  (i32.wrap_i64 (i64.shr_u (local.get $address) (i64.const 8)))
                  (i32.const 8176))
                (local.get $tlb))))
          (i64.and (local.get $address) (i64.const -4089)))
        if
          (i64.store
            (i32.add (i32.load offset=8200 (local.get $slot)) (i32.wrap_i64 (local.get $address)))
            (i64.const 0))
        else
          (local.set $site (i32.const 67112984))
          (call $storeSlow (i32.const 65536) (local.get $address) (i32.const 8) (i64.const 0))
          (br_if $event (i32.load offset=(;event;) (i32.const 0)))
        end
        (local.set $target (i64.add (local.get $base) (i64.const 28)))
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
