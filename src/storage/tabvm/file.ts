/**
 * Reads a .tabvm file, from wherever its bytes can be asked for. Opening looks at every header and at
 * the digest over all of them; contents are verified when they are read. Guarantees that nothing a
 * file says leads to more memory than its schema allows, or to bytes outside their part.
 */
import * as v from 'valibot';
import { excerpt } from '../../machine/errors.ts';
import type { PageRun, SnapshotSource } from '../../machine/snapshot/snapshot.ts';
import { StorageError } from '../files.ts';
import type { BaseImage } from '../image/chunks.ts';
import { PAGE, type StateCodec } from '../snapshots/record.ts';
import {
  BLOCK_HEADER,
  BLOCK_MAX,
  type BlockHeader,
  damaged,
  decodeContents,
  decodeHeader,
  MAGIC,
  Part,
} from './blocks.ts';
import { digestOf } from './export.ts';
import { type TabvmHead, TabvmHeadSchema } from './head.ts';

/** Bytes that can be asked for. A short answer is the end of the file. */
export interface RandomAccess {
  size(): number;
  read(offset: number, into: Uint8Array): number | Promise<number>;
}

interface Block extends BlockHeader {
  readonly at: number;
}

/** Headers and their contents that one file may have: RAM and disks of the largest kind. */
const BLOCKS_MAX = 1 << 20;

export class TabvmFile {
  private constructor(
    readonly head: TabvmHead,
    private readonly file: RandomAccess,
    private readonly parts: ReadonlyMap<number, readonly Block[]>,
    private readonly codec: StateCodec,
  ) {}

  /** Opens a file, or throws StorageError with a sentence. */
  static async open(file: RandomAccess, codec: StateCodec): Promise<TabvmFile> {
    const magic = new Uint8Array(MAGIC.length);
    if ((await file.read(0, magic)) < magic.length || !startsLike(magic)) {
      throw damaged('it does not begin like one');
    }
    if (magic[6] !== MAGIC[6] || magic[7] !== MAGIC[7]) {
      const version = magic[6]! | (magic[7]! << 8);
      throw new StorageError(
        'failed',
        `The .tabvm file is of version ${version}, and this Tabvisor reads version ${MAGIC[6]}. ` +
          'Open it with the Tabvisor that wrote it, or a newer one.',
      );
    }
    const parts = new Map<number, Block[]>();
    const headers: Uint8Array[] = [];
    let end: Block | undefined;
    for (let at = MAGIC.length; end === undefined; ) {
      const bytes = new Uint8Array(BLOCK_HEADER);
      if ((await file.read(at, bytes)) < BLOCK_HEADER) throw damaged('its end is missing');
      const block = { ...decodeHeader(bytes), at: at + BLOCK_HEADER };
      at = block.at + block.stored;
      if (block.part === Part.END) {
        if (at !== file.size()) throw damaged('something follows its end');
        end = block;
        break;
      }
      if (headers.push(bytes) > BLOCKS_MAX) throw damaged('it has too many blocks');
      const blocks = parts.get(block.part) ?? [];
      const last = blocks.at(-1);
      if (last && block.offset < last.offset + last.length) throw damaged('its blocks overlap');
      blocks.push(block);
      parts.set(block.part, blocks);
    }
    const digest = await contentsOf(file, end);
    const expected = await digestOf(headers);
    if (digest.length !== expected.length || digest.some((byte, i) => byte !== expected[i])) {
      throw damaged('its digest is another');
    }
    const head = await headOf(file, parts.get(Part.HEAD)?.[0]);
    const opened = new TabvmFile(head, file, parts, codec);
    opened.#check();
    return opened;
  }

