/**
 * What a shared folder is to the server of 9P: a tree of nodes that may be memory, a folder of the
 * browser's user, or a folder in Node. `N` is the file system's own kind of node; a node stays the
 * same file while others rename it. Operations that fail throw ShareError with Linux's number; names
 * that arrive here hold no `/` and no NUL and are neither empty nor `.` or `..`.
 */
import { ERRNO } from '../../machine/devices/virtio/nine-p-wire.ts';

export type MaybePromise<T> = T | Promise<T>;

export type NodeKind = 'file' | 'folder' | 'link';

export interface Attributes {
  readonly kind: NodeKind;
  /** Permission bits, 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  /** Milliseconds since 1970, with fractions. */
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** What is to change; `now` is the file system's clock. */
export interface Changes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: number | 'now';
  readonly mtime?: number | 'now';
}

/** Who a file is in messages: `path` is a number of its own for as long as it exists. */
export interface Qid {
  readonly kind: NodeKind;
  readonly version: number;
  readonly path: bigint;
}

export interface Entry {
  readonly name: string;
  readonly qid: Qid;
}

export interface NewNode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OpenFile {
  /** Fills `into` from `offset` on; how many bytes there were before the end. */
  read(offset: number, into: Uint8Array<ArrayBuffer>): MaybePromise<number>;
  /** Writes all of `from`, or throws. */
  write(offset: number, from: Uint8Array): MaybePromise<void>;
  flush(): MaybePromise<void>;
  close(): MaybePromise<void>;
}

export interface Capacity {
  readonly total: number;
  readonly free: number;
}

export type Access = 'read' | 'write' | 'both';

export interface ShareFileSystem<N> {
  readonly root: N;
  /** Nothing can be changed: the server refuses it before it comes here. */
  readonly readOnly: boolean;
  qid(node: N): MaybePromise<Qid>;
  attributes(node: N): MaybePromise<Attributes>;
  change(node: N, changes: Changes): MaybePromise<void>;
  lookup(folder: N, name: string): MaybePromise<N>;
  list(folder: N): MaybePromise<readonly Entry[]>;
  open(file: N, access: Access, truncate: boolean): MaybePromise<OpenFile>;
  /** Makes an empty file that was not there; throws EEXIST otherwise. */
  create(folder: N, name: string, how: NewNode): MaybePromise<N>;
  makeFolder(folder: N, name: string, how: NewNode): MaybePromise<N>;
  makeLink(folder: N, name: string, target: string, how: NewNode): MaybePromise<N>;
  readLink(link: N): MaybePromise<string>;
  /** One more name for a file. */
  addName(folder: N, name: string, file: N): MaybePromise<void>;
  remove(folder: N, name: string, what: 'folder' | 'other'): MaybePromise<void>;
  /** Takes the place of what is there, as rename(2) does. */
  rename(folder: N, name: string, newFolder: N, newName: string): MaybePromise<void>;
  /** Where a node is, for requests that name no folder; undefined when it is nowhere. */
  place(node: N): { folder: N; name: string } | undefined;
  capacity(): MaybePromise<Capacity>;
  /** The node of a number, whether it has a name or not. */
  byNumber?(path: bigint): N | undefined;
  /** A fid begins or ends to point to a node: what nobody holds and nothing names may go. */
  hold?(node: N): void;
  release?(node: N): void;
}

/** Why a file operation failed. */
export class ShareError extends Error {
  override name = 'ShareError';
  readonly errno: number;
  constructor(
    readonly code: keyof typeof ERRNO,
    message: string = code,
  ) {
    super(message);
    this.errno = ERRNO[code];
  }
}
