/**
 * `npm run bench`: how fast the machine is beside native QEMU (bench/README.md). Makes what is
 * missing, runs the sides by turns so that all see the same weather on this machine, prints the
 * table and what failed. Guarantees that every row that was asked for is in the output; the exit
 * code is 1 when Tabvisor failed in one.
 */
import { writeFileSync } from 'node:fs';
import { messageOf, UserError } from '../src/machine/errors.ts';
import { ensureParts, ensureSite } from '../tools/lib/setup.mjs';
import { Plain } from '../tools/lib/shell.mjs';
import { type BenchArguments, HELP, parseArguments, SIDES } from './arguments.ts';
import { describeHost, doubt, type Host } from './host.ts';
import { type BenchImage, buildImage, MEGABYTES } from './image.ts';
import { meanOf, type Passes, type RowReport, reportRow, table } from './report.ts';
import { runnable, runRounds } from './rounds.ts';
import { BOOT, BOOT_V86_SECONDS, BOOT_WHAT } from './rows.ts';
import type { Side, SideName } from './session.ts';
import { chromium } from './sides/chromium.ts';
import { node } from './sides/node.ts';
import { qemu7, qemu10 } from './sides/qemu.ts';
import { storageBench } from './storage/main.ts';

/** Seconds by which two clocks may differ for reasons that are known: how often consoles are read. */
const CLOCK_TOLERANCE_S = 0.7;

type Unavailable = Partial<Record<SideName, string>>;

const makers: Record<SideName, (image: BenchImage) => Promise<Side>> = {
  qemu10: (image) => qemu10(image, MEGABYTES),
  qemu7: (image) => qemu7(image, MEGABYTES),
  node: () => node('node', MEGABYTES),
  chromium: (image) => chromium(image, MEGABYTES),
  interpreter: () => node('interpreter', MEGABYTES),
};

async function main(words: readonly string[]): Promise<number> {
  if (words[0] === 'storage') return storageBench(words.slice(1));
  const args = parseArguments(words);
  if (args.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const host = describeHost();
  await ensureParts();
  await ensureSite();
  const { rows, guests } = runnable(args.rows);
  // The boot that is reported is that of micro.
  const image = buildImage(args.boot ? [...new Set(['micro' as const, ...guests])] : guests, rows);
  const sides: Side[] = [];
  const unavailable: Unavailable = {};
  for (const name of SIDES) {
    if (!args.sides.includes(name)) {
      unavailable[name] = 'The side was left out by --sides.';
      continue;
    }
    try {
      sides.push(await makers[name](image));
    } catch (error) {
      unavailable[name] = messageOf(error);
      console.error(`There is no column for ${name}: ${messageOf(error)}`);
    }
  }
  let passes: Passes;
  try {
    passes = await runRounds(sides, image, rows, args);
  } finally {
    for (const side of sides) await side.close?.();
  }
  return report({ ...args, rows }, sides, passes, unavailable, host);
}

function report(
  args: BenchArguments,
  sides: readonly Side[],
  passes: Passes,
  unavailable: Unavailable,
  host: Host,
): number {
  const boot = { name: BOOT, what: BOOT_WHAT, repetitions: 1, v86Seconds: BOOT_V86_SECONDS };
  const infos = [
    ...(args.boot ? [boot] : []),
    ...args.rows.map((row) =>
      args.quick ? { ...row, repetitions: 1, v86Seconds: undefined } : row,
    ),
  ];
  const rows = infos.map((info) => reportRow(info, passes, unavailable));
  const machine = {
    ...host,
    sides: Object.fromEntries(sides.map(({ name, title }) => [name, title])),
    guest_bytes: MEGABYTES << 20,
    rounds: args.rounds,
    quick: args.quick,
    date: new Date().toISOString(),
  };
  const missing = new Set(SIDES.filter((name) => name in unavailable));
  console.log(`${machine.cpu}, ${machine.os}`);
  for (const { name, title } of sides) console.log(`${name}: ${title}`);
  console.log(`\nSeconds of one unit; × is QEMU's time (the better one) over ours.\n`);
  console.log(table(rows, missing));
  for (const warning of warnings(rows, args, unavailable, host)) console.log(`\n${warning}`);
  if (args.json !== undefined) {
    const means = {
      node: meanOf(rows, 'node_ratio'),
      chromium: meanOf(rows, 'chromium_ratio'),
    };
    const text = JSON.stringify({ machine, geometric_mean: means, rows }, null, 2);
    writeFileSync(args.json, `${text}\n`);
  }
  const ours: readonly SideName[] = ['node', 'chromium', 'interpreter'];
  return rows.some(({ failures }) => ours.some((side) => side in failures && !missing.has(side)))
    ? 1
    : 0;
}

function warnings(
  rows: readonly RowReport[],
  args: BenchArguments,
  unavailable: Unavailable,
  host: Host,
): string[] {
  const lines: string[] = [];
  for (const { name, failures } of rows) {
    for (const side of SIDES) {
      const failure = failures[side];
      if (failure !== undefined && !(side in unavailable)) {
        lines.push(`FAILED ${name} on ${side}: ${failure}`);
      }
    }
  }
  for (const { name, clock_error_s: error } of rows) {
    if (error !== null && error > CLOCK_TOLERANCE_S && !args.quick) {
      lines.push(`The guest's clock and the host's differ by ${error.toFixed(2)} s in ${name}.`);
    }
  }
  for (const [side, reason] of Object.entries(unavailable)) {
    if (args.sides.some((name) => name === side)) lines.push(`No column ${side}: ${reason}`);
  }
  const doubtful = doubt(host, args.quick);
  if (doubtful !== undefined) lines.push(doubtful);
  return lines;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const plain = error instanceof UserError || error instanceof Plain;
  console.error(plain ? messageOf(error) : error);
  process.exitCode = 2;
}
