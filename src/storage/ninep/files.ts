/**
 * The host's hands in a shared folder: lists, puts, reads and removes files by path, beside what
 * guests do in it. Paths are names with `/` between them, from the folder on; one that leads out of it
 * is refused. Bytes go through in pieces, so that a file may be larger than what may be held.
 */
import { StorageError } from '../files.ts';
import { type NewNode, ShareError, type ShareFileSystem } from './file-system.ts';

export interface SharedFile {
  readonly name: string;
  /** From the shared folder on. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

const PIECE = 256 * 1024;
const HOW: NewNode = { mode: 0o644, uid: 0, gid: 0 };
const FOLDER: NewNode = { mode: 0o755, uid: 0, gid: 0 };

export class ShareFiles<N> {
  readonly #fs: ShareFileSystem<N>;
  readonly #changed: () => void;

  constructor(fs: ShareFileSystem<N>, changed: () => void = () => {}) {
    this.#fs = fs;
    this.#changed = changed;
  }

  get readOnly(): boolean {
    return this.#fs.readOnly;
  }

  /** What is in a folder, by name. */
  async list(path = ''): Promise<SharedFile[]> {
    return this.#do(path, async () => {
      const folder = await this.#find(namesOf(path));
      const files: SharedFile[] = [];
      for (const { name } of await this.#fs.list(folder)) {
        const node = await this.#fs.lookup(folder, name);
        const { kind, size, mtime } = await this.#fs.attributes(node);
        files.push({ name, path: [...namesOf(path), name].join('/'), kind, size, modified: mtime });
      }
      return files.sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  /** Puts a file there, with the folders above it; takes the place of one that is there when whole. */
  async put(
    path: string,
    contents: AsyncIterable<Uint8Array>,
    progress: (bytes: number) => void = () => {},
  ): Promise<void> {
    await this.#do(path, async () => {
      if (this.#fs.readOnly) throw new ShareError('EROFS');
      const names = namesOf(path);
      const name = names.pop();
      if (name === undefined) throw new ShareError('EISDIR');
      const folder = await this.#makeFolders(names);
      // A guest never sees half of a file under its name.
      const part = await this.#freeName(folder, name);
      const node = await this.#fs.create(folder, part, HOW);
      this.#fs.hold?.(node);
      try {
        const file = await this.#fs.open(node, 'write', false);
        try {
          let done = 0;
          for await (const bytes of contents) {
            for (let at = 0; at < bytes.length; at += PIECE) {
              await file.write(done + at, bytes.subarray(at, at + PIECE));
            }
            done += bytes.length;
            progress(done);
          }
          await file.flush();
        } finally {
          await file.close();
        }
        await this.#fs.rename(folder, part, folder, name);
      } catch (error) {
        await this.#remove(folder, part);
        throw error;
      } finally {
        this.#fs.release?.(node);
      }
    });
    this.#changed();
  }

  async makeFolder(path: string): Promise<void> {
    await this.#do(path, async () => {
      if (this.#fs.readOnly) throw new ShareError('EROFS');
      await this.#makeFolders(namesOf(path));
    });
    this.#changed();
  }

  /** Bytes of a file. */
  async size(path: string): Promise<number> {
    return this.#do(path, async () => {
      const { kind, size } = await this.#fs.attributes(await this.#find(namesOf(path)));
      if (kind !== 'file') throw new ShareError(kind === 'folder' ? 'EISDIR' : 'ELOOP');
      return size;
    });
  }

  /** The bytes of a file, in pieces. */
  async *read(path: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const node = await this.#do(path, async () => this.#find(namesOf(path)));
    this.#fs.hold?.(node);
    try {
      const file = await this.#do(path, async () => this.#fs.open(node, 'read', false));
      try {
        for (let at = 0; ; ) {
          const piece = new Uint8Array(PIECE);
          const done = await this.#do(path, async () => file.read(at, piece));
          if (done === 0) return;
          yield piece.subarray(0, done);
          at += done;
        }
      } finally {
        await file.close();
      }
    } finally {
      this.#fs.release?.(node);
    }
  }

  /** Removes a file or an empty folder. */
  async remove(path: string): Promise<void> {
    await this.#do(path, async () => {
      if (this.#fs.readOnly) throw new ShareError('EROFS');
      const names = namesOf(path);
      const name = names.pop();
      if (name === undefined) throw new ShareError('EBUSY');
      const folder = await this.#find(names);
      const { kind } = await this.#fs.qid(await this.#fs.lookup(folder, name));
      await this.#fs.remove(folder, name, kind === 'folder' ? 'folder' : 'other');
    });
    this.#changed();
  }

  async #find(names: readonly string[]): Promise<N> {
    let node = this.#fs.root;
    for (const name of names) node = await this.#fs.lookup(node, name);
    return node;
  }

  async #makeFolders(names: readonly string[]): Promise<N> {
    let node = this.#fs.root;
    for (const name of names) {
      const above = node;
      try {
        node = await this.#fs.makeFolder(above, name, FOLDER);
      } catch (error) {
        if (!(error instanceof ShareError) || error.code !== 'EEXIST') throw error;
        node = await this.#fs.lookup(above, name);
      }
    }
    return node;
  }

  async #freeName(folder: N, name: string): Promise<string> {
    const taken = new Set((await this.#fs.list(folder)).map((entry) => entry.name));
    for (let i = 0; ; i++) {
      const free = `.${name.slice(0, 60)}.${i}.part`;
      if (!taken.has(free)) return free;
    }
  }

  async #remove(folder: N, name: string): Promise<void> {
    try {
      await this.#fs.remove(folder, name, 'other');
    } catch {
      // The reason why the file could not be put is the one that counts.
    }
  }

  /** Has an operation done; its failure is a sentence. */
  async #do<R>(path: string, operation: () => Promise<R>): Promise<R> {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof ShareError)) throw error;
      const where = path === '' ? 'The shared folder' : `"${path}" in the shared folder`;
      const kind =
        error.code === 'ENOENT' ? 'missing' : error.code === 'ENOSPC' ? 'full' : 'failed';
      throw new StorageError(kind, `${where}: ${REASONS[error.code] ?? error.code}.`);
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  ENOTEMPTY: 'the folder is not empty',
  EACCES: 'permission was not given',
  EROFS: 'the folder is shared for reading only',
  ENOSPC: 'there is no room left; remove something',
  EINVAL: 'that is no name for a file',
  ELOOP: 'it is a symbolic link, which is not followed',
  ENAMETOOLONG: 'the name is too long',
};

function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  for (const name of names) {
    if (name === '.' || name === '..' || name.includes('\0')) throw new ShareError('EINVAL');
    if (new TextEncoder().encode(name).length > 255) throw new ShareError('ENAMETOOLONG');
  }
  return names;
}
