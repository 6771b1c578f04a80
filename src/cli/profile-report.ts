/**
 * Samples of a guest as rows: of a function, or of an address each; sorted, with what is not shown
 * in a last row, so that shares add up to all. As a table for people and as JSON.
 */
import type { Mode, Sample } from './profiler.ts';
import type { SymbolTable } from './symbols.ts';

export type Grouping = 'function' | 'address';

export interface ProfileRow {
  /** Of all instructions, and of the time: 0 to 1. */
  readonly share: number;
  readonly time: number;
  readonly instructions: number;
  /** Share of its instructions that translated code ran. */
  readonly translated: number;
  readonly mode: Mode;
  /** The address at which most samples are, in hexadecimal. */
  readonly address: string;
  /** What the address is in, and how far from its start; null where no symbol is known. */
  readonly symbol: string | null;
  readonly offset: number | null;
}

export interface ProfileReport {
  readonly samples: number;
  readonly instructions: number;
  readonly rows: readonly ProfileRow[];
  /** What the rows leave out. */
  readonly others: Pick<ProfileRow, 'share' | 'time' | 'instructions' | 'translated'>;
}

export interface ReportOptions {
  readonly top: number;
  readonly by: Grouping;
  /** Symbols of a mode. */
  readonly symbols: (mode: Mode) => SymbolTable | undefined;
  readonly instructions: number;
}

/** Bytes that are one row where no symbol says what belongs together. */
const PIECE = 256n;

interface Group {
  readonly mode: Mode;
  readonly samples: Sample[];
}

export function reportOf(
  samples: readonly Sample[],
  { top, by, symbols, instructions }: ReportOptions,
): ProfileReport {
  const groups = new Map<string, Group>();
  for (const sample of samples) {
    const { mode, address } = sample;
    const start =
      by === 'address' ? address : (symbols(mode)?.at(address)?.address ?? address / PIECE);
    const key = `${mode} ${start}`;
    const group = groups.get(key) ?? { mode, samples: [] };
    groups.set(key, group);
    group.samples.push(sample);
  }
  const all = total(samples);
  const figures = (list: readonly Sample[]) => {
    const { count, ms, ran, translated } = total(list);
    const share = all.count === 0 ? 0 : count / all.count;
    return {
      share,
      time: all.ms === 0 ? 0 : ms / all.ms,
      instructions: Math.round(share * instructions),
      translated: ran === 0 ? 0 : Math.min(1, translated / ran),
    };
  };
  const sorted = [...groups.values()].sort(
    (a, b) => total(b.samples).count - total(a.samples).count,
  );
  const rows = sorted.slice(0, top).map(({ mode, samples: list }) => {
    const { address } = list.reduce((a, b) => (b.count > a.count ? b : a));
    const symbol = symbols(mode)?.at(address);
    return {
      ...figures(list),
      mode,
      address: address.toString(16),
      symbol: symbol?.name ?? null,
      offset: symbol ? Number(address - symbol.address) : null,
    };
  });
  const others = figures(sorted.slice(top).flatMap(({ samples: list }) => list));
  return { samples: all.count, instructions, rows, others };
}

function total(samples: readonly Sample[]) {
  const sum = { count: 0, ms: 0, ran: 0, translated: 0 };
  for (const { count, ms, ran, translated } of samples) {
    sum.count += count;
    sum.ms += ms;
    sum.ran += ran;
    sum.translated += translated;
  }
  return sum;
}

const HEADINGS = ['share', 'time', 'tier', 'address', 'symbol', 'instructions'] as const;
const LEFT: ReadonlySet<string> = new Set(['tier', 'symbol']);

export function tableOf({ samples, instructions, rows, others }: ProfileReport): string {
  const lines = rows.map((row) => [
    ...figureTexts(row),
    row.address,
    row.symbol === null ? row.mode : `${row.symbol}+0x${(row.offset ?? 0).toString(16)}`,
    count(row.instructions),
  ]);
  if (others.share > 0) {
    lines.push([...figureTexts(others), '', '(others)', count(others.instructions)]);
  }
  const table = [[...HEADINGS], ...lines];
  const widths = HEADINGS.map((_, i) => Math.max(...table.map((line) => line[i]?.length ?? 0)));
  const text = table.map((line) =>
    line
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return LEFT.has(HEADINGS[i] ?? '') ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
  return `${[...text, '', `${samples} samples of ${count(instructions)} instructions`].join('\n')}\n`;
}

function figureTexts({ share, time, translated }: ProfileReport['others']): string[] {
  const percent = (part: number) => `${(100 * part).toFixed(2)} %`;
  return [percent(share), percent(time), tierOf(translated)];
}

/** Mixtures of less than a tenth are not worth a word. */
function tierOf(translated: number): string {
  if (translated >= 0.9) return 'translated';
  return translated <= 0.1 ? 'interpreted' : 'both';
}

function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
}
