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

type Row = readonly [
  name: string,
  type: Family['type'],
  unit: string | undefined,
  help: string,
  value: (figures: ThreadFigures) => number,
];

const ROWS: readonly Row[] = [
  ['cpu_used_seconds', 'counter', 'seconds', 'Time in which the guest ran.', (f) => f.used_s],
  [
    'cpu_steal_seconds',
    'counter',
    'seconds',
    'Time in which it would have run, and was not let.',
    (f) => f.steal_s,
  ],
  ['cpu_idle_seconds', 'counter', 'seconds', 'Time in which it waited.', (f) => f.idle_s],
  ['instructions', 'counter', undefined, 'Instructions of the guest.', (f) => f.instructions],
  ['interrupts', 'counter', undefined, 'Interrupts since the last reset.', (f) => f.interrupts],
  ['traps', 'counter', undefined, 'Traps since the last reset.', (f) => f.traps],
  ['console_bytes', 'counter', 'bytes', 'Output of the console.', (f) => f.console_bytes],
  ['memory_bytes', 'gauge', 'bytes', 'Memory of the guest.', (f) => f.memory_bytes],
  ['memory_touched_bytes', 'gauge', 'bytes', 'Memory that holds something.', (f) => f.ram_bytes],
];

export async function metricsText(guests: readonly Guest[]): Promise<string> {
  const looks = await Promise.all(
    guests.map(async (guest) => ({ vm: guest.name, up: guest.live, figures: await guest.look() })),
  );
  const up: Family = {
    name: 'tabvisor_vm_up',
    type: 'gauge',
    help: 'Whether the VM runs.',
    samples: looks.map(({ vm, up }) => ({ labels: { vm }, value: up ? 1 : 0 })),
  };
  const families = ROWS.map(
    ([name, type, unit, help, value]): Family => ({
      name: `tabvisor_vm_${name}`,
      type,
      ...(unit !== undefined && { unit }),
      help,
      samples: looks.flatMap(({ vm, figures }) =>
        figures === undefined ? [] : [{ labels: { vm }, value: value(figures) }],
      ),
    }),
  );
  return toOpenMetrics([up, ...families]);
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
