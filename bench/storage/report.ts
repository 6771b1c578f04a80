/** From the figures of storage to tables. A figure that is missing is a dash, or `failed`. */
import { aligned, median, type RowReport } from '../report.ts';
import type { CountedRow } from './rows.ts';
import type { SnapshotFigures } from './snapshots.ts';
import type { StartFigures } from './start.ts';

const SIDES = [
  { title: 'QEMU 10', key: 'qemu10_s', side: 'qemu10' },
  { title: 'Node', key: 'node_s', side: 'node' },
  { title: 'Chromium', key: 'chromium_s', side: 'chromium' },
] as const;

/** Seconds, or, of rows that count what they do, how much of it in a second. */
export function rowTable(
  rows: readonly RowReport[],
  counted: readonly CountedRow[] = [],
  quick = false,
): string {
  const counting = (row: RowReport) => counted.find(({ name }) => name === row.name);
  const cell = (row: RowReport, seconds: number | null, failed: boolean) => {
    if (seconds === null) return failed ? 'failed' : '–';
    const amounts = counting(row);
    if (!amounts) return seconds.toFixed(3);
    return ((quick ? amounts.quick : amounts.full) / seconds).toFixed(0);
  };
  const unit = (row: RowReport) => {
    const what = counting(row)?.counted;
    return what === undefined ? 's' : `${what}/s`;
  };
  const ratio = (value: number | null) => value?.toFixed(2) ?? '–';
  return aligned([
    ['row', ...SIDES.map(({ title }) => title), '', 'Node ×', 'Chromium ×'],
    ...rows.map((row) => [
      row.name,
      ...SIDES.map(({ key, side }) => cell(row, row[key], side in row.failures)),
      unit(row),
      ratio(row.node_ratio),
      ratio(row.chromium_ratio),
    ]),
  ]);
}

/** One line of a table, of which there were several rounds; `failure` says why there were none. */
export interface Measurement<T> {
  readonly name: string;
  readonly place: 'node' | 'chromium';
  readonly figures: T | undefined;
  readonly failure?: string;
}

/** The median of each figure. */
export function medians<K extends string>(
  rounds: readonly Record<K, number>[],
  keys: readonly K[],
): Record<K, number> | undefined {
  const pairs = keys.map((key) => [key, median(rounds.map((round) => round[key]))] as const);
  const whole: Partial<Record<K, number>> = {};
  for (const [key, value] of pairs) {
    if (value === null) return undefined;
    whole[key] = value;
  }
  return isWhole(whole, keys) ? whole : undefined;
}

function isWhole<K extends string>(
  figures: Partial<Record<K, number>>,
  keys: readonly K[],
): figures is Record<K, number> {
  return keys.every((key) => figures[key] !== undefined);
}

const MB = 1e6;

export function snapshotTable(all: readonly Measurement<SnapshotFigures>[]): string {
  const head = ['memory', 'in', 'pause, ms', 'whole, ms', 'MB'];
  const next = ['next pause', 'whole', 'MB', 'restore, ms', 'answer, ms'];
  const line = ({ name, place, figures: one }: Measurement<SnapshotFigures>) =>
    one === undefined
      ? [name, place, ...[...head, ...next].slice(2).map(() => 'failed')]
      : [
          ...[name, place, one.pause.toFixed(1), one.whole.toFixed(0), (one.bytes / MB).toFixed(1)],
          ...[one.nextPause.toFixed(1), one.nextWhole.toFixed(0), (one.nextBytes / MB).toFixed(1)],
          ...[one.restore.toFixed(0), one.answer.toFixed(0)],
        ];
  return aligned([[...head, ...next], ...all.map(line)]);
}

export function startTable(all: readonly Measurement<StartFigures>[]): string {
  return aligned([
    ['template', 'first visit, s', 'next visit, s'],
    ...all.map(({ name, figures: one }) => [
      name,
      one?.cold.toFixed(2) ?? 'failed',
      one?.warm.toFixed(2) ?? 'failed',
    ]),
  ]);
}
