/**
 * The figures of a lab as OpenMetrics text, over HTTP on the loopback address. Guarantees that only
 * who asks for this computer by its own name gets an answer: a web page that points a name of its own
 * at 127.0.0.1 does not.
 */
import { createServer, type Server } from 'node:http';
import { UserError } from '../../machine/errors.ts';
import { type Family, OPEN_METRICS_TYPE, toOpenMetrics } from '../../resources/openmetrics.ts';
import { reasonOf } from '../repository.ts';
import type { Guest } from './guest.ts';
import type { ThreadFigures } from './thread-messages.ts';

const ADDRESS = '127.0.0.1';

interface Row<Subject> {
  readonly name: string;
  readonly type: Family['type'];
  readonly unit?: string;
  readonly help: string;
  /** Undefined: the guest does not tell. */
  readonly value: (subject: Subject) => number | undefined;
}
type Disk = ThreadFigures['disks'][number];

const counter = { type: 'counter' } as const;
const seconds = { ...counter, unit: 'seconds' } as const;
const moved = { ...counter, unit: 'bytes' } as const;
const bytes = { type: 'gauge', unit: 'bytes' } as const;

const ROWS: readonly Row<ThreadFigures>[] = [
  {
    name: 'cpu_used_seconds',
    ...seconds,
    help: 'Time in which the guest ran.',
    value: (f) => f.used_s,
  },
  {
    name: 'cpu_steal_seconds',
    ...seconds,
    help: 'Time in which it would have run, and was not let.',
    value: (f) => f.steal_s,
  },
  {
    name: 'cpu_idle_seconds',
    ...seconds,
    help: 'Time in which it waited.',
    value: (f) => f.idle_s,
  },
  {
    name: 'instructions',
    ...counter,
    help: 'Instructions of the guest.',
    value: (f) => f.instructions,
  },
  {
    name: 'interrupts',
    ...counter,
    help: 'Interrupts since the last reset.',
    value: (f) => f.interrupts,
  },
  { name: 'traps', ...counter, help: 'Traps since the last reset.', value: (f) => f.traps },
  {
    name: 'console_bytes',
    ...moved,
    help: 'Output of the console.',
    value: (f) => f.console_bytes,
  },
  { name: 'memory_bytes', ...bytes, help: 'Memory of the guest.', value: (f) => f.memory_bytes },
  {
    name: 'memory_touched_bytes',
    ...bytes,
    help: 'Memory that holds something.',
    value: (f) => f.ram_bytes,
  },
  {
    name: 'memory_used_bytes',
    ...bytes,
    help: 'Memory that programs of the guest use, as it says.',
    value: ({ memory: { guest } }) => guest && Math.max(0, guest.total - guest.available),
  },
  {
    name: 'memory_cached_bytes',
    ...bytes,
    help: 'Memory with files that the guest can read again, as it says.',
    value: ({ memory: { guest } }) => guest?.cached,
  },
  {
    name: 'filesystem_size_bytes',
    ...bytes,
    help: 'Size of the root file system, as the agent says.',
    value: ({ agent }) => agent?.filesystem.size,
  },
  {
    name: 'filesystem_used_bytes',
    ...bytes,
    help: 'What is used of the root file system, as the agent says.',
    value: ({ agent }) => agent?.filesystem.used,
  },
  {
    name: 'processes',
    type: 'gauge',
    help: 'Processes in the guest, as the agent says.',
    value: ({ agent }) => agent?.processes,
  },
];

/** Of each disk, by its place among the guest's. */
const DISK_ROWS: readonly Row<Disk>[] = [
  { name: 'disk_reads', ...counter, help: 'Requests to read.', value: (d) => d.reads },
  { name: 'disk_writes', ...counter, help: 'Requests to write.', value: (d) => d.writes },
  { name: 'disk_flushes', ...counter, help: 'Requests to flush.', value: (d) => d.flushes },
  {
    name: 'disk_discards',
    ...counter,
    help: 'Requests to give up or zero.',
    value: (d) => d.discards,
  },
  { name: 'disk_read_bytes', ...moved, help: 'Bytes read.', value: (d) => d.read_bytes },
  { name: 'disk_written_bytes', ...moved, help: 'Bytes written.', value: (d) => d.written_bytes },
  {
    name: 'disk_latency_seconds',
    ...seconds,
    help: 'Time from request to answer, of all requests together.',
    value: (d) => d.latency_ms / 1000,
  },
  { name: 'disk_errors', ...counter, help: 'Requests that failed.', value: (d) => d.errors },
];

/** What is said of one VM: its labels, and the figures that go with them. */
interface Look<Subject> {
  readonly labels: Readonly<Record<string, string>>;
  readonly figures: Subject;
}

function familyOf<Subject>(
  { name, type, unit, help, value }: Row<Subject>,
  looks: readonly Look<Subject>[],
): Family {
  return {
    name: `tabvisor_vm_${name}`,
    type,
    ...(unit !== undefined && { unit }),
    help,
    samples: looks.flatMap(({ labels, figures }) => {
      const said = value(figures);
      return said === undefined ? [] : [{ labels, value: said }];
    }),
  };
}

export async function metricsText(guests: readonly Guest[]): Promise<string> {
  const up: Family = {
    name: 'tabvisor_vm_up',
    type: 'gauge',
    help: 'Whether the VM runs.',
    samples: guests.map(({ name, live }) => ({ labels: { vm: name }, value: live ? 1 : 0 })),
  };
  const looks = await Promise.all(
    guests.map(async (guest): Promise<Look<ThreadFigures>[]> => {
      const figures = await guest.look();
      return figures === undefined ? [] : [{ labels: { vm: guest.name }, figures }];
    }),
  );
  const vms = looks.flat();
  const disks = vms.flatMap(({ labels, figures }) =>
    figures.disks.map((disk, i) => ({ labels: { ...labels, disk: String(i) }, figures: disk })),
  );
  return toOpenMetrics([
    up,
    ...ROWS.map((row) => familyOf(row, vms)),
    ...DISK_ROWS.map((row) => familyOf(row, disks)),
  ]);
}

/** Port 0 takes one that is free; resolves with the address. */
export async function serveMetrics(
  port: number,
  guests: () => readonly Guest[],
): Promise<{ server: Server; url: string }> {
  const server = createServer(async ({ method, url, headers }, response) => {
    const known = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '');
    if (!known || method !== 'GET' || url !== '/metrics') {
      response.writeHead(known ? 404 : 403).end();
      return;
    }
    const text = await metricsText(guests());
    response.writeHead(200, { 'content-type': OPEN_METRICS_TYPE }).end(text);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new UserError(`Metrics cannot be served on port ${port}: ${reasonOf(error)}.`)),
    );
    server.listen(port, ADDRESS, resolve);
  });
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  return { server, url: `http://${ADDRESS}:${taken}/metrics` };
}
