/**
 * A shared folder in memory as part of a snapshot: what was there at the instant, without copying it,
 * and as one piece of bytes. Reading one trusts nothing: it is checked to the last byte, and what does
 * not fit is a StorageError before the folder is touched.
 */
import * as v from 'valibot';
import { StorageError } from '../files.ts';
import {
  CHUNK,
  type MemoryFile,
  type MemoryFolder,
  type MemoryFs,
  type MemoryNode,
} from './memory-fs.ts';

/** "TVSHARE1" */
const MAGIC = 0x3145_5241_4853_5654n;
const HEAD = 16;
const JSON_MAX = 256 << 20;

const Id = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const Size = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(2 ** 40));
const U32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const Time = v.pipe(v.number(), v.finite());
const Name = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(255),
  v.check((name) => name !== '.' && name !== '..' && !/[/\0]/.test(name), 'it is no name'),
);
const common = {
  id: Id,
  mode: v.pipe(U32, v.maxValue(0o7777)),
  uid: U32,
  gid: U32,
  atime: Time,
  mtime: Time,
  ctime: Time,
  version: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
};
const NodeSchema = v.variant('kind', [
  v.strictObject({
    ...common,
    kind: v.literal('file'),
    size: Size,
    /** Numbers of its chunks, whose bytes follow in this order. */
    chunks: v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 24))),
  }),
  v.strictObject({
    ...common,
    kind: v.literal('folder'),
    children: v.array(v.strictTuple([Name, Id])),
  }),
  v.strictObject({
    ...common,
    kind: v.literal('link'),
    target: v.pipe(v.string(), v.minLength(1), v.maxLength(4095)),
  }),
]);
const ImageSchema = v.strictObject({ nextId: Id, nodes: v.array(NodeSchema) });
type Image = v.InferOutput<typeof ImageSchema>;

/** The folder as it is now: costs no copy, for what changes later is copied then. */
export class FrozenMemory {
  readonly #image: Image;
  readonly #chunks: readonly Uint8Array<ArrayBuffer>[];

  constructor(fs: MemoryFs) {
    fs.share();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const nodes = Array.from(fs.nodes.values(), (node): Image['nodes'][number] => {
      const { id, mode, uid, gid, atime, mtime, ctime, version } = node;
      const fields = { id, mode, uid, gid, atime, mtime, ctime, version };
      if (node.kind === 'link') return { ...fields, kind: 'link', target: node.target };
      if (node.kind === 'folder') {
        const children = Array.from(node.children, ([name, child]): [string, number] => [
          name,
          child.id,
        ]);
        return { ...fields, kind: 'folder', children };
      }
      for (const { bytes } of node.chunks.values()) chunks.push(bytes);
      return { ...fields, kind: 'file', size: node.size, chunks: [...node.chunks.keys()] };
    });
    this.#image = { nextId: fs.nextId, nodes };
    this.#chunks = chunks;
  }

  /** All of it, in pieces: a head, the tree, then the chunks. */
  *pieces(): Generator<Uint8Array<ArrayBuffer>> {
    const tree = new TextEncoder().encode(JSON.stringify(this.#image));
    const head = new DataView(new ArrayBuffer(HEAD));
    head.setBigUint64(0, MAGIC, true);
    head.setUint32(8, tree.length, true);
    head.setUint32(12, this.#chunks.length, true);
    yield new Uint8Array(head.buffer);
    yield tree;
    yield* this.#chunks;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const pieces = [...this.pieces()];
    const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

/** Makes the folder what it was when `bytes` were taken. */
export function thaw(fs: MemoryFs, bytes: Uint8Array): void {
  const { image, chunks } = parse(bytes);
  const nodes = build(image, chunks);
  const used = nodes.reduce((sum, node) => sum + (node.kind === 'file' ? node.size : 0), 0);
  if (chunks.length * CHUNK > fs.limit) {
    throw new StorageError('full', `The snapshot's shared folder has ${used} bytes, too many.`);
  }
  fs.adopt(nodes, image.nextId);
}

function parse(bytes: Uint8Array): { image: Image; chunks: Uint8Array[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD || view.getBigUint64(0, true) !== MAGIC) throw damaged('it is none');
  const treeBytes = view.getUint32(8, true);
  const count = view.getUint32(12, true);
  const start = HEAD + treeBytes;
  if (treeBytes > JSON_MAX || bytes.length !== start + count * CHUNK)
    throw damaged('bytes are missing');
  let tree: unknown;
  try {
    tree = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice(HEAD, start)));
  } catch {
    throw damaged('its tree cannot be read');
  }
  const image = v.safeParse(ImageSchema, tree);
  if (!image.success) throw damaged(image.issues[0].message);
  const chunks = Array.from({ length: count }, (_, i) =>
    bytes.subarray(start + i * CHUNK, start + (i + 1) * CHUNK),
  );
  return { image: image.output, chunks };
}

function build({ nextId, nodes: saved }: Image, chunks: readonly Uint8Array[]): MemoryNode[] {
  const nodes = new Map<number, MemoryNode>();
  let next = 0;
  for (const node of saved) {
    const { id, mode, uid, gid, atime, mtime, ctime, version } = node;
    if (nodes.has(id) || id >= nextId) throw damaged('a file is there twice');
    const fields = { id, mode, uid, gid, atime, mtime, ctime, version, names: [], held: 0 };
    if (node.kind === 'link') {
      nodes.set(id, { ...fields, kind: 'link', target: node.target });
    } else if (node.kind === 'folder') {
      nodes.set(id, { ...fields, kind: 'folder', children: new Map() });
    } else {
      const file: MemoryFile = { ...fields, kind: 'file', size: node.size, chunks: new Map() };
      for (const index of node.chunks) {
        const chunk = chunks[next++];
        if (!chunk || file.chunks.has(index)) throw damaged('a piece of a file is missing');
        if (index * CHUNK >= node.size) throw damaged('a file is longer than it says');
        file.chunks.set(index, { bytes: chunk.slice(), epoch: -1 });
      }
      nodes.set(id, file);
    }
  }
  if (next !== chunks.length) throw damaged('pieces belong to no file');
  for (const node of saved) {
    if (node.kind !== 'folder') continue;
    const folder = nodes.get(node.id) as MemoryFolder;
    for (const [name, id] of node.children) {
      const child = nodes.get(id);
      if (!child || child === nodes.get(saved[0]!.id)) throw damaged('a name leads nowhere');
      if (folder.children.has(name)) throw damaged('a name is there twice');
      if (child.kind === 'folder' && child.names.length > 0)
        throw damaged('a folder is at two places');
      folder.children.set(name, child);
      child.names.push({ folder, name });
    }
  }
  const [root] = nodes.values();
  if (root?.kind !== 'folder') throw damaged('it has no root');
  // A circle of folders is reached from nowhere, and nothing in it could ever go.
  for (const node of nodes.values()) {
    if (node.kind === 'folder') checkAbove(node, nodes.size);
  }
  return [...nodes.values()];
}

function checkAbove(folder: MemoryFolder, limit: number): void {
  let at: MemoryFolder | undefined = folder;
  for (let steps = 0; at; at = at.names[0]?.folder) {
    if (++steps > limit) throw damaged('folders are in a circle');
  }
}

function damaged(why: string): StorageError {
  return new StorageError('damaged', `The snapshot's shared folder is damaged: ${why}.`);
}
