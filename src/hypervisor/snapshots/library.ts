/**
 * The page's library of snapshots and kept VMs: what the fleet asks when something is to outlive a
 * power-on. A script of its own, for most visits need none of it.
 */
import type { BackupPolicy, CloneRequest, CopyOptions, ExportStream } from './types.ts';

export class Library {
  /** Opens the storage and takes up the kept VMs. Never rejects: a failure is the store's state. */
  async open(): Promise<void> {
    throw missing();
  }

  async clone(_request: CloneRequest): Promise<string[]> {
    throw missing();
  }

  async removeSnapshot(_id: string): Promise<void> {
    throw missing();
  }

  async renameSnapshot(_id: string, _name: string, _note?: string): Promise<void> {
    throw missing();
  }

  async verifySnapshot(_id: string, _options: CopyOptions): Promise<void> {
    throw missing();
  }

  async setBackups(_vm: string, _policy: BackupPolicy | undefined): Promise<void> {
    throw missing();
  }

  async exportVm(_from: string, _options: CopyOptions): Promise<ExportStream> {
    throw missing();
  }

  async importVm(_file: File, _options: CopyOptions): Promise<string> {
    throw missing();
  }

  async exportDisk(_id: string, _options: CopyOptions): Promise<ExportStream> {
    throw missing();
  }

  async importDisk(_file: File, _options: CopyOptions): Promise<string> {
    throw missing();
  }
}

function missing(): Error {
  return new Error('This page cannot keep VMs yet.');
}
