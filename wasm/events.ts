// What helpers tell the interpreter's loop: what came of a system instruction, and why the inner
// loop must be left. The event is a field of the hart; run() clears it.

/** Go on with the next instruction. */
export const NEXT_FAST: i32 = 0;
/** Retired; privilege, translation or interrupts may have changed: leave the inner loop. */
export const NEXT_OUTER: i32 = 1;
/** Not retired; the hart's pc is set. */
export const TRAPPED: i32 = 2;
/** Retired; the hart's pc is set. */
export const JUMPED: i32 = 3;

/** Something to look at (a fault, an interrupt line, code that was dropped). */
export const EVENT_LOOK: u32 = 1;
/** An ecall for the machine's SBI. */
export const EVENT_SBI: u32 = 2;
