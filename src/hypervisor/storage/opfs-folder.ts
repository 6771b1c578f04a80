/**
 * Storage in the browser: the origin private file system, by synchronous access handles, which only
 * workers have. A file that is open is open once, in this tab and in all others.
 */
import {
  checkName,
  StorageError,
  type StorageFile,
  type StorageFolder,
} from '../../storage/files.ts';

/** What the compiler's description of the page lacks: it exists in workers only. */
declare global {
  interface FileSystemFileHandle {
    createSyncAccessHandle(): Promise<SyncAccessHandle>;
  }
}
interface SyncAccessHandle {
  getSize(): number;
  read(into: Uint8Array, options: { at: number }): number;
  write(from: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

export class OpfsFolder implements StorageFolder {
  constructor(private readonly handle: FileSystemDirectoryHandle) {}

  async open(name: string, how: 'existing' | 'create'): Promise<StorageFile> {
    checkName(name);
    try {
      const file = await this.handle.getFileHandle(name, { create: how === 'create' });
      return new OpfsFile(await file.createSyncAccessHandle());
    } catch (error) {
      throw storageError(error);
    }
  }

  async folder(name: string): Promise<OpfsFolder> {
    checkName(name);
    try {
      return new OpfsFolder(await this.handle.getDirectoryHandle(name, { create: true }));
    } catch (error) {
      throw storageError(error);
    }
  }

  async list() {
    const entries: { name: string; kind: 'file' | 'folder' }[] = [];
    for await (const [name, { kind }] of this.handle.entries()) {
      entries.push({ name, kind: kind === 'file' ? 'file' : 'folder' });
    }
    return entries;
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    try {
      await this.handle.removeEntry(name, { recursive: true });
    } catch (error) {
      const failure = storageError(error);
      if (failure.kind !== 'missing') throw failure;
    }
  }
}

class OpfsFile implements StorageFile {
  constructor(private readonly handle: SyncAccessHandle) {}

  size(): number {
    return attempt(() => this.handle.getSize());
  }

  read(offset: number, into: Uint8Array): number {
    return attempt(() => this.handle.read(into, { at: offset }));
  }

  write(offset: number, from: Uint8Array): void {
    const written = attempt(() => this.handle.write(from, { at: offset }));
    // In Chromium's private windows a full storage is told by a number that is far too large.
    if (written !== from.length) throw new StorageError('full', FULL);
  }

  truncate(size: number): void {
    attempt(() => this.handle.truncate(size));
  }

  flush(): void {
    attempt(() => this.handle.flush());
  }

  close(): void {
    this.handle.close();
  }
}

const FULL =
  'The browser’s storage is full. Delete snapshots or disks that are not needed, or free space on the computer’s disk.';

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw storageError(error);
  }
}

function storageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const name = error instanceof DOMException ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  if (name === 'QuotaExceededError') return new StorageError('full', FULL);
  if (name === 'NotFoundError') return new StorageError('missing', 'The file is not in storage.');
  if (name === 'NoModificationAllowedError' || name === 'InvalidStateError') {
    return new StorageError('busy', `The file is in use: ${message}`);
  }
  return new StorageError('failed', `The browser’s storage failed: ${message}`);
}
