/**
 * Whether machines fit beside what runs, by what their templates need. Relies on a budget and loads
 * that were measured elsewhere; machines whose template cannot be read count for nothing, for they
 * tell that themselves when they start.
 */
import { admit, type Budget, type Load, type Verdict } from '../resources/admission.ts';
import { fleet } from './services.ts';
import type { StartedMachines } from './store.ts';

export async function judge(
  machines: readonly StartedMachines[],
  budget: Budget,
  loads: readonly Load[],
): Promise<Verdict> {
  let count = 0;
  let most = 0;
  let least = 0;
  for (const { count: these, memory, template } of machines) {
    const manifest = await fleet.images.manifest(template).catch(() => undefined);
    if (manifest === undefined) continue;
    count += these;
    most += these * (memory ?? manifest.memory.default);
    least += these * Math.min(manifest.memory.minimum, memory ?? manifest.memory.minimum);
  }
  if (count === 0) return { kind: 'fits' };
  return admit(budget, loads, { count, memory: most / count, minimum: least / count });
}
