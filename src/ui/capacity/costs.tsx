/** What each machine costs, those that are gone included. */
import { Button } from 'react-aria-components/Button';
import { toCsv } from '../../resources/csv.ts';
import { Icon } from '../parts/icon.tsx';
import { download } from './download.ts';
import { telemetry } from './service.ts';
import { ScrollingTable } from './table.tsx';
import { compact, formatSize, formatSpan } from './units.ts';

export function Costs() {
  const { bills } = telemetry.costs;
  return (
    <section className="panel" aria-labelledby="host-costs">
      <div className="panel-head">
        <h2 id="host-costs">What each machine costs</h2>
        <Button
          className="button"
          isDisabled={bills.length === 0}
          onPress={() => download('costs.csv', 'text/csv', costsCsv())}
        >
          <Icon name="download" /> CSV by the hour
        </Button>
      </div>
      {bills.length === 0 ? (
        <p className="muted">Nothing yet: what machines use is added up here while they run.</p>
      ) : (
        <ScrollingTable label="Costs" className="numbers">
          <thead>
            <tr>
              <th scope="col">Machine</th>
              <th scope="col">On</th>
              <th scope="col">Work done</th>
              <th scope="col">Host CPU</th>
              <th scope="col">Memory × time</th>
              <th scope="col">Storage × time</th>
            </tr>
          </thead>
          <tbody>
            {bills.toReversed().map(({ vm, name, deleted, total }) => (
              <tr key={vm}>
                <th scope="row">
                  {name}
                  {deleted && <span className="muted"> (deleted)</span>}
                </th>
                <td>{formatSpan(total.on_s)}</td>
                <td>{compact(total.instructions)} instructions</td>
                <td>{total.cpu_s.toFixed(1)} s</td>
                <td>{byteHours(total.memory_byte_hours)}</td>
                <td>{byteHours(total.storage_byte_hours)}</td>
              </tr>
            ))}
          </tbody>
        </ScrollingTable>
      )}
    </section>
  );
}

function byteHours(amount: number): string {
  return amount < 1 ? '–' : `${formatSize(amount)} × h`;
}

function costsCsv(): string {
  return toCsv(
    [
      'machine',
      'hour',
      'instructions',
      'cpu seconds',
      'memory byte-hours',
      'storage byte-hours',
      'seconds on',
    ],
    telemetry.costs.bills.flatMap(({ name, hours }) =>
      hours.map(({ hour, cost }) => [
        name,
        new Date(hour * 3600_000).toISOString(),
        Math.round(cost.instructions),
        cost.cpu_s,
        Math.round(cost.memory_byte_hours),
        Math.round(cost.storage_byte_hours),
        cost.on_s,
      ]),
    ),
  );
}
