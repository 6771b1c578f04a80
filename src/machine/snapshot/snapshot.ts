/**
 * What a snapshot of a machine consists of, where it goes to and where it comes from. Two sides meet
 * here: the machine, which captures and restores, and a store, which knows nothing of machines. RAM
 * crosses as runs of pages; everything else of the machine is one Saved state. Disks are not in it:
 * at the instant of a capture each disk's backend is told to `freeze` under the same token.
 */
import type { Saved } from '../state.ts';

/** Of a machine's saved state. A snapshot of another version is refused. */
export const STATE_VERSION = 1;

/** A run of pages of guest RAM: `bytes` is a whole number of pages of 4 KiB, from page `first` on. */
export interface PageRun {
  readonly first: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Everything of a machine but RAM and disks, at one instant. */
export interface MachineImage {
  /** Bytes of RAM. */
  readonly memory: number;
  readonly state: Saved;
  /** Names the instant; the disks were frozen under it. */
  readonly token: string;
  /**
   * Token of the snapshot that this machine was captured to or restored from last: pages that do
   * not come are as they are there. Absent: pages that do not come are zero.
   */
  readonly base?: string;
}

/** Takes one snapshot. A call that fails ends the capture; the machine runs on unharmed. */
export interface SnapshotSink {
  /**
   * Whether the snapshot that `token` names is there to build upon: without this, or when it is
   * not, all pages come.
   */
  has?(token: string): boolean | Promise<boolean>;
  /** Once, first. */
  begin(image: MachineImage): void | Promise<void>;
  /** Each page at most once, in any order; resolves when there is room for more. */
  pages(run: PageRun): void | Promise<void>;
  /** All has come: resolves when the snapshot is whole and durable. */
  end(): Promise<void>;
  /** The capture came to nothing. */
  abort(reason: string): void;
}

/** Gives one snapshot, checked by whoever holds it; the machine checks the state once more. */
export interface SnapshotSource {
  readonly image: MachineImage;
  /** All pages that are not zero, each once; what a guest touches first may come first. */
  pages(): AsyncIterable<PageRun>;
  /** These pages before all others; more may come with them, pages that are zero may be left out. */
  fetch?(pages: readonly number[]): Promise<readonly PageRun[]>;
  /**
   * Numbers of all pages that are not zero. With it and `fetch` a machine goes on at once: pages
   * come while it runs, those that it touches first of all.
   */
  readonly held?: Uint32Array;
}

export interface RestoreOptions {
  /**
   * `new`: another machine may go on from the same instant, so this one gets another VM generation
   * ID, and is told. `same` unless given: it goes on as the machine that it was.
   */
  readonly generation?: 'same' | 'new';
  /** Of a new generation: its host name, for the guest's agent. */
  readonly name?: string;
}

/** What a capture cost. */
export interface CaptureReport {
  /** Milliseconds in which the guest stood still. */
  readonly pause_ms: number;
  /** Pages handed to the sink. */
  readonly pages: number;
  /** Milliseconds until the snapshot was whole. */
  readonly total_ms: number;
}
