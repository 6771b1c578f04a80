/**
 * Rounds of the sides by turns, so that all see the same weather on this machine: in each round every
 * side boots each guest once and runs the rows that belong to it. Guarantees that rows of a guest that
 * has not been made are left out with a sentence, and no others.
 */
import { type BenchImage, isMade } from './image.ts';
import { type Failed, type Measured, type Pass, runPass } from './pass.ts';
import type { Passes } from './report.ts';
import type { GuestName, Row } from './rows.ts';
import type { Side, SideName } from './session.ts';

const ROW_TIMEOUT_MS = 600_000;
const QUICK_ROW_TIMEOUT_MS = 120_000;
const BOOT_TIMEOUT_MS: Record<GuestName, number> = { micro: 180_000, debian: 600_000 };
const GUESTS: readonly GuestName[] = ['micro', 'debian'];

export interface Rounds {
  readonly rounds: number;
  /** Tiny amounts: it is only shown that everything runs. */
  readonly quick: boolean;
}

export function guestOf({ guest = 'micro' }: Row): GuestName {
  return guest;
}

/** Those of the rows whose guest is there, and the guests that they need. */
export function runnable(rows: readonly Row[], made = isMade) {
  const needed = GUESTS.filter((name) => rows.some((row) => guestOf(row) === name));
  const guests = needed.filter(made);
  for (const missing of needed.filter((name) => !guests.includes(name))) {
    const left = rows.filter((row) => guestOf(row) === missing).map(({ name }) => name);
    console.error(
      `Left out: ${left.join(', ')}. That runs in the template ${missing}, which is not there: ` +
        `"npm run guests -- make guests/${missing}/recipe.json" makes it.`,
    );
  }
  return { rows: rows.filter((row) => guests.includes(guestOf(row))), guests };
}

export async function runRounds(
  sides: readonly Side[],
  image: BenchImage,
  rows: readonly Row[],
  { rounds, quick }: Rounds,
): Promise<Passes> {
  const passes: Partial<Record<SideName, Pass[]>> = {};
  for (let round = 1; round <= rounds; round++) {
    for (const side of sides) {
      // The slowest by far, and nobody waits for it: one round says enough.
      if (side.name === 'interpreter' && round > 1) continue;
      console.error(`Round ${round} of ${rounds}: ${side.title} …`);
      const results = new Map<string, Measured | Failed>();
      let boot: Pass['boot'] | undefined;
      for (const guest of image.guests) {
        const own = rows.filter((row) => guestOf(row) === guest.name);
        const pass = await runPass(side, guest, own, {
          quick,
          rowTimeoutMs: quick ? QUICK_ROW_TIMEOUT_MS : ROW_TIMEOUT_MS,
          bootTimeoutMs: BOOT_TIMEOUT_MS[guest.name],
        });
        boot ??= pass.boot;
        for (const [name, result] of pass.rows) results.set(name, result);
      }
      const list = passes[side.name] ?? [];
      list.push({ boot: boot ?? { failure: 'Nothing was booted.' }, rows: results });
      passes[side.name] = list;
    }
  }
  return passes;
}
