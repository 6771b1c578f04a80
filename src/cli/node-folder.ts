/**
 * A folder of the host as storage. Relies on Node's synchronous file operations, as OPFS has them too
 * in a worker; guarantees that a flush has reached the host's disk, that a new file is in its
 * folder by then, and that one process at a time uses a folder that is `locked`.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { checkName, StorageError, type StorageFile, type StorageFolder } from '../storage/files.ts';
import { reasonOf } from './repository.ts';

/** Lock files of this process. */
const held = new Set<string>();

export class NodeFolder implements StorageFolder {
  readonly #path: string;

  /** The folder is made when it is missing. */
  constructor(path: string) {
    this.#path = path;
    attempt(path, () => fs.mkdirSync(path, { recursive: true }));
  }

  async open(name: string, how: 'existing' | 'create'): Promise<StorageFile> {
    checkName(name);
    const path = join(this.#path, name);
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
    return attempt(path, () => {
      const isNew = how === 'create' && !fs.existsSync(path);
      const fd = fs.openSync(path, O_RDWR | O_NOFOLLOW | (how === 'create' ? O_CREAT : 0), 0o666);
      if (isNew) flushFolder(this.#path);
      return new NodeFile(path, fd);
    });
  }

  async folder(name: string): Promise<NodeFolder> {
    checkName(name);
    const path = join(this.#path, name);
    const isNew = !fs.existsSync(path);
    const folder = new NodeFolder(path);
    if (isNew) attempt(path, () => flushFolder(this.#path));
    return folder;
  }

  async list() {
    const entries = attempt(this.#path, () => fs.readdirSync(this.#path, { withFileTypes: true }));
    return entries
      .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
      .map((entry) => ({
        name: entry.name,
        kind: entry.isFile() ? ('file' as const) : ('folder' as const),
      }));
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    const path = join(this.#path, name);
    attempt(path, () => fs.rmSync(path, { recursive: true, force: true }));
  }

  /**
   * Takes the folder for this process, or throws StorageError that says who has it. What a process
   * left that was killed does not count.
   */
  lock(): { release(): void } {
    const path = join(this.#path, '.lock');
    attempt(path, () => {
      for (;;) {
        try {
          fs.writeFileSync(path, String(process.pid), { flag: 'wx' });
          return;
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
        }
        const owner = Number(fs.readFileSync(path, 'utf8'));
        if (isAlive(owner, path)) {
          throw new StorageError(
            'busy',
            `${this.#path} is in use by process ${owner}. End that one first.`,
          );
        }
        fs.rmSync(path, { force: true });
      }
    });
    held.add(path);
    return {
      release: () => {
        held.delete(path);
        fs.rmSync(path, { force: true });
      },
    };
  }
}

class NodeFile implements StorageFile {
  constructor(
    private readonly path: string,
    private readonly fd: number,
  ) {}

  size(): number {
    return attempt(this.path, () => fs.fstatSync(this.fd).size);
  }

  read(offset: number, into: Uint8Array): number {
    return attempt(this.path, () => {
      let done = 0;
      while (done < into.length) {
        const count = fs.readSync(this.fd, into, done, into.length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  write(offset: number, from: Uint8Array): void {
    attempt(this.path, () => {
      for (let done = 0; done < from.length; ) {
        done += fs.writeSync(this.fd, from, done, from.length - done, offset + done);
      }
    });
  }

  truncate(size: number): void {
    attempt(this.path, () => fs.ftruncateSync(this.fd, size));
  }

  flush(): void {
    attempt(this.path, () => fs.fdatasyncSync(this.fd));
  }

  close(): void {
    attempt(this.path, () => fs.closeSync(this.fd));
  }
}

/** A file's name is durable only when its folder is. */
function flushFolder(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function isAlive(pid: number, path: string): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  // A process that was killed may have had the number that is ours now: what we hold we know.
  if (pid === process.pid) return held.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

const KINDS: Readonly<Record<string, StorageError['kind']>> = {
  ENOENT: 'missing',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EBUSY: 'busy',
};

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const kind = KINDS[code] ?? 'failed';
    if (kind === 'full') throw new StorageError(kind, `The host's disk is full, at ${path}.`);
    throw new StorageError(kind, `${path} cannot be used: ${reasonOf(error)}.`);
  }
}
