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
