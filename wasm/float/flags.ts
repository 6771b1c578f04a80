// The two halves of fcsr that arithmetic needs: the accrued exceptions, kept here in one global,
// and the names of the rounding modes. Relies on nothing. Guarantees that flags only accumulate
// until `writeFflags` replaces them. RISC-V unprivileged ISA, "F" §Floating-Point Control and
// Status Register. A mode given to an operation is 0 to 4: the caller has resolved DYN and
// refused the reserved values.

export const NX: i32 = 0x01; // inexact
export const UF: i32 = 0x02; // underflow
export const OF: i32 = 0x04; // overflow
export const DZ: i32 = 0x08; // division by zero
export const NV: i32 = 0x10; // invalid operation

export const RNE: i32 = 0; // to nearest, ties to even
export const RTZ: i32 = 1; // towards zero
export const RDN: i32 = 2; // down
export const RUP: i32 = 3; // up
export const RMM: i32 = 4; // to nearest, ties away from zero

export let fflags: i32 = 0;

export function raise(bits: i32): void {
  fflags |= bits;
}

export function readFflags(): i32 {
  return fflags;
}

export function writeFflags(value: i32): void {
  fflags = value & 0x1f;
}

// Wasm's own arithmetic rounds RNE and cannot report inexactness. It may answer where neither
// matters: the mode is RNE and NX is set already. What other flags ask, each operation checks.
export function hostMayAnswer(rm: i32): bool {
  return rm == RNE && isNxSet();
}

// In RNE with NX clear Wasm may still answer when the result can be shown to be exact, as it is in
// programs that count in floating point.
// @ts-ignore: decorator
@inline
export function isNxSet(): bool {
  return (fflags & NX) != 0;
}
