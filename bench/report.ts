/**
 * From passes to figures: medians, the better QEMU, ratios, the geometric mean; as data for --json
 * and as a table. A figure that is missing is null and has its reason in `failures`.
 */
import type { Failed, Measured, Pass } from './pass.ts';
import type { SideName } from './session.ts';

export interface RowInfo {
  readonly name: string;
  readonly what: string;
  readonly repetitions: number;
  readonly v86Seconds?: number;
}

export interface RowReport {
  readonly name: string;
  readonly what: string;
  /** Seconds are those of one unit; this many were measured at a time. */
  readonly repetitions: number;
  /** The better one. */
  readonly qemu_s: number | null;
  readonly qemu7_s: number | null;
  readonly qemu10_s: number | null;
  readonly node_s: number | null;
  readonly chromium_s: number | null;
  readonly interpreter_s: number | null;
  /** Of one unit. */
  readonly instructions: number | null;
  /** QEMU's time over ours. */
  readonly node_ratio: number | null;
  readonly chromium_ratio: number | null;
  /** v86's time, as published with the issue, over ours in Chromium. */
  readonly v86_ratio: number | null;
  /** Seconds by which the host's clock and the guest's differed at most, on our sides. */
  readonly clock_error_s: number | null;
  readonly failures: Partial<Record<SideName, string>>;
}

export type Passes = Partial<Record<SideName, readonly Pass[]>>;

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export function geometricMean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** `unavailable`: why a side has no passes. */
export function reportRow(
  row: RowInfo,
  passes: Passes,
  unavailable: Partial<Record<SideName, string>>,
): RowReport {
  const failures: Partial<Record<SideName, string>> = { ...unavailable };
  const results = (side: SideName) => (passes[side] ?? []).map((pass) => resultOf(pass, row.name));
  const expected = [...results('qemu10'), ...results('qemu7')].find(isMeasured)?.digest;
  const seconds = (side: SideName): number | null => {
    const all = results(side);
    const failed = all.find((one): one is Failed => !isMeasured(one));
    const strange = all.find(
      (one) => isMeasured(one) && expected !== undefined && one.digest !== expected,
    );
    if (failed) failures[side] = failed.failure;
    else if (strange) failures[side] = 'The output differs from that on QEMU.';
    if (failed || strange) return null;
    return median(all.filter(isMeasured).map((one) => one.seconds));
  };
  const qemu10 = seconds('qemu10');
  const qemu7 = seconds('qemu7');
  const both = [qemu10, qemu7].filter((value) => value !== null);
  const qemu = both.length > 0 ? Math.min(...both) : null;
  const node = seconds('node');
  const chromium = seconds('chromium');
  const interpreter = seconds('interpreter');
  const counts = [...results('node'), ...results('interpreter')]
    .filter(isMeasured)
    .flatMap(({ instructions }) => instructions ?? []);
  const errors = (['node', 'chromium', 'interpreter'] as const)
    .flatMap(results)
    .filter(isMeasured)
    .map(({ clockError }) => Math.abs(clockError));
  const { v86Seconds } = row;
  return {
    name: row.name,
    what: row.what,
    repetitions: row.repetitions,
    qemu_s: qemu,
    qemu7_s: qemu7,
    qemu10_s: qemu10,
    node_s: node,
    chromium_s: chromium,
    interpreter_s: interpreter,
    instructions: median(counts),
    node_ratio: ratio(qemu, node),
    chromium_ratio: ratio(qemu, chromium),
    v86_ratio: ratio(v86Seconds ?? null, chromium),
    clock_error_s: errors.length > 0 ? Math.max(...errors) : null,
    failures,
  };
}

function resultOf(pass: Pass, name: string): Measured | Failed {
  if (name !== 'boot') return pass.rows.get(name) ?? { failure: 'The row was not run.' };
  if (typeof pass.boot !== 'number') return pass.boot;
  return { seconds: pass.boot, digest: '', clockError: 0 };
}

function isMeasured(result: Measured | Failed): result is Measured {
  return !('failure' in result);
}

function ratio(theirs: number | null, ours: number | null): number | null {
  return theirs === null || ours === null ? null : theirs / ours;
}

type RatioKey = 'node_ratio' | 'chromium_ratio' | 'v86_ratio';
type SecondsKey = 'qemu10_s' | 'qemu7_s' | 'node_s' | 'chromium_s' | 'interpreter_s';

interface Column {
  readonly title: string;
  readonly key: RatioKey | SecondsKey;
  /** Whose failure shows in the column. */
  readonly side?: SideName;
}

const COLUMNS: readonly Column[] = [
  { title: 'QEMU 10', key: 'qemu10_s', side: 'qemu10' },
  { title: 'QEMU 7.2', key: 'qemu7_s', side: 'qemu7' },
  { title: 'Node', key: 'node_s', side: 'node' },
  { title: 'Chromium', key: 'chromium_s', side: 'chromium' },
  { title: 'interpr.', key: 'interpreter_s', side: 'interpreter' },
  { title: 'Node ×', key: 'node_ratio' },
  { title: 'Chromium ×', key: 'chromium_ratio' },
  { title: 'v86 ×', key: 'v86_ratio' },
];
const SECONDS_DIGITS = 3;
const RATIO_DIGITS = 2;

/** `missing`: sides that were not asked for or are not there, whose cells stay empty. */
export function table(rows: readonly RowReport[], missing: ReadonlySet<SideName>): string {
  const cell = (row: RowReport, { key, side }: Column) => {
    const value = row[key];
    if (value !== null) return value.toFixed(side ? SECONDS_DIGITS : RATIO_DIGITS);
    return side !== undefined && !missing.has(side) && side in row.failures ? 'failed' : '–';
  };
  const mean = ({ key }: Column) => {
    const value = isRatio(key) ? meanOf(rows, key) : null;
    return value === null ? '' : value.toFixed(RATIO_DIGITS);
  };
  const lines = [
    ['row', ...COLUMNS.map(({ title }) => title)],
    ...rows.map((row) => [row.name, ...COLUMNS.map((column) => cell(row, column))]),
    ['geometric mean', ...COLUMNS.map(mean)],
  ];
  return aligned(lines);
}

/** Lines of cells as a table for a terminal: the first column begins at the left, the others end at the right. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, i) =>
    Math.max(...lines.map((line) => line[i]?.length ?? 0)),
  );
  const pad = (text: string, i: number) =>
    i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0);
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

function isRatio(key: Column['key']): key is RatioKey {
  return key.endsWith('_ratio');
}

/** Geometric mean of a ratio over the rows that have it. */
export function meanOf(rows: readonly RowReport[], key: RatioKey): number | null {
  return geometricMean(rows.flatMap((row) => row[key] ?? []));
}
