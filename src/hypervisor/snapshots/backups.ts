/**
 * Scheduled backups: a snapshot every so many minutes of each VM that has a policy and runs, of which
 * the newest stay. Never two captures of a VM at once: one that is due while another is under way
 * waits for its next look. A backup that fails is told, and the next one is tried at its time.
 */
import type { VmView } from '../vm.ts';
import type { SnapshotRequest } from './types.ts';

/** How often it is looked whether a backup is due, in milliseconds. */
const LOOK_MS = 5_000;

export interface BackedUpVm {
  readonly view: VmView;
}

interface BackupNeeds<V extends BackedUpVm> {
  vms(): readonly V[];
  take(vm: V, request: SnapshotRequest): Promise<unknown>;
  /** The backups that a VM has, oldest first. */
  backups(vm: V): readonly { readonly id: string; readonly time: number }[];
  remove(id: string): Promise<void>;
  failed(vm: V, reason: string): void;
}

export class Backups<V extends BackedUpVm> {
  readonly #needs: BackupNeeds<V>;
  readonly #now: () => number;
  /** When the last one of a VM was tried, by the VM's id. */
  readonly #tried = new Map<string, number>();
  readonly #busy = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `now`: milliseconds since 1970. */
  constructor(needs: BackupNeeds<V>, now: () => number = () => Date.now()) {
    this.#needs = needs;
    this.#now = now;
  }

  begin(): void {
    this.#timer ??= setInterval(() => void this.look(), LOOK_MS);
  }

  /** Takes the backups that are due; resolves when they are there, or have failed. */
  async look(): Promise<void> {
    await Promise.all(this.#needs.vms().map((vm) => this.#lookAt(vm)));
  }

  async #lookAt(vm: V): Promise<void> {
    const { id, backups: policy, status, saving } = vm.view;
    if (policy === undefined) {
      this.#tried.delete(id);
      return;
    }
    const now = this.#now();
    // The first one is due when the time has passed since it was asked for.
    const last = Math.max(this.#tried.get(id) ?? 0, this.#needs.backups(vm).at(-1)?.time ?? 0);
    if (last === 0) this.#tried.set(id, now);
    const due = last > 0 && now - last >= policy.everyMinutes * 60_000;
    if (!due || status !== 'running' || saving || this.#busy.has(id)) return;
    this.#busy.add(id);
    this.#tried.set(id, now);
    try {
      await this.#needs.take(vm, { name: nameOf(now), kind: 'backup' });
      const old = this.#needs.backups(vm).slice(0, -policy.keep);
      for (const one of old) await this.#needs.remove(one.id);
    } catch (error) {
      this.#needs.failed(vm, error instanceof Error ? error.message : String(error));
    } finally {
      this.#busy.delete(id);
    }
  }
}

function nameOf(time: number): string {
  return `Backup of ${new Date(time).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'medium' })}`;
}
