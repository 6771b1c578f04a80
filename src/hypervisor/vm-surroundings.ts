/** What a VM of the page relies on, and has in common with the others. */
import type { CpuScheduler } from '../resources/scheduler.ts';
import type { MachineEvent } from '../worker/protocol.ts';
import type { Sources } from './boot-source.ts';
import type { Workers } from './workers.ts';

export interface VmSurroundings extends Sources {
  readonly workers: Workers;
  readonly scheduler: CpuScheduler;
  /** Something happened in the machine that is no state of it. */
  happened(event: MachineEvent): void;
}
