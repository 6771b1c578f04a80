/** What a machine is made of, and what cannot be. */
import type { EngineFeature } from '../translator/features.ts';
import type { TranslatorOptions } from '../translator/translator.ts';
import type { Board, Tier } from './board.ts';
import type { BlockBackend } from './devices/virtio/block-backend.ts';
import type { ConsolePortOptions } from './devices/virtio/console-port.ts';
import type { ShareBackend } from './devices/virtio/share-backend.ts';
import { UserError } from './errors.ts';
import type { BootConfig } from './loader/boot.ts';
import { DISKS_MAX, SHARES_MAX } from './memory-map.ts';
import { checkMemory } from './memory-size.ts';

export interface MachineConfig {
  /** Bytes of RAM: a multiple of 64 KiB from 1 MB to 2 GB. */
  readonly memory: number;
  /** Bytes that the guest is to get by with at first: all of `memory` unless given. */
  readonly memoryTarget?: number | undefined;
  /** What it boots; a function: asked at the first power-on, which a restored machine may never see. */
  readonly boot: BootConfig | (() => Promise<BootConfig>);
  readonly disks?: readonly BlockBackend[];
  /** Shared folders, each with a tag of its own. */
  readonly shares?: readonly ShareBackend[];
  /** Further ports of the virtio console, by name: `port(name)` gives the host's side. */
  readonly ports?: readonly ConsolePortOptions[];
  /** False: no port for the guest's agent, which a guest with a kernel has otherwise. */
  readonly agent?: boolean | undefined;
  readonly console?: { readonly columns: number; readonly rows: number };
  /** The compiled core: the build that fits `shared`. */
  readonly core: WebAssembly.Module;
  /** Whether the machine's memory is shared between threads. */
  readonly shared: boolean;
  /** What runs guest code; `both` unless given. */
  readonly tier?: Tier;
  /** Features of the engine to do without, as if it lacked them. */
  readonly without?: readonly EngineFeature[];
  /** A library of translations made ahead of time, for this core and kind of memory; it may come late. */
  readonly translations?: Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  readonly translator?: TranslatorOptions;
  /** Called before each instruction, which then runs alone: for tracing. */
  readonly trace?: (board: Board) => void;
  /** Looks at the running guest now and then: for profiles. */
  readonly sampler?: { interval(): number; look(board: Board, ms: number): void };
}

/** Refuses with a sentence what cannot work. */
export function checkConfig({ memory, disks, shares }: MachineConfig): void {
  checkMemory(memory);
  if ((disks?.length ?? 0) > DISKS_MAX) {
    throw new UserError(`A machine takes ${DISKS_MAX} disks at most. Give it fewer.`);
  }
  if ((shares?.length ?? 0) > SHARES_MAX) {
    throw new UserError(`A machine takes ${SHARES_MAX} shared folders at most. Give it fewer.`);
  }
}

/** Whether a program boots whose shell will be on the virtio console. */
export function waitsForTerminal(boot: MachineConfig['boot']): boolean {
  // What is asked for only at a reset is the kernel of a template.
  if (typeof boot === 'function') return true;
  return boot.kind === 'linux' || (boot.kind === 'firmware' && boot.kernel !== undefined);
}
