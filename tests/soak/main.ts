/**
 * `npm run soak [-- --minutes N --seed S --first N]`: guests that differ in what runs their code get
 * the same random shell commands; what they print and the exit codes must be the same. Runs an hour
 * unless told otherwise, and at least a few commands. A difference is printed with its command and
 * with what runs it again; the last line is JSON. Exit code 1 when there was a difference, 2 when the
 * run could not be made.
 */
import { parseArgs } from 'node:util';
import { buildCore } from '../../tools/build-core.mjs';
import type { GuestOptions } from '../linux/guest.ts';
import { command } from './commands.ts';
import { type Answer, Session } from './session.ts';

/** The first one is what the others are compared with. */
const GUESTS: Readonly<Record<string, GuestOptions>> = {
  interpreter: { tier: 'interpreter' },
  'both tiers': { tier: 'both', library: true },
  // Nearly all is translated.
  'both tiers, eager': { tier: 'both', translator: { threshold: 100 } },
};
const LEAST_COMMANDS = 20;
/** Seconds after which a guest is taken to hang: some hundred times what a command needs. */
const LIMIT = 300;
/** Differences that are printed in full. */
const SHOWN = 5;
const PROGRESS_MS = 60_000;

function number(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`--${name} takes a number, not ${text}.`);
  return value;
}

/** What a session answers; a sentence instead when the guest has failed or hangs. */
async function answer(session: Session, line: string): Promise<Answer | string> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`No answer in ${LIMIT} seconds.`), LIMIT * 1000);
  });
  const answered = session.run(line).catch((error: Error) => error.message);
  const result = await Promise.race([answered, hangs]);
  clearTimeout(timer);
  return result;
}

const same = (a: Answer | string, b: Answer | string) =>
  typeof a !== 'string' && typeof b !== 'string' && a.code === b.code && a.output === b.output;

/** An answer from a little before the place at which it differs from the other. */
function shown(result: Answer | string, other: Answer | string): string {
  if (typeof result === 'string') return result;
  let at = 0;
  if (typeof other !== 'string') {
    while (at < result.output.length && result.output[at] === other.output[at]) at++;
  }
  const from = Math.max(0, at - 100);
  const part = result.output.slice(from, at + 300);
  return `exit code ${result.code}, ${result.output.length} bytes, from byte ${from}: ${JSON.stringify(part)}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      first: { type: 'string' },
    },
  });
  const minutes = number('minutes', values.minutes, 60);
  const seed = number('seed', values.seed, Date.now() % 1_000_000);
  const first = number('first', values.first, 0);
  await buildCore();
  console.log(`Soak: seed ${seed}, ${minutes} minutes.`);
  const started = Date.now();
  const sessions = await Promise.all(
    Object.entries(GUESTS).map(([name, options]) => Session.start(name, options)),
  );
  let commands = 0;
  let differences = 0;
  let failed = 0;
  let broken = false;
  let announced = started;
  while (!broken && (commands < LEAST_COMMANDS || Date.now() - started < minutes * 60_000)) {
    const line = command(seed, first + commands);
    const [expected, ...found] = await Promise.all(sessions.map((one) => answer(one, line)));
    commands++;
    broken = [expected, ...found].some((result) => typeof result === 'string');
    if (typeof expected === 'object' && expected.code !== 0) failed++;
    const differ = found.some((result) => expected === undefined || !same(expected, result));
    if (differ) {
      differences++;
      if (differences <= SHOWN) {
        console.log(`Difference at command ${first + commands - 1} of seed ${seed}:\n  ${line}`);
        sessions.forEach(({ name }, i) => {
          const result = [expected, ...found][i];
          const other = i === 0 ? found.find((one) => expected && !same(expected, one)) : expected;
          if (result !== undefined) console.log(`  ${name}: ${shown(result, other ?? '')}`);
        });
        console.log(`  Again: npm run soak -- --seed ${seed} --first ${first + commands - 1}`);
      }
    }
    if (Date.now() - announced > PROGRESS_MS) {
      announced = Date.now();
      const mb = Math.round(process.memoryUsage().rss / 2 ** 20);
      console.log(`  ${commands} commands, ${differences} differences, ${mb} MB resident`);
    }
  }
  const guests = sessions.map(({ name, guest }) => {
    const { instructions, translated_instructions, translator } = guest.machine.stats();
    guest.stop();
    const share = Number((translated_instructions / instructions).toFixed(3));
    return { name, instructions, translated_share: share, translator };
  });
  // Else the two compared the interpreter with itself.
  const idle = guests.slice(1).some(({ translated_share }) => translated_share < 0.5);
  if (idle)
    console.log('Less than half of the instructions ran translated: too little is compared.');
  console.log(
    JSON.stringify({
      seed,
      commands,
      with_exit_code_not_0: failed,
      differences,
      rss_mb: Math.round(process.memoryUsage().rss / 2 ** 20),
      guests,
      wall_s: Math.round((Date.now() - started) / 1000),
    }),
  );
  return differences > 0 || broken || idle ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
