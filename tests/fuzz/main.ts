/**
 * `npm run fuzz`: plays the fuzzers for as long as one likes. Further fuzzers join the list below.
 * A finding ends the run with exit code 1 and the command that repeats it.
 */
import { parseArgs } from 'node:util';
import { Finding, type Fuzzer, fuzz } from './fuzzer.ts';
import { images } from './images.ts';
import { instructions } from './instructions.ts';
import { ninep } from './ninep.ts';
import { snapshots } from './snapshots.ts';
import { state } from './state.ts';
import { virtio } from './virtio.ts';

const FUZZERS: readonly Fuzzer[] = [virtio, ninep, images, instructions, state, snapshots];

const HELP = `npm run fuzz -- [--only NAME] [--seed N] [--count N]

  --only NAME   one fuzzer instead of all
  --seed N      first case (default: from the clock); each case has a seed of its own
  --count N     cases for each fuzzer (default: until interrupted)

${FUZZERS.map(({ name, what }) => `  ${name.padEnd(12)}  ${what}`).join('\n')}`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seed: { type: 'string' },
      count: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const fuzzers = FUZZERS.filter(({ name }) => values.only === undefined || name === values.only);
  if (fuzzers.length === 0) {
    console.error(`There is no fuzzer ${values.only}; see npm run fuzz -- --help.`);
    return 2;
  }
  const seed = wholeNumber('seed', values.seed) ?? Date.now() % 0x4000_0000;
  const count = wholeNumber('count', values.count);
  // Without a count: rounds of each fuzzer in turn, for ever.
  const round = count ?? 1000;
  for (let first = seed; ; first += round) {
    for (const fuzzer of fuzzers) {
      const start = performance.now();
      await fuzz(fuzzer, first, round);
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(
        `${fuzzer.name}: ${round} cases from seed ${first} in ${seconds} s, nothing found`,
      );
    }
    if (count !== undefined) return 0;
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new RangeError(`--${name} takes a whole number below 1,000,000,000, not ${text}.`);
  }
  return Number(text);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof Finding ? 1 : 2;
}
