/**
 * What is measured of each VM and, added up, of the host: one list, from which charts, tables and
 * exports are made. Reads the figures that a VM's worker reports; what a guest does not tell (it has
 * no agent, no balloon, no disk) is left out, not zero.
 */
import type { Family } from '../resources/openmetrics.ts';
import type { DiskFigures } from '../worker/figures.ts';
import type { VmView } from './vm.ts';

export const METRICS = {
  cpu_used: { title: 'Used', unit: 'share', group: 'cpu' },
  cpu_steal: { title: 'Steal', unit: 'share', group: 'cpu' },
  cpu_idle: { title: 'Idle', unit: 'share', group: 'cpu' },
  mips: { title: 'Million instructions', unit: 'per second', group: 'work' },
  memory_touched: { title: 'Held by the browser', unit: 'bytes', group: 'memory' },
  memory_used: { title: 'Used by programs', unit: 'bytes', group: 'memory' },
  memory_cached: { title: 'Cached files', unit: 'bytes', group: 'memory' },
  memory_balloon: { title: 'Balloon', unit: 'bytes', group: 'memory' },
  disk_read: { title: 'Read', unit: 'bytes per second', group: 'disk' },
  disk_written: { title: 'Written', unit: 'bytes per second', group: 'disk' },
  disk_operations: { title: 'Operations', unit: 'per second', group: 'operations' },
  disk_latency: { title: 'Latency', unit: 'milliseconds', group: 'latency' },
  filesystem_used: { title: 'Files in the guest', unit: 'bytes', group: 'files' },
  interrupts: { title: 'Interrupts', unit: 'per second', group: 'events' },
  traps: { title: 'Traps', unit: 'per second', group: 'events' },
  wakeups: { title: 'Wake-ups of the host', unit: 'per second', group: 'events' },
} as const;

export type Metric = keyof typeof METRICS;
export type MetricUnit = (typeof METRICS)[Metric]['unit'];
export const METRIC_NAMES = Object.keys(METRICS) as Metric[];

export type MetricValues = Partial<Record<Metric, number>>;

/** Groups of metrics that share a chart. */
export const GROUPS = [
  { id: 'cpu', title: 'CPU' },
  { id: 'work', title: 'Work done' },
  { id: 'memory', title: 'Memory' },
  { id: 'disk', title: 'Disks: rates' },
  { id: 'operations', title: 'Disks: operations' },
  { id: 'latency', title: 'Disks: latency' },
  { id: 'files', title: 'Root file system' },
  { id: 'events', title: 'Interrupts and traps' },
] as const satisfies readonly { id: (typeof METRICS)[Metric]['group']; title: string }[];

/** What a VM's last report says; nothing while it is not running. */
export function valuesOf({ figures, status }: VmView): MetricValues {
  if (figures === undefined || status === 'paused') return {};
  const { agent, disks, memory } = figures;
  return {
    cpu_used: figures.busy,
    cpu_steal: figures.steal,
    cpu_idle: figures.idle,
    mips: figures.mips,
    memory_touched: figures.memoryInUse,
    ...(memory.guest === undefined
      ? {}
      : {
          memory_used: Math.max(0, memory.guest.total - memory.guest.available),
          memory_cached: memory.guest.cached,
        }),
    ...(memory.balloon ? { memory_balloon: memory.inflated } : {}),
    ...(disks.length === 0 ? {} : diskValues(disks)),
    ...(agent === undefined || agent.filesystem.size === 0
      ? {}
      : { filesystem_used: agent.filesystem.used }),
    interrupts: figures.interrupts,
    traps: figures.traps,
    wakeups: figures.wakeups,
  };
}

/** All disks of a VM together; the latency is that of an average operation. */
function diskValues(disks: readonly DiskFigures[]): MetricValues {
  const sum = (value: (disk: DiskFigures) => number) =>
    disks.reduce((all, disk) => all + value(disk), 0);
  const operations = sum(operationsOf);
  return {
    disk_read: sum(({ readBytes }) => readBytes),
    disk_written: sum(({ writtenBytes }) => writtenBytes),
    disk_operations: operations,
    // Without operations there is no latency to speak of.
    ...(operations === 0
      ? {}
      : { disk_latency: sum((disk) => disk.latency * operationsOf(disk)) / operations }),
  };
}

function operationsOf({ flushes, reads, writes }: DiskFigures): number {
  return reads + writes + flushes;
}

/** Metrics that add up over VMs; of a latency the largest counts. */
export function addValues(sum: MetricValues, values: MetricValues): void {
  for (const metric of METRIC_NAMES) {
    const value = values[metric];
    if (value === undefined) continue;
    const before = sum[metric];
    sum[metric] =
      before === undefined
        ? value
        : metric === 'disk_latency'
          ? Math.max(before, value)
          : before + value;
  }
}

/** The suffix that OpenMetrics wants of a unit. */
const UNIT_SUFFIX: Partial<Record<MetricUnit, string>> = { bytes: 'bytes' };

/** One family for each metric that any of the VMs has, a sample for each VM. */
export function familiesOf(
  vms: readonly { readonly name: string; readonly values: MetricValues }[],
): Family[] {
  return METRIC_NAMES.flatMap((metric): Family[] => {
    const samples = vms.flatMap(({ name, values }) => {
      const value = values[metric];
      return value === undefined ? [] : [{ labels: { vm: name }, value }];
    });
    if (samples.length === 0) return [];
    const { group, title, unit } = METRICS[metric];
    const suffix = UNIT_SUFFIX[unit];
    const groupTitle = GROUPS.find(({ id }) => id === group)?.title ?? group;
    return [
      {
        name: `tabvisor_vm_${metric}${suffix === undefined ? '' : `_${suffix}`}`,
        type: 'gauge',
        ...(suffix === undefined ? {} : { unit: suffix }),
        help: `${groupTitle}: ${title} (${unit}).`,
        samples,
      },
    ];
  });
}
