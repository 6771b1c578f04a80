import type { Figures } from '../figures.ts';

/** Figures of a VM that does nothing, for tests. */
export const FIGURES: Figures = {
  busy: 0.5,
  steal: 0,
  idle: 0.5,
  memoryInUse: 0,
  instructions: 0,
  mips: 0,
  wakeups: 0,
  interrupts: 0,
  traps: 0,
  consoleBytes: 0,
  disks: [],
  memory: {
    size: 1 << 27,
    target: 1 << 27,
    actual: 1 << 27,
    balloon: false,
    inflated: 0,
    reported: 0,
  },
};
