/**
 * Fuzzer of what snapshots are kept in: the storage's records, tables, packs and disk layers, the
 * file .tabvm, the manifest of a disk image. All are valid but for a few damaged places; a .tabvm is
 * also forged, its digests right. What is read is what was stored, or a StorageError in one
 * sentence; nothing else is thrown, and nothing takes more memory than there are bytes.
 */
import type { PageRun } from '../../src/machine/snapshot/snapshot.ts';
import { StateError } from '../../src/machine/state.ts';
import { DiskStore } from '../../src/storage/disk/disk-store.ts';
import { StorageError, type StorageFolder } from '../../src/storage/files.ts';
import { diskImageId, formatDiskImage, parseDiskImage } from '../../src/storage/image/manifest.ts';
import { stateCodec } from '../../src/storage/snapshots/codec.ts';
import { SnapshotStore } from '../../src/storage/snapshots/snapshot-store.ts';
import { BLOCK_HEADER, encodeBlock, MAGIC, Part } from '../../src/storage/tabvm/blocks.ts';
import { digestOf, exportTabvm } from '../../src/storage/tabvm/export.ts';
import { type RandomAccess, TabvmFile } from '../../src/storage/tabvm/file.ts';
import { MemoryFolder } from '../../src/storage/testing/memory-folder.ts';
import { Finding, type Fuzzer, type Random } from './fuzzer.ts';
import { type Json, mutated, textOf } from './json.ts';

const PAGE = 4096;
const PAGES = 40;
const MEMORY = PAGES * PAGE;
const DISK = 300 << 10;
/** How often each was refused and read: a test shows that both happen. */
export const outcomes = { refused: 0, whole: 0 };

/** What `read` gives; undefined where it refuses as it should. */
async function attempt<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    const result = await read();
    outcomes.whole++;
    return result;
  } catch (error) {
    if (!(error instanceof StorageError || error instanceof StateError)) throw error;
    if (!/^[^\p{C}]+\.$/u.test(error.message) || error.message.length > 1000) {
      throw new Finding(`This is no sentence: ${JSON.stringify(error.message.slice(0, 2000))}`);
    }
    outcomes.refused++;
    return undefined;
  }
}

/* Storage */

function anyRam(random: Random): Map<number, Uint8Array<ArrayBuffer>> {
  const ram = new Map<number, Uint8Array<ArrayBuffer>>();
  for (let i = random.between(1, 20); i > 0; i--) {
    ram.set(random.below(PAGES), new Uint8Array(PAGE).fill(random.between(1, 255)));
  }
  return ram;
}

async function open(folder: StorageFolder) {
  const disks = await DiskStore.open(folder, () =>
    Promise.reject(new StorageError('missing', 'There are no images.')),
  );
  return { disks, store: await SnapshotStore.open(folder, disks, stateCodec) };
}

async function allFiles(folder: StorageFolder): Promise<{ folder: StorageFolder; name: string }[]> {
  const files: { folder: StorageFolder; name: string }[] = [];
  for (const { name, kind } of await folder.list()) {
    if (kind === 'file') files.push({ folder, name });
    else files.push(...(await allFiles(await folder.folder(name))));
  }
  return files;
}

/** Damages a few bytes of a file, or its length; never nothing. */
async function damageFile(folder: StorageFolder, name: string, random: Random): Promise<void> {
  const file = await folder.open(name, 'existing');
  try {
    const size = file.size();
    if (size === 0 || random.once(8)) {
      file.truncate(random.once(2) ? random.below(size + 1) : size + random.below(9000));
      return;
    }
    for (let i = random.between(1, 4); i > 0; i--) {
      const at = random.below(random.once(2) ? Math.min(size, 64) : size);
      file.write(at, random.bytes(Math.min(size - at, random.pick([1, 1, 4, 16]))));
    }
  } finally {
    file.close();
  }
}

