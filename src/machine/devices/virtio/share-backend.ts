/**
 * What stands behind a shared folder: a server of 9P2000.L that may be anywhere. It answers each
 * message, whatever is in it; several may be under way at once. A session begins with Tversion, which
 * ends what was before; the server keeps nothing of a session that the device could not tell it again.
 */
export interface ShareBackend {
  /** Name by which the guest mounts it; 1 to 32 of `a-z A-Z 0-9 _ -`. */
  readonly tag: string;
  /** The answer to one message. Rejects only when the server is gone. */
  request(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  /** What was requested before belongs to the snapshot `token`, what comes later does not. */
  freeze?(token: string): void;
}

export const TAG_PATTERN = /^[a-zA-Z0-9_-]{1,32}$/;
/** The share that the templates mount on /mnt/shared. */
export const SHARED_TAG = 'shared';
