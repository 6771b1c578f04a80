/**
 * What a VM looks like to who shows it, and what it is made from. Views are immutable: each change
 * is another one.
 */
import type { Template } from '../machine/manifest.ts';
import type { Limits } from '../resources/limits.ts';
import type { Figures } from '../worker/protocol.ts';
import type { BootStage } from './boot-progress.ts';
import type { Isolation } from './frame.ts';
import type { BackupPolicy, KeptVm } from './snapshots/types.ts';
import type { DiskRequest } from './storage/api.ts';

export type VmStatus =
  | 'downloading'
  | 'starting'
  | 'booting'
  | 'running'
  | 'paused'
  | 'off'
  | 'crashed'
  | 'failed';

export interface VmView {
  readonly id: string;
  readonly name: string;
  readonly template: Template;
  /** Guest RAM in bytes; undefined until the template's default is known. */
  readonly memory: number | undefined;
  readonly status: VmStatus;
  /** Why it is off, crashed or failed: a sentence. */
  readonly reason: string | undefined;
  readonly download: { loaded: number; total: number } | undefined;
  readonly bootStage: BootStage;
  /** Time of the last power-on by `performance.now()`, moved on by the time spent paused. */
  readonly startedAt: number | undefined;
  /** Since when it is paused, by the same clock. */
  readonly pausedAt: number | undefined;
  /** Seconds from power-on to the shell. */
  readonly bootSeconds: number | undefined;
  readonly figures: Figures | undefined;
  /** Processor share of the last minute, oldest first, 0 to 1. */
  readonly history: readonly number[];
  /** A command is under way. */
  readonly busy: boolean;
  /** The worker has not been heard of for a while. */
  readonly silent: boolean;
  readonly isolation: Isolation | undefined;
  /** Title that the guest set for its terminal. */
  readonly title: string;
  /** What storage knows it by, and its snapshots name it by; undefined: it is not kept. */
  readonly keptId: string | undefined;
  /** Id of the snapshot that it was taken to or restored from last. */
  readonly current: string | undefined;
  readonly backups: BackupPolicy | undefined;
  /** A snapshot of it is under way. */
  readonly saving: boolean;
  /** Words of its lab by which it is found. */
  readonly tags: readonly string[];
  /** What it may take of the host. */
  readonly limits: Limits;
  /** It was cut off, by the end of its tab or of its worker: the snapshot that it can go on from. */
  readonly recovery: string | undefined;
}

export interface VmSpecification {
  template: Template;
  name: string;
  /** Bytes; the template's default when left out. */
  memory?: number | undefined;
  /** Bytes of a blank disk, which lives from a power-on to the power-off; none when left out. */
  disk?: number | undefined;
  /** Disks of storage, by the ids that they have there; made when they are not there yet. */
  disks?: readonly DiskRequest[] | undefined;
  /**
   * The kind of its root disk, where the template's root is one, until it has been made at the first
   * start: then it is the first of `disks`.
   */
  root?: DiskRequest['kind'] | undefined;
  /** What it boots instead of its template: it was imported. */
  program?: KeptVm['program'];
  /** Boots the kernel, although the template has a snapshot. */
  cold?: boolean | undefined;
  /** What it may take of the host at first: as much as there is when left out. */
  limits?: Limits | undefined;
  /** Typed when the shell is up. */
  run?: string | undefined;
  /** Address of the lab that it belongs to, which makes it anew after a reload. */
  lab?: string | undefined;
  tags?: readonly string[] | undefined;
}

/** A VM that has just been made. */
export function newView(id: string, specification: VmSpecification, limits: Limits): VmView {
  return {
    id,
    name: specification.name,
    template: specification.template,
    memory: specification.memory,
    status: 'off',
    reason: undefined,
    download: undefined,
    bootStage: 'kernel',
    startedAt: undefined,
    pausedAt: undefined,
    bootSeconds: undefined,
    figures: undefined,
    history: [],
    busy: false,
    silent: false,
    isolation: undefined,
    title: '',
    keptId: undefined,
    current: undefined,
    backups: undefined,
    saving: false,
    recovery: undefined,
    tags: specification.tags ?? [],
    limits: limits,
  };
}

export function isLive(status: VmStatus): boolean {
  return status === 'booting' || status === 'running' || status === 'paused';
}

export function isPending(status: VmStatus): boolean {
  return status === 'downloading' || status === 'starting';
}
