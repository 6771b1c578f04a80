/**
 * Starts a machine from its template's snapshot: opens what the page has sent of it, restores, and
 * tells the guest that it is a new one. A snapshot that this machine cannot take (another version of
 * it made the snapshot) is no failure: the kernel boots instead.
 */
import type { ConsolePortOptions } from '../machine/devices/virtio/console-port.ts';
import type { Machine } from '../machine/machine.ts';
import { parseSetup } from '../machine/snapshot/setup.ts';
import { parseSnapshotIndex } from '../machine/snapshot/template-index.ts';
import { templateSource } from '../machine/snapshot/template-snapshot.ts';
import type { Saved } from '../machine/state.ts';
import type { TemplateStart } from './protocol.ts';
import { TemplatePort } from './template-port.ts';
import { unpack } from './unpack.ts';

export interface OpenTemplate {
  readonly port: TemplatePort;
  /** Further ports of the virtio console that the snapshot's machine had. */
  readonly ports: readonly ConsolePortOptions[];
  /** Until the guest runs, what the machine does is no news. */
  readonly starting: boolean;
  start(machine: Machine): Promise<void>;
}

export async function openTemplate(given: TemplateStart): Promise<OpenTemplate> {
  const port = new TemplatePort(given.port);
  try {
    return await openSnapshot(given, port);
  } catch {
    return { port, ports: [], starting: false, start: async (machine) => machine.start() };
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
    ports: portsOf(source.image.state),
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

/** Ports as the snapshot's machine had them: a machine with others could not take it. */
function portsOf(state: Saved): ConsolePortOptions[] {
  const setup = typeof state === 'object' && 'setup' in state ? state.setup : undefined;
  return parseSetup(setup).ports.map((name) => ({ name, open: true, onOutput: () => {} }));
}
