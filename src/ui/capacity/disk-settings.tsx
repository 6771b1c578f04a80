/** The limits of disks, all of a VM together or one alone, beside what they do. */
import { Button } from 'react-aria-components/Button';
import {
  DISK_BANDWIDTH,
  DISK_BURST,
  DISK_OPERATIONS,
  type DiskLimit,
} from '../../resources/limits.ts';
import type { Figures } from '../../worker/protocol.ts';
import { Setting } from './setting.tsx';
import { formatValue } from './units.ts';

type DiskFigures = Figures['disks'][number];

/** Seconds: as fine as a burst is chosen. */
const BURST_STEP = 0.5;

export interface DiskSettingsProps {
  readonly id: string;
  readonly title: string;
  readonly limit: DiskLimit;
  /** Of the disks that it holds for; empty while nothing has been reported. */
  readonly figures: readonly DiskFigures[];
  readonly onChange: (limit: DiskLimit) => void;
}

export function DiskSettings({ id, title, limit, figures, onChange }: DiskSettingsProps) {
  const { iops, bandwidth, burst = DISK_BURST.default } = limit;
  const limited = iops !== undefined || bandwidth !== undefined;
  const sum = (value: (one: DiskFigures) => number) =>
    figures.reduce((all, one) => all + value(one), 0);
  const operations = sum(({ flushes, reads, writes }) => reads + writes + flushes);
  const bytes = sum(({ readBytes, writtenBytes }) => readBytes + writtenBytes);
  const measured = figures.length > 0;
  return (
    <section className="panel" aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        {Object.keys(limit).length > 0 && (
          <Button className="button" onPress={() => onChange({})}>
            No limit
          </Button>
        )}
      </div>
      <Setting
        title="Operations"
        unit="/s"
        value={iops ?? DISK_OPERATIONS.maximum}
        minimum={DISK_OPERATIONS.minimum}
        maximum={DISK_OPERATIONS.maximum}
        logarithmic
        live
        budget={iops === undefined ? 'No limit is set.' : 'Read, written and flushed together.'}
        confirmed={measured ? `does ${formatValue(operations, 'per second')}` : undefined}
        onChange={(value) => onChange({ ...limit, iops: value })}
      />
      <Setting
        title="Bandwidth"
        unit="KB/s"
        value={Math.round((bandwidth ?? DISK_BANDWIDTH.maximum) / 1024)}
        minimum={Math.ceil(DISK_BANDWIDTH.minimum / 1024)}
        maximum={Math.floor(DISK_BANDWIDTH.maximum / 1024)}
        logarithmic
        live
        budget={bandwidth === undefined ? 'No limit is set.' : 'Read and written together.'}
        confirmed={measured ? `moves ${formatValue(bytes, 'bytes per second')}` : undefined}
        onChange={(kilobytes) => onChange({ ...limit, bandwidth: kilobytes * 1024 })}
      />
      {limited && (
        <Setting
          title="Burst"
          unit="s"
          value={burst}
          minimum={BURST_STEP}
          maximum={DISK_BURST.maximum}
          step={BURST_STEP}
          live
          budget="What so many seconds may do is saved up while idle, and may be done at once."
          confirmed={undefined}
          onChange={(seconds) => onChange({ ...limit, burst: seconds })}
        />
      )}
    </section>
  );
}
