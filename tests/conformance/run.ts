/** Runs blocks on both sides: the one place where the oracle and the core meet. */
import type { TestBlock } from './block.ts';
import { type Difference, differences, differingBlocks } from './compare.ts';
import { type Image, imageOf } from './image.ts';
import type { Oracle } from './oracle.ts';
import type { Target } from './target.ts';

export interface Sides {
  /** Undefined: the target gives what is expected. */
  readonly oracle: Pick<Oracle, 'run'> | undefined;
  readonly target: Target;
}

export interface Verdict {
  /** Blocks that differ, by number. */
  readonly differing: readonly number[];
  readonly expected: Uint8Array | undefined;
  readonly found: Uint8Array;
  /** Instructions that the core ran, the harness's included. */
  readonly instructions: number;
  /** Of those, what translated code ran. */
  readonly translated: number;
  /** A side did not come to the program's end. */
  readonly problem?: string;
  /** The tiers went apart on the way, whatever the results say. */
  readonly apart?: string;
}

export async function runImage(sides: Sides, image: Image, seconds = 60): Promise<Verdict> {
  const started = sides.oracle?.run(image.bytes, seconds);
  const run = sides.target(image.bytes, 400_000 + image.blocks.length * 200_000);
  const expected = started ? await started : run.expected;
  const missing = [expected ? '' : 'The oracle', run.ended ? '' : 'The core'].filter(Boolean);
  return {
    differing: expected ? differingBlocks(expected, run.ram, image.blocks.length) : [],
    expected,
    found: run.ram,
    instructions: run.instructions,
    translated: run.translated,
    ...(missing.length > 0 && {
      problem: `${missing.join(' and ')} did not come to the program's end`,
    }),
    ...(run.apart !== undefined && { apart: run.apart }),
  };
}

/** Names of what differs, without numbers of traps: what stays when a block gets shorter. */
function signature(list: readonly Difference[]): Set<string> {
  return new Set(list.map(({ what }) => what.replace(/^trap \d+/, 'trap')));
}

/** Of several variants of a block, those on which the sides disagree about one of `about`. */
export async function failing(
  sides: Sides,
  blocks: readonly TestBlock[],
  about?: ReadonlySet<string>,
): Promise<boolean[]> {
  const { differing, expected, found } = await runImage(sides, imageOf(blocks), 20);
  return blocks.map((_, i) => {
    if (!differing.includes(i)) return false;
    if (!about || !expected) return true;
    return [...signature(differences(expected, found, i))].some((name) => about.has(name));
  });
}

/** How a block differs when it runs alone. */
export async function differencesOf(sides: Sides, block: TestBlock): Promise<Difference[]> {
  const { expected, found } = await runImage(sides, imageOf([block]), 20);
  return expected ? differences(expected, found, 0) : [];
}

/** What a block's shorter forms must still differ in: the first thing that went wrong. */
export async function complaintOf(sides: Sides, block: TestBlock): Promise<Set<string>> {
  const list = await differencesOf(sides, block);
  const traps = list.filter(({ what }) => what.startsWith('trap'));
  return signature(traps.length > 0 ? traps.slice(0, 1) : list);
}
