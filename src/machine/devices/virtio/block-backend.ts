/**
 * What stands behind a virtual disk. The block device calls it with ranges that lie inside `size`
 * and are multiples of 512 bytes; each operation ends when it returns (or its promise resolves), and
 * fails by throwing (or rejecting). One that needs no waiting returns nothing: then the guest has
 * its answer within the same instruction. Several operations may be under way at once.
 */
export interface BlockBackend {
  /** Bytes; only whole sectors of 512 are used. */
  readonly size: number;
  readonly readOnly: boolean;
  /** Serial number that the guest sees; at most 20 bytes of ASCII. */
  readonly id: string;
  /** Fills all of `into` from `offset` on. */
  read(offset: number, into: Uint8Array): void | Promise<void>;
  /** Writes all of `from`. The bytes belong to the caller again once it has ended. */
  write(offset: number, from: Uint8Array): void | Promise<void>;
  /** All that was written before survives from now on. */
  flush(): void | Promise<void>;
  /** The contents of the range are of no interest any more. */
  discard(offset: number, length: number): void | Promise<void>;
  /** The range reads as zeroes; `mayUnmap` allows giving its space back. */
  writeZeroes(offset: number, length: number, mayUnmap: boolean): void | Promise<void>;
  /**
   * The machine is captured: all that was written before belongs to the snapshot that `token` names,
   * what comes later does not. It does not wait.
   */
  freeze?(token: string): void;
}

export const SECTOR = 512;
