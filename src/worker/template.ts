/**
 * Starts a machine from its template's snapshot: opens what the page has sent of it, restores, and
 * tells the guest that it is a new one. A snapshot that this machine cannot take (another version of
 * it made the snapshot) is no failure: the kernel boots instead.
 */
import type { Machine } from '../machine/machine.ts';
import { parseSnapshotIndex } from '../machine/snapshot/template-index.ts';
import { templateSource } from '../machine/snapshot/template-snapshot.ts';
import type { TemplateStart } from './protocol.ts';
import { TemplatePort } from './template-port.ts';
import { unpack } from './unpack.ts';

export interface OpenTemplate {
  readonly port: TemplatePort;
  /** Until the guest runs, what the machine does is no news. */
  readonly starting: boolean;
  start(machine: Machine): Promise<void>;
}

export async function openTemplate(given: TemplateStart): Promise<OpenTemplate> {
  const port = new TemplatePort(given.port);
  try {
    return await openSnapshot(given, port);
  } catch {
    return { port, starting: false, start: async (machine) => machine.start() };
  }
}

async function openSnapshot(given: TemplateStart, port: TemplatePort): Promise<OpenTemplate> {
  const [index, state] = await Promise.all([unpack(given.index), unpack(given.state)]);
  const source = templateSource(
    parseSnapshotIndex(new TextDecoder().decode(index), given.index.name),
    state,
    (piece) => port.piece(piece),
  );
  let starting = true;
  return {
    port,
    get starting() {
      return starting;
    },
    async start(machine) {
      const restored = await machine
        .restore(source, { generation: 'new', name: given.hostName })
        .then(() => true)
        .catch(() => false);
      starting = false;
      if (restored) machine.resume();
      else machine.start();
    },
  };
}
