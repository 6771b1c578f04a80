/**
 * The fids of one session: which node each points to, and what is open. Bounded; a file is closed when
 * its fid ends and nobody reads or writes it any more.
 */
import { NO_FID } from '../../machine/devices/virtio/nine-p-wire.ts';
import {
  type Access,
  type Entry,
  type OpenFile,
  ShareError,
  type ShareFileSystem,
} from './file-system.ts';

export interface Fid<N> {
  node: N;
  /** An open file, and for what. */
  file?: { readonly file: OpenFile; readonly access: Access };
  /** An open folder: its entries when they were first read. */
  entries?: readonly Entry[] | 'unread';
}

/** Files that a session may hold open: each costs the host something. */
const OPEN_MAX = 4096;

export class Fids<N> {
  readonly #fs: ShareFileSystem<N>;
  readonly #limit: number;
  readonly #fids = new Map<number, Fid<N>>();
  #open = 0;

  constructor(fs: ShareFileSystem<N>, limit: number) {
    this.#fs = fs;
    this.#limit = limit;
  }

  get(number: number): Fid<N> {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new ShareError('EBADF');
    return fid;
  }

  /** A fid that is not in use, or the one that is to be replaced. */
  checkFree(number: number, except?: number): void {
    if (number === NO_FID || (number !== except && this.#fids.has(number)))
      throw new ShareError('EBADF');
    if (this.#fids.size >= this.#limit && number !== except) throw new ShareError('EMFILE');
  }

  add(number: number, node: N): Fid<N> {
    this.checkFree(number);
    const fid: Fid<N> = { node };
    this.#fids.set(number, fid);
    this.#fs.hold?.(node);
    return fid;
  }

  /** Makes a fid point elsewhere. */
  move(fid: Fid<N>, node: N): void {
    this.#fs.hold?.(node);
    this.#fs.release?.(fid.node);
    fid.node = node;
  }

  checkOpen(): void {
    if (this.#open >= OPEN_MAX) throw new ShareError('EMFILE');
  }

  opened(fid: Fid<N>, file: OpenFile, access: Access): void {
    this.#open++;
    fid.file = { file, access };
  }

  async remove(number: number): Promise<void> {
    const fid = this.get(number);
    this.#fids.delete(number);
    await this.#end(fid);
  }

  async clear(): Promise<void> {
    const fids = [...this.#fids.values()];
    this.#fids.clear();
    for (const fid of fids) await this.#end(fid).catch(() => {});
  }

  async #end(fid: Fid<N>): Promise<void> {
    const open = fid.file;
    delete fid.file;
    this.#fs.release?.(fid.node);
    if (!open) return;
    this.#open--;
    await open.file.close();
  }
}
