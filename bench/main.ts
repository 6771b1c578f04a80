/**
 * `npm run bench`: how fast the machine is beside native QEMU (bench/README.md). Makes what is
 * missing, runs the sides by turns so that all see the same weather on this machine, prints the
 * table and what failed. Guarantees that every row that was asked for is in the output; the exit
 * code is 1 when Tabvisor failed in one.
 */
import { writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { messageOf, UserError } from '../src/machine/errors.ts';
import { ensureParts, ensureSite } from '../tools/lib/setup.mjs';
import { Plain } from '../tools/lib/shell.mjs';
import { type BenchArguments, HELP, parseArguments, SIDES } from './arguments.ts';
import { type BenchImage, buildImage } from './image.ts';
import { type Pass, runPass } from './pass.ts';
import { meanOf, type Passes, type RowReport, reportRow, table } from './report.ts';
import { BOOT, BOOT_V86_SECONDS, BOOT_WHAT } from './rows.ts';
import type { Side, SideName } from './session.ts';
import { chromium } from './sides/chromium.ts';
import { node } from './sides/node.ts';
import { qemu7, qemu10 } from './sides/qemu.ts';

const MEGABYTES = 512;
const ROW_TIMEOUT_MS = 600_000;
const QUICK_ROW_TIMEOUT_MS = 120_000;
const BOOT_TIMEOUT_MS = 180_000;
/** Other work on the machine, as load of the last minute, from which figures are doubtful. */
const BUSY_LOAD = 0.7;
/** Seconds by which two clocks may differ for reasons that are known: how often consoles are read. */
const CLOCK_TOLERANCE_S = 0.7;

type Unavailable = Partial<Record<SideName, string>>;

const makers: Record<SideName, (image: BenchImage) => Promise<Side>> = {
  qemu10: (image) => qemu10(image, MEGABYTES),
  qemu7: (image) => qemu7(image, MEGABYTES),
  node: (image) => node('node', image, MEGABYTES),
  chromium: (image) => chromium(image, MEGABYTES),
  interpreter: (image) => node('interpreter', image, MEGABYTES),
};

async function main(): Promise<number> {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const load = loadavg()[0] ?? 0;
  await ensureParts();
  await ensureSite();
  const image = buildImage();
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
    passes = await runRounds(sides, args);
  } finally {
    for (const side of sides) await side.close?.();
  }
  return report(args, sides, passes, unavailable, load);
}

async function runRounds(sides: readonly Side[], args: BenchArguments): Promise<Passes> {
  const passes: Partial<Record<SideName, Pass[]>> = {};
  for (let round = 1; round <= args.rounds; round++) {
    for (const side of sides) {
      // The slowest by far, and nobody waits for it: one round says enough.
      if (side.name === 'interpreter' && round > 1) continue;
      console.error(`Round ${round} of ${args.rounds}: ${side.title} …`);
      const pass = await runPass(side, args.rows, {
        quick: args.quick,
        rowTimeoutMs: args.quick ? QUICK_ROW_TIMEOUT_MS : ROW_TIMEOUT_MS,
        bootTimeoutMs: BOOT_TIMEOUT_MS,
      });
      const list = passes[side.name] ?? [];
      list.push(pass);
      passes[side.name] = list;
    }
  }
  return passes;
}

function report(
  args: BenchArguments,
  sides: readonly Side[],
  passes: Passes,
  unavailable: Unavailable,
  load: number,
): number {
  const boot = { name: BOOT, what: BOOT_WHAT, repetitions: 1, v86Seconds: BOOT_V86_SECONDS };
  const infos = [
    ...(args.boot ? [boot] : []),
    ...args.rows.map((row) =>
      args.quick ? { ...row, repetitions: 1, v86Seconds: undefined } : row,
    ),
  ];
  const rows = infos.map((info) => reportRow(info, passes, unavailable));
  const [cpu] = cpus();
  const machine = {
    cpu: `${cpu?.model ?? 'unknown'} × ${cpus().length}`,
    memory_bytes: totalmem(),
    os: `${type()} ${release()} ${arch()}`,
    sides: Object.fromEntries(sides.map(({ name, title }) => [name, title])),
    guest_bytes: MEGABYTES << 20,
    load_before: load,
    rounds: args.rounds,
    quick: args.quick,
    date: new Date().toISOString(),
  };
  const missing = new Set(SIDES.filter((name) => name in unavailable));
  console.log(`${machine.cpu}, ${machine.os}`);
  for (const { name, title } of sides) console.log(`${name}: ${title}`);
  console.log(`\nSeconds of one unit; × is QEMU's time (the better one) over ours.\n`);
  console.log(table(rows, missing));
  for (const warning of warnings(rows, args, unavailable, load)) console.log(`\n${warning}`);
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
  load: number,
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
  if (args.quick) lines.push('Quick: the amounts are too small for the figures to mean anything.');
  else if (load > BUSY_LOAD) {
    lines.push(`The machine had other work (load ${load.toFixed(1)}): these figures are doubtful.`);
  }
  return lines;
}

try {
  process.exitCode = await main();
} catch (error) {
  const plain = error instanceof UserError || error instanceof Plain;
  console.error(plain ? messageOf(error) : error);
  process.exitCode = 2;
}