  /** The snapshot in it. */
  async source(): Promise<SnapshotSource> {
    const state = this.codec.decode(await this.#whole(Part.STATE, this.head.state));
    const blocks = this.parts.get(Part.RAM) ?? [];
    const read = (block: Block) => contentsOf(this.file, block);
    return {
      image: { memory: this.head.memory, state, token: this.head.token },
      async *pages(): AsyncGenerator<PageRun> {
        for (const block of blocks) {
          yield { first: block.offset / PAGE, bytes: await read(block) };
        }
      },
    };
  }

  /** The kernel; undefined when the file does without. */
  async kernel(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.head.kernel === 0 ? undefined : this.#whole(Part.KERNEL, this.head.kernel);
  }

  async initrd(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.head.initrd === 0 ? undefined : this.#whole(Part.INITRD, this.head.initrd);
  }

  /** What the shared folder held; undefined when that is no part of it. */
  async share(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { share } = this.head;
    return share === undefined ? undefined : this.#whole(Part.SHARE, share);
  }

  /** A disk in it, to read: as what lies below an overlay, or to copy. */
  disk(index: number): BaseImage {
    const { size } = this.head.disks[index]!;
    const blocks = new Map<number, Block>();
    for (const block of this.parts.get(Part.DISK + index) ?? []) {
      blocks.set(block.offset / BLOCK_MAX, block);
    }
    return {
      size,
      chunkSize: BLOCK_MAX,
      isZero: (chunk) => !blocks.has(chunk),
      peek: () => undefined,
      load: async (chunk) => {
        const block = blocks.get(chunk);
        if (!block) throw damaged('a part of a disk is missing');
        return contentsOf(this.file, block);
      },
    };
  }

  /** Reads and checks all of it. */
  async verify(progress?: (done: number, total: number) => void): Promise<void> {
    await this.source();
    const all = [...this.parts.values()].flat();
    for (const [i, block] of all.entries()) {
      await contentsOf(this.file, block);
      progress?.(i + 1, all.length);
    }
  }

  #check(): void {
    const { memory, disks, state, kernel, initrd, share = 0 } = this.head;
    const sizes = new Map<number, number>([
      [Part.HEAD, BLOCK_MAX],
      [Part.STATE, state],
      [Part.KERNEL, kernel],
      [Part.INITRD, initrd],
      [Part.SHARE, share],
      [Part.RAM, memory],
      ...disks.map(({ size }, i): [number, number] => [Part.DISK + i, size]),
    ]);
    for (const [part, blocks] of this.parts) {
      const size = sizes.get(part) ?? 0;
      for (const { offset, length } of blocks) {
        if (offset + length > size) throw damaged('a block lies outside of its part');
        const whole = part === Part.RAM ? PAGE : part >= Part.DISK ? BLOCK_MAX : 1;
        const aligned = offset % whole === 0 && (part !== Part.RAM || length % PAGE === 0);
        const complete = part < Part.DISK || length === Math.min(BLOCK_MAX, size - offset);
        if (!aligned || !complete) throw damaged('a block lies askew');
      }
    }
  }

  async #whole(part: number, size: number): Promise<Uint8Array<ArrayBuffer>> {
    const blocks = this.parts.get(part) ?? [];
    // Before there is memory for as much as the description says.
    let end = 0;
    for (const { offset, length } of blocks) end = offset === end ? end + length : -1;
    if (end !== size) throw damaged('a part of it is missing');
    const bytes = new Uint8Array(size);
    for (const block of blocks) bytes.set(await contentsOf(this.file, block), block.offset);
    return bytes;
  }
}

function startsLike(magic: Uint8Array): boolean {
  return MAGIC.subarray(0, 6).every((byte, i) => magic[i] === byte);
}

async function contentsOf(file: RandomAccess, block: Block): Promise<Uint8Array<ArrayBuffer>> {
  const stored = new Uint8Array(block.stored);
  if ((await file.read(block.at, stored)) < stored.length) throw damaged('it ends too early');
  return decodeContents(block, stored);
}

async function headOf(file: RandomAccess, block: Block | undefined): Promise<TabvmHead> {
  if (!block) throw damaged('it has no description');
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(await contentsOf(file, block)));
  } catch (error) {
    throw isStorageError(error) ? error : damaged('its description is not readable');
  }
  const head = v.safeParse(TabvmHeadSchema, json);
  if (head.success) return head.output;
  throw damaged(
    `its description does not fit (${excerpt(v.getDotPath(head.issues[0]) ?? 'the whole')})`,
  );
}

function isStorageError(error: unknown): error is StorageError {
  return error instanceof Error && error.name === 'StorageError';
}
