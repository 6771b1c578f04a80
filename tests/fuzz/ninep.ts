/**
 * Fuzzer of the shared folders: a guest that speaks 9P2000.L well most of the time and badly now and
 * then, against the server over a folder in memory, and damaged images of such a folder. It looks for:
 * a request without an answer or with an ill-formed one, a failure that has no number, memory beyond
 * the limit or that is not given back, and a name that no guest may make.
 */
import {
  errorOf,
  HEADER,
  MSIZE_MAX,
  NO_FID,
  NO_TAG,
  T,
  VERSION_L,
  WireReader,
  WireWriter,
} from '../../src/machine/devices/virtio/nine-p-wire.ts';
import { StorageError } from '../../src/storage/files.ts';
import { MemoryFs } from '../../src/storage/ninep/memory-fs.ts';
import { FrozenMemory, thaw } from '../../src/storage/ninep/memory-image.ts';
import { NinePServer } from '../../src/storage/ninep/server.ts';
import { Finding, type Fuzzer, type Random } from './fuzzer.ts';

const STEPS = 120;
const LIMIT = 1 << 20;
const MSIZE = 8192;
/** A rule is broken once in so many chances. */
const RARELY = 60;
const FIDS = 6;
const NAMES = ['a', 'b', 'c', 'file', 'folder'];
const BAD_NAMES = ['', '.', '..', '/', 'a/b', '../a', 'a\0b', '/etc/passwd', 'x'.repeat(300)];
/** The fields of each request: f fid, n name, s string, 1 2 4 8 numbers, d data. */
const SHAPES: readonly (readonly [type: number, fields: string])[] = [
  [T.STATFS, 'f'],
  [T.LOPEN, 'f4'],
  [T.LCREATE, 'fn444'],
  [T.SYMLINK, 'fns4'],
  [T.MKNOD, 'fn4444'],
  [T.RENAME, 'ffn'],
  [T.READLINK, 'f'],
  [T.GETATTR, 'f8'],
  [T.SETATTR, 'f444488888'],
  [T.XATTRWALK, 'ffs'],
  [T.XATTRCREATE, 'fs84'],
  [T.READDIR, 'f84'],
  [T.FSYNC, 'f4'],
  [T.LOCK, 'f14884s'],
  [T.GETLOCK, 'f1884s'],
  [T.LINK, 'ffn'],
  [T.MKDIR, 'fn44'],
  [T.RENAMEAT, 'fnfn'],
  [T.UNLINKAT, 'fn4'],
  [T.ATTACH, 'ffss4'],
  [T.FLUSH, '2'],
  [T.WALK, 'ffw'],
  [T.READ, 'f84'],
  [T.WRITE, 'f8d'],
  [T.CLUNK, 'f'],
  [T.REMOVE, 'f'],
];

const utf8 = new TextEncoder();

/** A request of any kind, its rules broken now and then. */
export function message(random: Random, tag: number): Uint8Array<ArrayBuffer> {
  const [type, fields] = random.pick(SHAPES);
  const writer = new WireWriter(random.once(RARELY) ? random.below(256) : type, tag);
  const name = () =>
    random.once(RARELY)
      ? random.bytes(random.below(20))
      : utf8.encode(random.once(RARELY) ? random.pick(BAD_NAMES) : random.pick(NAMES));
  const number = (small: number) => (random.once(RARELY) ? random.nasty() : random.below(small));
  const put: Readonly<Record<string, () => void>> = {
    f: () =>
      writer.u32(random.once(RARELY) ? random.pick([NO_FID, random.nasty()]) : random.below(FIDS)),
    n: () => writer.string(name()),
    s: () => writer.string(random.once(3) ? random.bytes(random.below(30)) : name()),
    1: () => writer.u8(random.below(256)),
    2: () => writer.u16(random.below(8)),
    4: () => writer.u32(random.once(4) ? random.below(1 << 10) : number(8)),
    8: () => writer.u64(random.once(RARELY) ? BigInt(random.nasty()) << 31n : number(200_000)),
    d: () => {
      const data = random.bytes(random.below(600));
      writer.u32(random.once(RARELY) ? random.nasty() : data.length).bytes(data);
    },
    w: () => {
      const count = random.below(4);
      writer.u16(random.once(RARELY) ? random.below(0xffff) : count);
      for (let i = 0; i < count; i++) writer.string(name());
    },
  };
  for (const field of fields) put[field]!();
  let bytes = writer.finish().slice();
  if (random.once(RARELY)) bytes = bytes.slice(0, random.below(bytes.length + 1));
  if (random.once(RARELY) && bytes.length > 0)
    bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

function checkAnswer(request: Uint8Array, answer: Uint8Array): void {
  if (answer.length < HEADER || answer.length > MSIZE_MAX)
    throw new Finding('An answer has no legal length.');
  const reader = new WireReader(answer);
  if (reader.u32() !== answer.length) throw new Finding('An answer says another size.');
  const type = reader.u8();
  if (errorOf(answer) === undefined && type !== request[4]! + 1) {
    throw new Finding(`A request of type ${request[4]} was answered by one of type ${type}.`);
  }
  if (request.length >= HEADER && reader.u16() !== new WireReader(request.subarray(5)).u16()) {
    throw new Finding('An answer has another tag.');
  }
}

function checkFiles(fs: MemoryFs): void {
  if (fs.used > LIMIT) throw new Finding(`The folder holds ${fs.used} bytes of ${LIMIT}.`);
  for (const node of fs.nodes.values()) {
    if (node.kind !== 'folder') continue;
    for (const name of node.children.keys()) {
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
        throw new Finding(`A file is called ${JSON.stringify(name)}.`);
      }
    }
  }
}

