/** The figures of a machine: what `tabvisor run --stats` prints and a worker reports. */
import { PAGE_SIZE } from '../core/layout.ts';
import type { TranslatorStats } from '../translator/translator.ts';
import type { AgentStats } from './agent.ts';
import type { Board } from './board.ts';
import type { DiskStats } from './devices/virtio/disk-stats.ts';

export interface MemoryStats {
  /** Bytes that the guest is asked to get by with, and that it confirms to have. */
  readonly target_bytes: number;
  readonly actual_bytes: number;
  /** Whether the guest has a driver of the balloon, so that the target has an effect. */
  readonly balloon: boolean;
  /** Bytes in the balloon, by the host's own count. */
  readonly inflated_bytes: number;
  /** Bytes that the guest has reported as free and that were emptied, since the last reset. */
  readonly reported_bytes: number;
  /** What the guest says of its memory, in bytes; absent where nothing in it tells. */
  readonly guest?: {
    readonly total: number;
    readonly free: number;
    readonly available: number;
    readonly cached: number;
  };
}

export interface MachineStats {
  /** Seconds in which the machine was running. */
  readonly wall_s: number;
  /** Seconds from the start to the first output on the virtio console, where a shell speaks. */
  readonly boot_s: number | null;
  readonly instructions: number;
  /** Million instructions in a second of work. */
  readonly mips: number;
  /** Seconds in which the guest waited. */
  readonly idle_s: number;
  /** Seconds in which it would have run, and was not given the host's processor. */
  readonly steal_s: number;
  /** Seconds in which it ran: with idle_s and steal_s all of wall_s. */
  readonly used_s: number;
  /** Bytes of RAM that hold something, and all there is. */
  readonly ram_bytes: number;
  readonly memory_bytes: number;
  readonly memory: MemoryStats;
  /** In the order of the disks. */
  readonly disks: readonly DiskStats[];
  /** Bytes of console output. */
  readonly console_bytes: number;
  /** Since the last reset: instructions that each tier ran, walks of page tables, traps. */
  readonly interpreted_instructions: number;
  readonly translated_instructions: number;
  readonly tlb_misses: number;
  readonly traps: number;
  readonly interrupts: number;
  /** What the translator did; absent where all is interpreted. */
  readonly translator?: TranslatorStats;
  /** What the guest's agent says; absent without one. */
  readonly agent?: AgentStats;
}

/** The part of the figures that the board knows. `memory`: bytes of RAM; `look`: one among many. */
export function boardStats(
  board: Board,
  { memory, agent, look }: { memory: number; agent: AgentStats | undefined; look: boolean },
) {
  const { hart, balloon } = board;
  const { stats = agent?.memory } = balloon;
  const guest = stats && {
    total: stats.total,
    free: stats.free,
    available: stats.available,
    cached: stats.cached,
  };
  const { driven } = balloon;
  return {
    memory_bytes: memory,
    memory: {
      target_bytes: memory - balloon.wanted * PAGE_SIZE,
      actual_bytes: memory - balloon.actual * PAGE_SIZE,
      balloon: driven,
      inflated_bytes: balloon.inflated * PAGE_SIZE,
      reported_bytes: balloon.reported * PAGE_SIZE,
      ...(guest && { guest }),
    },
    disks: board.disks.map((disk) => disk.stats(look)),
    translated_instructions: Number(hart.u64('stat_translated')),
    tlb_misses: Number(hart.u64('stat_tlb_misses')),
    traps: Number(hart.u64('stat_traps')),
    interrupts: Number(hart.u64('stat_interrupts')),
    ...(board.translator && { translator: board.translator.stats }),
    ...(agent && { agent }),
  } satisfies Partial<MachineStats>;
}
