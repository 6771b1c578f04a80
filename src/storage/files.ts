/**
 * The files under all storage, in a browser (OPFS) and in Node alike. Opening waits; a file that is
 * open is read and written at once, as OPFS's synchronous access handles do it, so that the order of
 * writes is the order of calls. What was written survives a crash only after `flush`: before it,
 * any part of it may be there or not.
 */

/** A file that is open. Errors are StorageError. */
export interface StorageFile {
  /** Bytes. */
  size(): number;
  /** Fills `into` from `offset` on; returns how many bytes there were before the end of the file. */
  read(offset: number, into: Uint8Array): number;
  /** Writes all of `from`, or throws. */
  write(offset: number, from: Uint8Array): void;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** A folder of files and folders. Names are 1 to 100 of `a-z A-Z 0-9 . _ -` and start with no dot. */
export interface StorageFolder {
  open(name: string, how: 'existing' | 'create'): Promise<StorageFile>;
  /** Makes the folder when it is missing. */
  folder(name: string): Promise<StorageFolder>;
  list(): Promise<readonly { readonly name: string; readonly kind: 'file' | 'folder' }[]>;
  /** Removes a file, or a folder with all in it; one that is missing is no error. */
  remove(name: string): Promise<void>;
}

const NAME = /^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,99}$/;

/** Refuses what is no name of a file or folder: nothing reaches out of its folder. */
export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new StorageError('failed', `"${name.slice(0, 100)}" is no name of a file in storage.`);
}

/** Why storage could not do what it was asked. */
export class StorageError extends Error {
  override name = 'StorageError';
  constructor(
    readonly kind: 'missing' | 'full' | 'busy' | 'damaged' | 'failed',
    message: string,
  ) {
    super(message);
  }
}
