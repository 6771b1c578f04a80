/** How much memory a machine may have, and how much of it the guest may be asked to get by with. */
import { PAGE_SIZE } from '../core/layout.ts';
import { UserError } from './errors.ts';
import { MEMORY_MAX, MEMORY_MIN, MEMORY_STEP, MIB } from './memory-map.ts';

/** Less than this no kernel runs in: a mistake, not a wish. */
export const MEMORY_TARGET_MIN = 16 * MIB;

/** Refuses a size that no machine has. */
export function checkMemory(bytes: number): void {
  const fits = Number.isInteger(bytes) && bytes >= MEMORY_MIN && bytes <= MEMORY_MAX;
  if (fits && bytes % MEMORY_STEP === 0) return;
  throw new UserError(
    `A machine cannot have ${bytes} bytes of memory: give it ${MEMORY_MIN / MIB} MB to ` +
      `${MEMORY_MAX / MIB} MB.`,
  );
}

/** Pages that the balloon must hold so that the guest has `target` bytes of its `memory`. */
export function targetPages(memory: number, target: number): number {
  const least = Math.min(MEMORY_TARGET_MIN, memory);
  if (!(target >= least && target <= memory)) {
    throw new UserError(
      `A guest that was given ${memory / MIB} MB can have from ${least / MIB} MB to ` +
        `${memory / MIB} MB of them, not ${Math.round((target / MIB) * 10) / 10} MB.`,
    );
  }
  return Math.floor((memory - target) / PAGE_SIZE);
}
