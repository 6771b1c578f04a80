/** A client of 9P2000.L for tests: one method for each message, which gives the answer's fields. */
import {
  ascii,
  errorOf,
  HEADER,
  NO_FID,
  NO_TAG,
  T,
  VERSION_L,
  WireReader,
  WireWriter,
} from '../../../machine/devices/virtio/nine-p-wire.ts';

/** The server said an error: its number. */
export class NinePFailure extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

export interface ClientQid {
  readonly type: number;
  readonly version: number;
  readonly path: bigint;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

export class NinePClient {
  readonly #send: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
  #tag = 0;

  constructor(send: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>) {
    this.#send = send;
  }

  async call(type: number, build: (writer: WireWriter) => void, tag = this.#nextTag()) {
    const writer = new WireWriter(type, tag);
    build(writer);
    const answer = await this.#send(writer.finish());
    const header = new WireReader(answer);
    if (header.u32() !== answer.length) throw new Error('The size of the answer is wrong.');
    const error = errorOf(answer);
    if (error !== undefined) throw new NinePFailure(error);
    if (header.u8() !== type + 1) throw new Error('The answer is of another type.');
    if (header.u16() !== tag) throw new Error('The answer has another tag.');
    return new WireReader(answer.subarray(HEADER));
  }

  async version(msize = 65536, version = VERSION_L): Promise<{ msize: number; version: string }> {
    const reader = await this.call(T.VERSION, (w) => w.u32(msize).string(ascii(version)), NO_TAG);
    return { msize: reader.u32(), version: text.decode(reader.string()) };
  }

  async attach(fid: number, where = ''): Promise<ClientQid> {
    const build = (w: WireWriter) =>
      w.u32(fid).u32(NO_FID).string(ascii('root')).string(utf8.encode(where)).u32(0);
    return qid(await this.call(T.ATTACH, build));
  }

  async walk(fid: number, newFid: number, ...names: string[]): Promise<ClientQid[]> {
    const reader = await this.call(T.WALK, (w) => {
      w.u32(fid).u32(newFid).u16(names.length);
      for (const name of names) w.string(utf8.encode(name));
    });
    return Array.from({ length: reader.u16() }, () => qid(reader));
  }

  async open(fid: number, flags = 0): Promise<ClientQid> {
    return qid(await this.call(T.LOPEN, (w) => w.u32(fid).u32(flags)));
  }

  async create(fid: number, name: string, flags = 2, mode = 0o644): Promise<ClientQid> {
    return qid(
      await this.call(T.LCREATE, (w) =>
        w.u32(fid).string(utf8.encode(name)).u32(flags).u32(mode).u32(0),
      ),
    );
  }

  async read(fid: number, offset = 0, count = 4096): Promise<Uint8Array> {
    const reader = await this.call(T.READ, (w) => w.u32(fid).u64(offset).u32(count));
    return reader.bytes(reader.u32());
  }

  async readText(fid: number, offset = 0): Promise<string> {
    return text.decode(await this.read(fid, offset));
  }

  async write(fid: number, offset: number, data: Uint8Array | string): Promise<number> {
    const bytes = typeof data === 'string' ? utf8.encode(data) : data;
    const build = (w: WireWriter) => w.u32(fid).u64(offset).u32(bytes.length).bytes(bytes);
    return (await this.call(T.WRITE, build)).u32();
  }

  async mkdir(fid: number, name: string, mode = 0o755): Promise<ClientQid> {
    return qid(
      await this.call(T.MKDIR, (w) => w.u32(fid).string(utf8.encode(name)).u32(mode).u32(0)),
    );
  }

  async symlink(fid: number, name: string, target: string): Promise<ClientQid> {
    return qid(
      await this.call(T.SYMLINK, (w) =>
        w.u32(fid).string(utf8.encode(name)).string(utf8.encode(target)).u32(0),
      ),
    );
  }

  async readlink(fid: number): Promise<string> {
    return text.decode((await this.call(T.READLINK, (w) => w.u32(fid))).string());
  }

  async link(folder: number, fid: number, name: string): Promise<void> {
    await this.call(T.LINK, (w) => w.u32(folder).u32(fid).string(utf8.encode(name)));
  }

  async rename(fid: number, folder: number, name: string): Promise<void> {
    await this.call(T.RENAME, (w) => w.u32(fid).u32(folder).string(utf8.encode(name)));
  }

  async renameat(from: number, name: string, to: number, newName: string): Promise<void> {
    await this.call(T.RENAMEAT, (w) =>
      w.u32(from).string(utf8.encode(name)).u32(to).string(utf8.encode(newName)),
    );
  }

  async unlink(folder: number, name: string, flags = 0): Promise<void> {
    await this.call(T.UNLINKAT, (w) => w.u32(folder).string(utf8.encode(name)).u32(flags));
  }

  async remove(fid: number): Promise<void> {
    await this.call(T.REMOVE, (w) => w.u32(fid));
  }

  async clunk(fid: number): Promise<void> {
    await this.call(T.CLUNK, (w) => w.u32(fid));
  }

  async getattr(fid: number) {
    const reader = await this.call(T.GETATTR, (w) => w.u32(fid).u64(0x7ff));
    const valid = reader.u64();
    const id = qid(reader);
    const [mode, uid, gid] = [reader.u32(), reader.u32(), reader.u32()];
    const [links, , size] = [reader.u64(), reader.u64(), reader.u64()];
    reader.bytes(16);
    const [atime, , mtime] = [reader.u64(), reader.u64(), reader.u64()];
    return { valid, qid: id, mode, uid, gid, links, size, atime, mtime };
  }

  async setattr(
    fid: number,
    valid: number,
    { mode = 0, uid = 0, gid = 0, size = 0, atime = 0, mtime = 0 } = {},
  ): Promise<void> {
    await this.call(T.SETATTR, (w) =>
      w
        .u32(fid)
        .u32(valid)
        .u32(mode)
        .u32(uid)
        .u32(gid)
        .u64(size)
        .u64(atime)
        .u64(0)
        .u64(mtime)
        .u64(0),
    );
  }

  async readdir(fid: number, offset = 0n, count = 8192) {
    const reader = await this.call(T.READDIR, (w) => w.u32(fid).u64(offset).u32(count));
    const data = new WireReader(reader.bytes(reader.u32()));
    const entries: { qid: ClientQid; offset: bigint; type: number; name: string }[] = [];
    while (data.remaining > 0) {
      entries.push({
        qid: qid(data),
        offset: data.u64(),
        type: data.u8(),
        name: text.decode(data.string()),
      });
    }
    return entries;
  }

  /** Walks, opens, reads all, clunks. */
  async cat(fid: number, ...names: string[]): Promise<string> {
    const spare = 9999;
    const qids = await this.walk(fid, spare, ...names);
    if (qids.length < names.length) throw new NinePFailure(2);
    await this.open(spare);
    let all = '';
    for (let part = ' '; part !== ''; ) {
      part = await this.readText(spare, all.length);
      all += part;
    }
    await this.clunk(spare);
    return all;
  }

  #nextTag(): number {
    this.#tag = (this.#tag + 1) % 0xffff;
    return this.#tag;
  }
}

function qid(reader: WireReader): ClientQid {
  return { type: reader.u8(), version: reader.u32(), path: reader.u64() };
}
