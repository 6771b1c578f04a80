/**
 * Which machines have had nothing to do for a while: the list and the host's view mark them. Told by
 * telemetry, looked at with each change of the fleet, which comes with every report of a machine.
 */
import { fleet } from '../services.ts';
import { getUi, setUi } from '../store.ts';
import { now, telemetry } from './service.ts';

/** From then on a machine that has nothing to do is marked. */
const MARK_MS = 60_000;

/** Milliseconds for which a machine has been idle, once that is worth a mark. */
export function idleFor(id: string): number | undefined {
  const since = telemetry.idleSince(id);
  const ms = since === undefined ? 0 : now() - since;
  return ms < MARK_MS ? undefined : ms;
}

function mark(): void {
  const idle = fleet.all.flatMap(({ view: { id } }) => (idleFor(id) === undefined ? [] : id));
  if (idle.join() !== getUi().idle.join()) setUi({ idle });
}

fleet.store.subscribe(mark);
