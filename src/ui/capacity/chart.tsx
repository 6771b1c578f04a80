/**
 * Lines over time, drawn by uPlot. All charts of a view share their time axis and the pointer: its
 * values stand in each one's legend. For who cannot see a canvas the same figures are in a table,
 * which is the view's to show.
 */
import { useEffect, useRef, useSyncExternalStore } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since 1970, one for each value. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** The axis goes at least this far up. */
  readonly top?: number | undefined;
  /** Of bytes: the axis is divided by powers of two. */
  readonly binary?: boolean | undefined;
}

const HEIGHT = 150;
/** Lines are told apart without colours, too. */
const DASHES: readonly number[][] = [[], [6, 3], [2, 3], [10, 3, 2, 3]];
const POINTER = 'tabvisor';
const POWERS_OF_TWO = Array.from({ length: 42 }, (_, power) => 2 ** power);

export function Chart({ title, times, lines, format, top, binary = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  const formatter = useRef(format);
  formatter.current = format;
  const colours = useColours();
  const labels = lines.map(({ label }) => label).join('\n');

  data.current = [[...times], ...lines.map(({ values }) => [...values])];

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(
      optionsFor({
        width: element.clientWidth,
        labels: labels.split('\n'),
        colours: readColours(element),
        format: (value) => formatter.current(value),
        top,
        binary,
      }),
      data.current,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [labels, top, colours, binary]);

  useEffect(() => {
    const shown = plot.current;
    if (shown === undefined) return;
    shown.setData(data.current);
    // Without a pointer the legend has the latest figures.
    if (shown.cursor.idx == null) shown.setLegend({ idx: latest(data.current) });
  });

  return (
    <figure className="chart" aria-label={title}>
      <figcaption>{title}</figcaption>
      {/* What it shows is in the view's table. */}
      <div ref={box} className="chart-canvas" aria-hidden="true" />
    </figure>
  );
}

interface Colours {
  readonly lines: readonly string[];
  readonly text: string;
  readonly grid: string;
  readonly font: string;
}

function readColours(element: Element): Colours {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(name).trim();
  return {
    lines: ['--line-1', '--line-2', '--line-3', '--line-4'].map(token),
    text: token('--muted'),
    grid: token('--border'),
    font: `11px ${token('--font')}`,
  };
}

function optionsFor(wanted: {
  width: number;
  labels: readonly string[];
  colours: Colours;
  format: (value: number) => string;
  top: number | undefined;
  binary: boolean;
}): uPlot.Options {
  const { colours, format, labels, top } = wanted;
  const axis: uPlot.Axis = {
    stroke: colours.text,
    font: colours.font,
    grid: { stroke: colours.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width: wanted.width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: {
      sync: { key: POINTER },
      points: { size: 6 },
      drag: { x: false, y: false },
    },
    legend: { live: true },
    scales: {
      y: { range: (_, __, highest) => [0, rounded(Math.max(top ?? 0, highest ?? 0))] },
    },
    axes: [
      { ...axis, space: 70, size: 28, values: (_, splits) => splits.map(clockTime) },
      {
        ...axis,
        ...(wanted.binary ? { incrs: POWERS_OF_TWO } : {}),
        size: 62,
        space: 32,
        values: (_, splits) => splits.map(format),
      },
    ],
    series: [
      { label: 'Time', value: (_, time) => (time === null ? '–' : clockTime(time)) },
      ...labels.map((label, index): uPlot.Series => {
        const stroke = colours.lines[index % colours.lines.length] ?? colours.text;
        return {
          label,
          stroke,
          width: 1.5,
          dash: DASHES[index % DASHES.length] ?? [],
          ...(index === 0 ? { fill: `${stroke}1f` } : {}),
          points: { show: false },
          value: (_, value) => (value === null ? '–' : format(value)),
        };
      }),
    ],
  };
}

/** The last slot in which something was measured; the present one has only begun. */
function latest([, ...lines]: uPlot.AlignedData): number {
  return Math.max(0, ...lines.map((line) => line.findLastIndex((value) => value != null)));
}

/** A little above what is there, so that a line never lies on the edge. */
function rounded(highest: number): number {
  return highest <= 0 ? 1 : highest * 1.05;
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
}

/** Changes with the theme, whoever changes it: the person in the page, or the system. */
function useColours(): string {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia('(prefers-color-scheme: dark)');
      const observer = new MutationObserver(changed);
      media.addEventListener('change', changed);
      observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
      return () => {
        media.removeEventListener('change', changed);
        observer.disconnect();
      };
    },
    () =>
      `${document.documentElement.dataset.theme ?? 'system'} ` +
      `${matchMedia('(prefers-color-scheme: dark)').matches}`,
  );
}