async function playStorage(random: Random): Promise<void> {
  const folder = new MemoryFolder();
  const first = await open(folder);
  const made = await first.disks.create({ kind: 'persistent', size: DISK });
  const disk = await first.disks.openDisk(made.id);
  const contents = new Uint8Array(DISK);
  const kept = new Map<string, Map<number, Uint8Array>>();
  const disks = new Map<string, Uint8Array>();
  let ram = new Map<number, Uint8Array<ArrayBuffer>>();
  let base: string | undefined;
  for (let i = random.between(1, 3); i > 0; i--) {
    const part = random.bytes(512 * random.between(1, 20));
    const at = 512 * random.below((DISK - part.length) / 512);
    await disk.write(at, part);
    contents.set(part, at);
    const token = random.u32().toString(16).padStart(32, '0');
    disk.freeze(token);
    const changed = anyRam(random);
    ram = new Map([...ram, ...changed]);
    const sink = first.store.sink({
      vm: 'vm',
      name: 'one',
      kind: 'manual',
      time: i,
      disks: async (instant) => [{ size: DISK, ...(await disk.frozen(instant)) }],
    });
    await sink.begin({
      memory: MEMORY,
      state: { number: i },
      token,
      ...(base !== undefined && { base }),
    });
    const runs: PageRun[] = [...changed].map(([first, bytes]) => ({ first, bytes }));
    for (const run of runs) await sink.pages(run);
    await sink.end();
    base = token;
    kept.set(token, new Map(ram));
    disks.set(token, contents.slice());
  }
  await first.disks.close(made.id);
  await first.store.close();

  const files = await allFiles(folder);
  for (let i = random.between(1, 2); i > 0; i--) {
    const { folder, name } = random.pick(files);
    await damageFile(folder, name, random);
  }
  const second = await open(folder);
  const records = (await attempt(() => second.store.list())) ?? [];
  for (const record of records) {
    const before = kept.get(record.token);
    if (!before) throw new Finding('A snapshot is listed that nobody has taken.');
    const pages = await attempt(async () => {
      const source = await second.store.source(record.id);
      const read = new Map<number, Uint8Array>();
      try {
        for await (const { first, bytes } of source.pages()) {
          for (let at = 0; at < bytes.length; at += PAGE) {
            read.set(first + at / PAGE, bytes.slice(at, at + PAGE));
          }
        }
      } finally {
        await source.close();
      }
      return read;
    });
    if (pages && !samePages(pages, before)) {
      throw new Finding('A snapshot was read that is another than was stored.');
    }
    for (const chain of record.disks) {
      const back = await attempt(async () => {
        const opened = await second.disks.openChain(chain);
        const bytes = new Uint8Array(DISK);
        try {
          await opened.read(0, bytes);
        } finally {
          await opened.close();
        }
        return bytes;
      });
      if (back && Buffer.compare(back, disks.get(record.token) ?? new Uint8Array(0)) !== 0) {
        throw new Finding('A disk was read that is another than was frozen.');
      }
    }
    await attempt(() => second.store.verify(record.id));
  }
  await attempt(() => second.store.collect());
}

function samePages(one: Map<number, Uint8Array>, other: Map<number, Uint8Array>): boolean {
  if (one.size !== other.size) return false;
  for (const [page, bytes] of one) {
    if (Buffer.compare(bytes, other.get(page) ?? new Uint8Array(0)) !== 0) return false;
  }
  return true;
}

/* Files */

interface Block {
  part: number;
  offset: number;
  contents: Uint8Array<ArrayBuffer>;
}

const HEAD: Json = {
  name: 'vm',
  note: '',
  template: 'micro',
  append: 'quiet',
  time: 5,
  thumbnail: '',
  format: 1,
  memory: MEMORY,
  token: 'ab'.repeat(16),
  state: 4,
  kernel: 1000,
  initrd: 0,
  disks: [{ size: DISK }],
};

/** A file whose digests are right, whatever its blocks say. */
async function forged(random: Random): Promise<Uint8Array> {
  const json = mutated(HEAD, random, 60);
  const blocks: Block[] = [
    { part: Part.HEAD, offset: 0, contents: new TextEncoder().encode(textOf(json, random)) },
    { part: Part.STATE, offset: 0, contents: stateCodec.encode({ a: 1 }) },
    { part: Part.KERNEL, offset: 0, contents: random.bytes(1000) },
    { part: Part.RAM, offset: PAGE, contents: new Uint8Array(2 * PAGE).fill(7) },
    { part: Part.RAM, offset: 9 * PAGE, contents: new Uint8Array(PAGE).fill(8) },
    { part: Part.DISK, offset: 256 << 10, contents: random.bytes(DISK - (256 << 10)) },
  ];
  for (const block of blocks) {
    if (random.once(30)) block.part = random.pick([random.below(30), ...Object.values(Part)]);
    if (random.once(30)) block.offset = random.pick([random.nasty(), random.below(80) * 2048, -1]);
    if (random.once(30)) block.contents = random.bytes(random.below(9000));
  }
  if (random.once(20)) blocks.splice(random.below(blocks.length), 1);
  if (random.once(20)) blocks.push(random.pick(blocks));
  const parts = await Promise.all(blocks.map((b) => encodeBlock(b.part, b.offset, b.contents)));
  const headers = parts.map((part) => part.subarray(0, BLOCK_HEADER));
  // Lengths that are not those of the contents: the digests do not know of them.
  for (const header of headers) {
    if (random.once(40)) {
      new DataView(header.buffer).setUint32(random.pick([4, 8, 12]), random.nasty(), true);
    }
  }
  const end = await encodeBlock(Part.END, 0, await digestOf(headers));
  return Buffer.concat([MAGIC, ...parts, end]);
}

