/**
 * A disk image file as a virtual disk. Relies on Node's asynchronous file operations; guarantees
 * that a flush has reached the host's disk when it ends, and that zeroes are written in bounded
 * pieces; a read-only file that ends within a sector reads as zeroes from there on, a writable one
 * is refused, for nothing of it may get lost. The file is the raw contents of the disk: it names no other file.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { type BlockBackend, SECTOR } from '../machine/devices/virtio/block-backend.ts';
import { UserError } from '../machine/errors.ts';
import { reasonOf } from './repository.ts';

const ZEROES = new Uint8Array(1 << 20);
const ID_LENGTH = 20;

export class FileDisk implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  readonly id: string;
  readonly #file: FileHandle;
  /** Bytes of the file: less than `size` when its last sector is not whole. */
  readonly #end: number;

  private constructor(file: FileHandle, end: number, readOnly: boolean, id: string) {
    this.#file = file;
    this.#end = end;
    this.size = Math.ceil(end / SECTOR) * SECTOR;
    this.readOnly = readOnly;
    this.id = id;
  }

  static async open(path: string, readOnly: boolean): Promise<FileDisk> {
    let file: FileHandle;
    try {
      file = await open(path, readOnly ? constants.O_RDONLY : constants.O_RDWR);
    } catch (error) {
      throw new UserError(`The disk ${path} cannot be opened: ${reasonOf(error)}.`);
    }
    try {
      const size = await sizeOf(file, path, readOnly);
      const id = basename(path).replace(/[^\x20-\x7e]/g, '?');
      return new FileDisk(file, size, readOnly, id.slice(0, ID_LENGTH));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await this.#file.read(into, done, into.length - done, offset + done);
      if (bytesRead === 0) {
        if (offset + done < this.#end) {
          throw new Error(`The disk file ended at byte ${offset + done}.`);
        }
        into.fill(0, done);
        return;
      }
      done += bytesRead;
    }
  }

  async write(offset: number, from: Uint8Array): Promise<void> {
    for (let done = 0; done < from.length; ) {
      const { bytesWritten } = await this.#file.write(
        from,
        done,
        from.length - done,
        offset + done,
      );
      done += bytesWritten;
    }
  }

  async flush(): Promise<void> {
    await this.#file.datasync();
  }

  async discard(): Promise<void> {
    // Allowed to do nothing (virtio 1.2 §5.2.6.2): Node has no call that gives space back.
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += ZEROES.length) {
      const part = ZEROES.subarray(0, Math.min(ZEROES.length, length - done));
      await this.write(offset + done, part);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function sizeOf(file: FileHandle, path: string, readOnly: boolean): Promise<number> {
  const stat = await file.stat();
  if (!stat.isFile()) {
    throw new UserError(`The disk ${path} is no plain file. Give a file with the disk's contents.`);
  }
  if (stat.size < SECTOR) {
    throw new UserError(
      `The disk ${path} has ${stat.size} bytes; a disk has ${SECTOR} at least. ` +
        `Make one with "truncate -s 1G ${path}".`,
    );
  }
  const rest = stat.size % SECTOR;
  if (rest > 0 && !readOnly) {
    throw new UserError(
      `The disk ${path} has ${stat.size} bytes, which is no multiple of ${SECTOR}: the guest could ` +
        `not use the last ${rest}. Make them a sector with ` +
        `"truncate -s ${stat.size - rest + SECTOR} ${path}", or give the disk as ${path},ro.`,
    );
  }
  return stat.size;
}
