/** The disk that a person chooses for a new VM: whether it can be had, and what the fleet makes of it. */
import type { NewVms } from '../hypervisor/fleet.ts';
import { formatMemorySize, parseMemorySize } from '../hypervisor/memory-size.ts';

export interface DiskChoice {
  readonly kind: 'none' | 'scratch' | 'persistent' | 'existing';
  readonly sizeText: string;
}

/** What storage can hold (disk-store.ts). */
const SIZE_MAXIMUM = 64 * 1024 ** 3;
const SIZE_MINIMUM = 1024 ** 2;

/** Why the choice cannot be had: a sentence. */
export function diskProblem({ kind, sizeText }: DiskChoice): string | undefined {
  if (kind === 'none' || kind === 'existing') return undefined;
  const size = parseMemorySize(sizeText);
  if (size === undefined) return 'Write a size such as 64 MB or 4 GB.';
  if (size < SIZE_MINIMUM) return `At least ${formatMemorySize(SIZE_MINIMUM)}.`;
  return size > SIZE_MAXIMUM ? `At most ${formatMemorySize(SIZE_MAXIMUM)}.` : undefined;
}

/** `existing`: the disk that is there already; `inMemory`: this page has no storage. */
export function diskRequest(
  choice: DiskChoice,
  existing: string | undefined,
  inMemory: boolean,
): Pick<NewVms, 'disk' | 'disks'> {
  const { kind } = choice;
  if (kind === 'none') return {};
  if (kind === 'existing') {
    return existing === undefined ? {} : { disks: [{ id: existing, kind: 'persistent' }] };
  }
  const size = parseMemorySize(choice.sizeText);
  return kind === 'scratch' && inMemory ? { disk: size } : { disks: [{ kind, size }] };
}
