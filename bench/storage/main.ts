/**
 * `npm run bench -- storage`: disks, work on them, snapshots and starts (bench/README.md). The sides
 * take turns within each row, so all figures of a row are of one run. Guarantees that what was asked
 * for is in the output, with the reason where it failed; the exit code is then 1.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/machine/errors.ts';
import { ensureParts, ensureSite } from '../../tools/lib/setup.mjs';
import { describeHost, doubt } from '../host.ts';
import { buildImage, isMade, MEGABYTES, ROOT } from '../image.ts';
import { type RowReport, reportRow } from '../report.ts';
import { runnable, runRounds } from '../rounds.ts';
import type { Row } from '../rows.ts';
import type { Side, SideName } from '../session.ts';
import { node } from '../sides/node.ts';
import { qemu10 } from '../sides/qemu.ts';
import { HELP, parseStorageArguments, type StorageArguments } from './arguments.ts';
import { keptChromium, type Site, serveSite } from './browser.ts';
import { type Measurement, medians, rowTable, snapshotTable, startTable } from './report.ts';
import { DISK_ROWS, WORK_ROWS } from './rows.ts';
import { inChromium, inNode, MEMORIES, type SnapshotFigures } from './snapshots.ts';
import { type StartFigures, startIn } from './start.ts';

const SNAPSHOT_KEYS = [
  ...(['pause', 'whole', 'bytes', 'nextPause', 'nextWhole', 'nextBytes'] as const),
  ...(['restore', 'answer'] as const),
] as const;

export async function storageBench(words: readonly string[]): Promise<number> {
  const args = parseStorageArguments(words);
  if (args.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const host = describeHost();
  await ensureParts();
  await ensureSite();
  const has = (part: StorageArguments['parts'][number]) => args.parts.includes(part);
  const wanted = [...(has('disk') ? DISK_ROWS : []), ...(has('work') ? WORK_ROWS : [])];
  const rows = await measureRows(wanted, args);
  const site = await serveSite(join(ROOT, 'dist'));
  const snapshots = has('snapshots') ? await measureSnapshots(site, args) : [];
  const starts = has('start') ? await measureStarts(site, args) : [];
  site.close();

  console.log(`${host.cpu}, ${host.os}, medians of ${args.rounds}`);
  const ofWork = rows.filter(({ name }) => WORK_ROWS.some((row) => row.name === name));
  const ofDisk = rows.filter((row) => !ofWork.includes(row));
  if (ofDisk.length > 0) console.log(`\nDisk\n\n${rowTable(ofDisk, DISK_ROWS, args.quick)}`);
  if (ofWork.length > 0) console.log(`\nWork in debian, seconds\n\n${rowTable(ofWork)}`);
  if (has('snapshots')) console.log(`\nSnapshots\n\n${snapshotTable(snapshots)}`);
  if (has('start')) console.log(`\nFrom the address to the prompt\n\n${startTable(starts)}`);
  const failures = [
    ...rows.flatMap(({ name, failures }) =>
      Object.entries(failures)
        .filter(([side]) => side !== 'qemu7' && side !== 'interpreter')
        .map(([side, reason]) => `FAILED ${name} on ${side}: ${reason}`),
    ),
    ...[...snapshots, ...starts].flatMap(({ name, place, failure }) =>
      failure === undefined ? [] : [`FAILED ${name} in ${place}: ${failure}`],
    ),
  ];
  for (const failure of failures) console.log(`\n${failure}`);
  const doubtful = doubt(host, args.quick);
  if (doubtful !== undefined) console.log(`\n${doubtful}`);
  if (args.json !== undefined) {
    const machine = { ...host, rounds: args.rounds, quick: args.quick, date: new Date() };
    const amounts = Object.fromEntries(
      DISK_ROWS.map(({ name, full, quick, counted }) => [
        name,
        { of: counted, in_a_unit: args.quick ? quick : full },
      ]),
    );
    const text = JSON.stringify({ machine, amounts, rows, snapshots, starts }, null, 2);
    writeFileSync(args.json, `${text}\n`);
  }
  return failures.length > 0 ? 1 : 0;
}

async function measureRows(wanted: readonly Row[], args: StorageArguments): Promise<RowReport[]> {
  const { rows, guests } = runnable(wanted);
  if (rows.length === 0) return [];
  const image = buildImage(guests, rows);
  const unavailable: Partial<Record<SideName, string>> = {};
  const sides: Side[] = [];
  const makers = {
    qemu10: () => qemu10(image, MEGABYTES),
    node: () => node('node', MEGABYTES, { kept: true }),
    chromium: () => keptChromium(image, MEGABYTES),
  };
  for (const name of ['qemu10', 'node', 'chromium'] as const) {
    try {
      sides.push(await makers[name]());
    } catch (error) {
      unavailable[name] = messageOf(error);
    }
  }
  try {
    const passes = await runRounds(sides, image, rows, args);
    return rows.map((row) =>
      reportRow({ ...row, repetitions: args.quick ? 1 : row.repetitions }, passes, unavailable),
    );
  } finally {
    for (const side of sides) await side.close?.();
  }
}

async function measureSnapshots(
  site: Site,
  { rounds, quick }: StorageArguments,
): Promise<Measurement<SnapshotFigures>[]> {
  const all: Measurement<SnapshotFigures>[] = [];
  for (const megabytes of MEMORIES) {
    const places = {
      node: () => inNode(megabytes, quick),
      chromium: () => inChromium(site, megabytes, quick),
    };
    const measured = await byTurns(`${megabytes} MB`, places, rounds);
    for (const { place, figures, failure } of measured) {
      const whole = medians(figures, SNAPSHOT_KEYS);
      all.push({ name: `${megabytes} MB`, place, figures: whole, ...(failure && { failure }) });
    }
  }
  return all;
}

async function measureStarts(
  site: Site,
  { rounds }: StorageArguments,
): Promise<Measurement<StartFigures>[]> {
  const all: Measurement<StartFigures>[] = [];
  for (const name of (['micro', 'debian'] as const).filter(isMade)) {
    const measured = await byTurns(name, { chromium: () => startIn(site, name) }, rounds);
    for (const { place, figures, failure } of measured) {
      const whole = medians(figures, ['cold', 'warm']);
      all.push({ name, place, figures: whole, ...(failure && { failure }) });
    }
  }
  return all;
}

/** Each of these in turn, so many times; the first failure ends a place's turns. */
async function byTurns<T>(
  what: string,
  places: Partial<Record<Measurement<T>['place'], () => Promise<T>>>,
  rounds: number,
) {
  const results = (['node', 'chromium'] as const).flatMap((place) => {
    const measure = places[place];
    return measure ? [{ place, measure, figures: [] as T[], failure: '' }] : [];
  });
  for (let round = 1; round <= rounds; round++) {
    for (const result of results) {
      if (result.failure !== '') continue;
      console.error(`Round ${round} of ${rounds}: ${what}, ${result.place} …`);
      try {
        result.figures.push(await result.measure());
      } catch (error) {
        result.failure = messageOf(error);
        result.figures = [];
      }
    }
  }
  return results;
}