/** What is reached from the root, by names: all that may be left when nobody holds anything. */
function named(fs: MemoryFs): number {
  const seen = new Set<number>();
  const visit = (node: ReturnType<MemoryFs['lookup']>) => {
    if (seen.has(node.id)) return;
    seen.add(node.id);
    if (node.kind === 'folder') for (const child of node.children.values()) visit(child);
  };
  visit(fs.root);
  return seen.size;
}

async function play(random: Random): Promise<void> {
  const fs = new MemoryFs({ limit: LIMIT });
  let failure: string | undefined;
  const server = new NinePServer(fs, {
    onError: (reason) => {
      failure = reason;
    },
  });
  const version = () => {
    const writer = new WireWriter(T.VERSION, NO_TAG).u32(random.once(9) ? random.nasty() : MSIZE);
    return writer.string(utf8.encode(random.once(9) ? '9P2000.u' : VERSION_L)).finish();
  };
  const attach = (fid: number) => {
    const writer = new WireWriter(T.ATTACH, 1).u32(fid).u32(NO_FID);
    return writer.string(utf8.encode('')).string(utf8.encode('')).u32(0).finish();
  };
  await server.request(
    new WireWriter(T.VERSION, NO_TAG).u32(MSIZE).string(utf8.encode(VERSION_L)).finish(),
  );
  await server.request(attach(0));
  const waiting: Promise<void>[] = [];
  for (let step = 0; step < STEPS; step++) {
    const request = random.once(100)
      ? version()
      : random.once(20)
        ? attach(random.below(FIDS))
        : message(random, step % 7);
    const copy = request.slice();
    waiting.push(server.request(request).then((answer) => checkAnswer(copy, answer)));
    if (random.once(3)) await Promise.all(waiting.splice(0));
  }
  await Promise.all(waiting);
  if (failure !== undefined) throw new Finding(`A request failed without a number: ${failure}`);
  checkFiles(fs);
  await server.dispose();
  if (fs.nodes.size !== named(fs)) {
    throw new Finding(`${fs.nodes.size - named(fs)} files are left that nobody can reach.`);
  }
  playImage(random, fs);
}

/** What was saved comes back; what was damaged is refused, or is a folder like any other. */
function playImage(random: Random, fs: MemoryFs): void {
  const image = new FrozenMemory(fs).bytes();
  const copy = new MemoryFs({ limit: LIMIT });
  thaw(copy, image);
  if (copy.used !== fs.used) throw new Finding('A folder came back with another size.');
  const damaged = random.once(4) ? image.slice(0, random.below(image.length)) : image.slice();
  for (let i = random.between(1, 4); i > 0 && damaged.length > 0; i--) {
    // The head and the tree are what is worth damaging.
    damaged[random.below(Math.min(damaged.length, 3000))] = random.below(256);
  }
  try {
    thaw(copy, damaged);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
  checkFiles(copy);
}

export const ninep: Fuzzer = {
  name: 'ninep',
  what: 'messages of 9P to a shared folder, and damaged images of one',
  bounded: 400,
  play,
};
