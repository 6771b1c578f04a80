/**
 * Small documents by name: the list of disks, of snapshots, settings. Each is kept in two files that
 * take turns, with a generation and a checksum: whatever moment the power goes, what is read
 * afterwards is the former document or the new one, whole. Values are JSON; what they mean is for
 * the reader's schema.
 */
import { StorageError, type StorageFile, type StorageFolder } from './files.ts';
import { checksum } from './hash.ts';

const MAGIC = 0x43425654; // "TVBC"
const HEADER = 20;
/** Bytes of the largest document. */
const SIZE_MAX = 64 << 20;
const SLOTS = ['a', 'b'] as const;

export class Catalog {
  /** One operation on a name at a time. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(private readonly folder: StorageFolder) {}

  /** The document's value; undefined when there is none. */
  read(name: string): Promise<unknown> {
    return this.#alone(name, async () => (await this.#newest(name))?.value);
  }

  /** When it resolves, the document survives. */
  write(name: string, value: unknown): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(value));
    if (text.length > SIZE_MAX) {
      throw new StorageError('failed', `The document ${name} is too large to be stored.`);
    }
    return this.#alone(name, async () => {
      const newest = await this.#newest(name);
      const slot = newest?.slot === 'a' ? 'b' : 'a';
      const bytes = new Uint8Array(HEADER + text.length);
      bytes.set(text, HEADER);
      const view = new DataView(bytes.buffer);
      const generation = (newest?.generation ?? 0) + 1;
      for (const [i, word] of [MAGIC, generation, text.length, checksum(text)].entries()) {
        view.setUint32(i * 4, word, true);
      }
      view.setUint32(16, checksum(bytes.subarray(0, 16)), true);
      const file = await this.folder.open(`${name}.${slot}`, 'create');
      try {
        file.write(0, bytes);
        file.truncate(bytes.length);
        file.flush();
      } finally {
        file.close();
      }
    });
  }

  async list(): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const { name, kind } of await this.folder.list()) {
      if (kind === 'file' && /\.[ab]$/.test(name)) names.add(name.slice(0, -2));
    }
    const there: string[] = [];
    for (const name of [...names].sort()) {
      if ((await this.read(name)) !== undefined) there.push(name);
    }
    return there;
  }

  remove(name: string): Promise<void> {
    return this.#alone(name, async () => {
      // The older one first: were it left alone, it would come back.
      const newest = await this.#newest(name);
      const slots = newest?.slot === 'a' ? ['b', 'a'] : ['a', 'b'];
      for (const slot of slots) await this.folder.remove(`${name}.${slot}`);
    });
  }

  async #newest(name: string) {
    let newest: { slot: string; generation: number; value: unknown } | undefined;
    for (const slot of SLOTS) {
      const file = await this.folder.open(`${name}.${slot}`, 'existing').catch((error: unknown) => {
        if (error instanceof StorageError && error.kind === 'missing') return undefined;
        throw error;
      });
      if (file === undefined) continue;
      try {
        const found = read(file);
        if (found && (newest === undefined || found.generation > newest.generation)) {
          newest = { slot, ...found };
        }
      } finally {
        file.close();
      }
    }
    return newest;
  }

  #alone<T>(name: string, action: () => Promise<T>): Promise<T> {
    const result = (this.#busy.get(name) ?? Promise.resolve()).then(action, action);
    this.#busy.set(name, result);
    const done = () => {
      if (this.#busy.get(name) === result) this.#busy.delete(name);
    };
    result.then(done, done);
    return result;
  }
}

function read(file: StorageFile): { generation: number; value: unknown } | undefined {
  const header = new Uint8Array(HEADER);
  if (file.read(0, header) < HEADER) return undefined;
  const view = new DataView(header.buffer);
  const word = (i: number) => view.getUint32(i * 4, true);
  const length = word(2);
  if (word(0) !== MAGIC || word(4) !== checksum(header.subarray(0, 16))) return undefined;
  if (length > SIZE_MAX || length > file.size()) return undefined;
  const text = new Uint8Array(length);
  if (file.read(HEADER, text) < length || checksum(text) !== word(3)) return undefined;
  return { generation: word(1), value: JSON.parse(new TextDecoder().decode(text)) };
}