async function exported(random: Random): Promise<Uint8Array> {
  const ram = anyRam(random);
  const disk = random.bytes(600);
  const { name, note, template, append, time, thumbnail } = {
    ...{ name: 'vm', note: '', template: '', append: '', time: 1, thumbnail: '' },
  };
  const stream = exportTabvm({
    head: { name, note, template, append, time, thumbnail },
    source: {
      image: { memory: MEMORY, state: { a: [1, 'x'] }, token: 'cd'.repeat(16) },
      async *pages() {
        for (const first of [...ram.keys()].sort((a, b) => a - b)) {
          yield { first, bytes: ram.get(first)! };
        }
      },
    },
    codec: stateCodec,
    kernel: random.bytes(100),
    disks: [
      { size: DISK, read: (at, into) => into.set(at === 0 ? disk : new Uint8Array(into.length)) },
    ],
  });
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  const file = Buffer.concat(parts);
  if (random.once(8)) return file.subarray(0, random.below(file.length));
  for (let i = random.below(4); i > 0; i--) file[random.below(file.length)] = random.below(256);
  return file;
}

async function playTabvm(random: Random): Promise<void> {
  const bytes = await (random.once(3) ? exported(random) : forged(random));
  let asked = 0;
  const access: RandomAccess = {
    size: () => bytes.length,
    read: (offset, into) => {
      if (!(offset >= 0) || into.length > 256 << 10) {
        throw new Finding(`${into.length} bytes were asked for at ${offset}.`);
      }
      asked += into.length;
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
  const file = await attempt(() => TabvmFile.open(access, stateCodec));
  if (!file) return;
  const { head } = file;
  const source = await attempt(() => file.source());
  await attempt(async () => {
    let end = 0;
    for await (const { first, bytes } of source?.pages() ?? []) {
      const last = first * PAGE + bytes.length;
      if (first * PAGE < end || last > head.memory || bytes.length % PAGE !== 0) {
        throw new Finding(`A file gives ${bytes.length} bytes for page ${first}.`);
      }
      end = last;
    }
  });
  for (const [size, part] of [
    [head.kernel, await attempt(() => file.kernel())],
    [head.initrd, await attempt(() => file.initrd())],
  ] as const) {
    if (part && part.length !== size) throw new Finding('A part has another size.');
  }
  for (const [i, { size }] of head.disks.entries()) {
    const disk = file.disk(i);
    await attempt(async () => {
      for (let at = 0; at < Math.min(size, 16 << 20); at += disk.chunkSize) {
        const chunk = at / disk.chunkSize;
        if (disk.isZero(chunk)) continue;
        const { length } = await disk.load(chunk);
        if (length !== Math.min(disk.chunkSize, size - at)) {
          throw new Finding(`A chunk of a disk has ${length} bytes.`);
        }
      }
    });
  }
  await attempt(() => file.verify());
  if (asked > 20 * bytes.length + 1e6) throw new Finding(`${asked} bytes were read of a file.`);
}

/* Manifests of disks */

const HASHES = ['0123456789abcdef', 'fedcba9876543210', '00112233445566ff'].map((one) =>
  one.repeat(4),
);

async function playManifest(random: Random): Promise<void> {
  const chunkSize = random.pick([64, 256, 1024]) << 10;
  const size = 512 * random.between(1, 5000);
  const count = Math.ceil(size / chunkSize);
  const chunk = () =>
    random.once(3) ? null : { sha256: random.pick(HASHES), size: random.between(1, 9000) };
  const valid: Json = {
    format: 1,
    size,
    chunkSize,
    chunks: Array.from({ length: count }, chunk),
    ...(random.once(2) ? { bootOrder: [0, random.below(count)] } : {}),
  };
  const text = textOf(mutated(valid, random, 60), random);
  const image = await attempt(() => parseDiskImage(text, 'disk.json'));
  if (!image) return;
  const { chunks, bootOrder = [] } = image;
  const fits = chunks.length === Math.ceil(image.size / image.chunkSize);
  if (!fits || image.size > 2 ** 36 || bootOrder.some((one) => !(one < chunks.length))) {
    throw new Finding(`A manifest got through: ${text.slice(0, 500)}`);
  }
  for (const one of chunks) {
    if (one && !/^[0-9a-f]{64}$/.test(one.sha256)) throw new Finding(`A chunk is ${one.sha256}.`);
  }
  const again = parseDiskImage(formatDiskImage(image), 'disk.json');
  if ((await diskImageId(image)) !== (await diskImageId(again))) {
    throw new Finding('An image has two names.');
  }
}

const PLAYS = [playStorage, playTabvm, playTabvm, playManifest];

export const snapshots: Fuzzer = {
  name: 'snapshots',
  what: 'snapshots in storage, .tabvm files (also forged) and manifests of disks, damaged',
  bounded: 400,
  play: (random) => random.pick(PLAYS)(random),
};
