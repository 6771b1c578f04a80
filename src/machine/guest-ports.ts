/**
 * The ports of the virtio console that every guest has beside its terminal, in one order: a snapshot
 * fits machines with the same. What nobody serves is a port whose output goes nowhere.
 */
import { AGENT_PORT } from './agent.ts';
import type { ConsolePortOptions } from './devices/virtio/console-port.ts';
import { EXEC_PORTS } from './exec.ts';

export const GUEST_PORTS: readonly string[] = [AGENT_PORT, ...EXEC_PORTS];

/** Ports with these names, as `served` has them where it does. */
export function portsNamed(
  names: readonly string[],
  served: readonly ConsolePortOptions[] = [],
): ConsolePortOptions[] {
  return names.map(
    (name) => served.find((port) => port.name === name) ?? { name, open: true, onOutput: () => {} },
  );
}
