/**
 * `npm run conformance [-- --mode MODE --seed N --count N --kind KIND --first N]`: random programs on
 * QEMU and on the core, compared. `--mode` is `interpreter` (the default), `translator` (all is
 * translated before it first runs), both beside QEMU, or `lockstep`: the two tiers beside each
 * other, compared after every slice. `--count` is the number of random instructions (2,100,000 by
 * default). A disagreement is made small and printed; the last line is JSON. Exit code 1 when the
 * sides disagree, 2 when the run could not be made.
 */
import { parseArgs } from 'node:util';
import { buildCore } from '../../tools/build-core.mjs';
import { instructionCount, type TestBlock } from './block.ts';
import { differences } from './compare.ts';
import { generateBlock } from './generate.ts';
import { Image } from './image.ts';
import { minimise } from './minimise.ts';
import { createOracle } from './oracle.ts';
import { describeBlock } from './report.ts';
import { differencesOf, runImage, type Sides, type Verdict } from './run.ts';
import { translatedShare } from './share.ts';
import { createTarget, MODES, type Mode } from './target.ts';

const DEFAULT_COUNT = 2_100_000;
/** Disagreements that are made small and printed: the first ones say most. */
const SHOWN = 5;
/** Seconds after which a side is taken to run for ever: ten times what an image needs. */
const LIMIT = 20;
/** Blocks of one image: QEMU starts once for each, and translated code stays within its budget. */
const BATCH: Readonly<Record<Mode, number>> = {
  interpreter: 2500,
  translator: 1200,
  lockstep: 1200,
};

/** Of the instructions that can be translated, at least this share must have run translated. */
const LEAST_SHARE = 0.5;
/** Blocks in which that is counted: every instruction is looked at. */
const SHARE_BLOCKS = 150;

interface Settings {
  readonly mode: Mode;
  readonly seed: number;
  readonly count: number;
  readonly first: number;
  readonly kind: string | undefined;
}

function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`--${name} takes a whole number, not ${text}.`);
  }
  return value;
}

function settings(): Settings {
  const { values } = parseArgs({
    options: {
      mode: { type: 'string', default: 'interpreter' },
      seed: { type: 'string' },
      count: { type: 'string' },
      first: { type: 'string' },
      kind: { type: 'string' },
    },
  });
  const mode = MODES.find((name) => name === values.mode);
  if (!mode) throw new Error(`--mode is ${MODES.join(', ')}, not ${values.mode}.`);
  return {
    mode,
    seed: whole('seed', values.seed, 1),
    count: whole('count', values.count, DEFAULT_COUNT),
    first: whole('first', values.first, 0),
    kind: values.kind,
  };
}

/** Blocks from number `first` on, until the image is full or `count` instructions are there. */
function nextImage(
  options: Settings,
  without: ReadonlySet<string>,
  first: number,
  count: number,
  blocks = BATCH[options.mode],
) {
  const image = new Image();
  let instructions = 0;
  for (let i = first; image.blocks.length < blocks && instructions < count; i++) {
    const block = generateBlock(options.seed, i, {
      without,
      ...(options.kind === undefined ? {} : { kind: options.kind }),
    });
    if (!image.add(block)) break;
    instructions += instructionCount(block);
  }
  return { image, instructions };
}

/** Finds the block at which a side never comes to its end, by halves. */
async function findEndless(sides: Sides, image: Image, first: number): Promise<string> {
  let low = 0;
  let high = image.blocks.length;
  let verdict: Verdict | undefined;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const part = new Image();
    for (const block of image.blocks.slice(low, middle)) part.add(block);
    const tried = await runImage(sides, part, LIMIT);
    if (tried.problem) verdict = tried;
    if (tried.problem) high = middle;
    else low = middle;
  }
  const block = image.blocks[low];
  const code = block ? describeBlock(block, []) : '';
  return `block ${first + low}: ${verdict?.problem ?? 'together with others only'}\n${code}`;
}

/** A disagreement, as short as it can be made. */
async function explain(sides: Sides, block: TestBlock, verdict: Verdict, i: number) {
  const alone = await differencesOf(sides, block);
  if (alone.length === 0 && verdict.expected) {
    const list = differences(verdict.expected, verdict.found, i);
    return `By itself it runs alike: the blocks before it matter.\n${describeBlock(block, list)}`;
  }
  const small = await minimise(sides, block);
  return `The shortest form:\n${describeBlock(small, await differencesOf(sides, small))}`;
}

async function main(): Promise<number> {
  const options = settings();
  const { mode } = options;
  await buildCore();
  const oracle = mode === 'lockstep' ? undefined : await createOracle();
  const without = oracle?.without ?? new Set<string>();
  const sides: Sides = { oracle, target: createTarget(mode) };
  const beside = oracle ? `QEMU ${oracle.version}` : 'the interpreter';
  console.log(`Conformance: seed ${options.seed}, the ${mode} beside ${beside}.`);
  const share =
    mode === 'interpreter'
      ? undefined
      : translatedShare(nextImage(options, without, 0, Infinity, SHARE_BLOCKS).image);
  const started = Date.now();
  let next = options.first;
  let instructions = 0;
  let executed = 0;
  let translated = 0;
  let mismatches = 0;
  let shown = 0;
  let announced = 0;
  while (instructions < options.count) {
    const first = next;
    const made = nextImage(options, without, first, options.count - instructions);
    const { image } = made;
    const verdict = await runImage(sides, image, LIMIT);
    next += image.blocks.length;
    instructions += made.instructions;
    executed += verdict.instructions;
    translated += verdict.translated;
    if (verdict.problem) {
      mismatches++;
      console.log(`Mismatch: ${await findEndless(sides, image, first)}`);
      if (++shown >= SHOWN) break;
    }
    if (verdict.apart !== undefined) {
      console.log(`The tiers went apart between block ${first} and block ${next - 1}.`);
      console.log(verdict.apart);
      if (verdict.differing.length === 0) mismatches++;
    }
    mismatches += verdict.differing.length;
    for (const i of verdict.differing) {
      const block = image.blocks[i];
      if (!block || shown >= SHOWN) break;
      shown++;
      console.log(`Mismatch in block ${first + i} of seed ${options.seed}.`);
      console.log(await explain(sides, block, verdict, i));
    }
    const tenth = Math.floor((10 * instructions) / options.count);
    if (tenth > announced) {
      announced = tenth;
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      console.log(`  ${instructions} instructions, ${mismatches} mismatches, ${seconds} s`);
    }
  }
  oracle?.dispose();
  const wall = (Date.now() - started) / 1000;
  const isIdle = share !== undefined && options.kind === undefined && share < LEAST_SHARE;
  if (isIdle) {
    console.log(
      `Only ${(100 * share).toFixed(0)} % of what can be translated ran translated: too little is compared.`,
    );
  }
  console.log(
    JSON.stringify({
      mode,
      seed: options.seed,
      blocks: next - options.first,
      instructions,
      executed,
      ...(share !== undefined && { translated, translated_share: Number(share.toFixed(3)) }),
      mismatches,
      oracle: oracle?.version ?? 'interpreter',
      without: [...without],
      wall_s: Number(wall.toFixed(1)),
    }),
  );
  return mismatches === 0 && !isIdle ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
