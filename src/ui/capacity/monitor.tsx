/** The series of one VM or of the host: charts on one time axis, the same as a table, and as files. */
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { ToggleButton } from 'react-aria-components/ToggleButton';
import { ToggleButtonGroup } from 'react-aria-components/ToggleButtonGroup';
import {
  GROUPS,
  METRIC_NAMES,
  METRICS,
  type Metric,
  type MetricUnit,
} from '../../hypervisor/metrics.ts';
import { toCsv } from '../../resources/csv.ts';
import { OPEN_METRICS_TYPE } from '../../resources/openmetrics.ts';
import { axisOf, type Series, type Window, windowUntil } from '../../resources/series.ts';
import { Icon } from '../parts/icon.tsx';
import { Chart } from './chart.tsx';
import { download } from './download.ts';
import { useSecond } from './hooks.ts';
import { now } from './service.ts';
import { ScrollingTable } from './table.tsx';
import { formatTime, formatValue } from './units.ts';

const MINUTE_MS = 60_000;
const SPANS = [
  { id: '2m', title: '2 min', ms: 2 * MINUTE_MS },
  { id: '10m', title: '10 min', ms: 10 * MINUTE_MS },
  { id: '1h', title: '1 h', ms: 60 * MINUTE_MS },
  { id: '24h', title: '24 h', ms: 24 * 60 * MINUTE_MS },
] as const;
/** Rows of the table: the latest slots. */
const ROWS = 30;

interface Shown {
  readonly metric: Metric;
  readonly values: readonly (number | null)[];
}

export function Monitor(props: {
  /** Whose: for the names of files. */
  name: string;
  series: Series<Metric> | undefined;
  /** Processors: the CPU chart goes that far up. */
  cores: number;
  /** More exports than CSV. */
  openMetrics: () => string;
}) {
  useSecond();
  const { series, name } = props;
  const [spanId, setSpan] = useState<(typeof SPANS)[number]['id']>('2m');
  const span = SPANS.find(({ id }) => id === spanId) ?? SPANS[0];
  const window = windowUntil(now(), span.ms);
  const shown = read(series, window);
  const times = axisOf(window);
  const file = name.replace(/[^\w.-]+/g, '-');
  return (
    <div className="monitor">
      <div className="view-bar">
        <ToggleButtonGroup
          className="segments"
          aria-label="Span of time"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[spanId]}
          onSelectionChange={(keys) => {
            const chosen = SPANS.find(({ id }) => keys.has(id));
            if (chosen !== undefined) setSpan(chosen.id);
          }}
        >
          {SPANS.map(({ id, title }) => (
            <ToggleButton key={id} id={id} className="segment">
              {title}
            </ToggleButton>
          ))}
        </ToggleButtonGroup>
        <span className="spacer" />
        <Button
          className="button"
          isDisabled={shown.length === 0}
          onPress={() => download(`${file}.csv`, 'text/csv', csvOf(times, shown))}
        >
          <Icon name="download" /> CSV
        </Button>
        <Button
          className="button"
          onPress={() =>
            download(`${file}.openmetrics.txt`, OPEN_METRICS_TYPE, props.openMetrics())
          }
        >
          <Icon name="download" /> OpenMetrics
        </Button>
      </div>
      {shown.length === 0 ? (
        <p className="view-empty">
          Nothing has been measured in this time. Figures come once a second while a machine runs.
        </p>
      ) : (
        <>
          <div className="charts">
            {GROUPS.map(({ id, title }) => {
              const lines = shown.filter(({ metric }) => METRICS[metric].group === id);
              const [first] = lines;
              if (first === undefined) return null;
              const { unit } = METRICS[first.metric];
              return (
                <Chart
                  key={id}
                  title={title}
                  times={times}
                  lines={lines.map(({ metric, values }) => ({
                    label: METRICS[metric].title,
                    values,
                  }))}
                  format={formatterOf(unit)}
                  top={id === 'cpu' ? props.cores : undefined}
                  binary={unit.startsWith('bytes')}
                />
              );
            })}
          </div>
          <FiguresTable times={times} shown={shown} />
        </>
      )}
    </div>
  );
}

/** The metrics that have anything in the window, in the order of the list. */
function read(series: Series<Metric> | undefined, window: Window): Shown[] {
  if (series === undefined) return [];
  return METRIC_NAMES.map((metric) => ({ metric, values: series.read(metric, window) })).filter(
    ({ values }) => values.some((value) => value !== null),
  );
}

const FORMATTERS = new Map<MetricUnit, (value: number) => string>();

/** The same function for the same unit: charts are not made anew for it. */
function formatterOf(unit: MetricUnit): (value: number) => string {
  let formatter = FORMATTERS.get(unit);
  if (formatter === undefined) {
    formatter = (value) => formatValue(value, unit);
    FORMATTERS.set(unit, formatter);
  }
  return formatter;
}

function FiguresTable({ times, shown }: { times: readonly number[]; shown: readonly Shown[] }) {
  const [open, setOpen] = useState(false);
  const rows = times
    .map((time, index) => ({ time, index }))
    .slice(-ROWS)
    .reverse();
  return (
    <details
      className="figures-table"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>The last figures as a table</summary>
      {open && (
        <ScrollingTable label="Figures">
          <thead>
            <tr>
              <th scope="col">Time</th>
              {shown.map(({ metric }) => (
                <th scope="col" key={metric}>
                  {groupTitle(metric)}: {METRICS[metric].title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ time, index }) => (
              <tr key={time}>
                <th scope="row">{formatTime(time * 1000)}</th>
                {shown.map(({ metric, values }) => {
                  const value = values[index];
                  return (
                    <td key={metric}>
                      {value === null || value === undefined
                        ? '–'
                        : formatValue(value, METRICS[metric].unit)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </ScrollingTable>
      )}
    </details>
  );
}

function groupTitle(metric: Metric): string {
  return GROUPS.find(({ id }) => id === METRICS[metric].group)?.title ?? '';
}

function csvOf(times: readonly number[], shown: readonly Shown[]): string {
  return toCsv(
    ['time', ...shown.map(({ metric }) => `${metric} (${METRICS[metric].unit})`)],
    times.map((time, index) => [
      new Date(time * 1000).toISOString(),
      ...shown.map(({ values }) => values[index]),
    ]),
  );
}
