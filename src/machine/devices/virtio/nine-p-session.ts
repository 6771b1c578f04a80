/**
 * What a 9P session is made of, followed from outside: the device sees every request and its answer
 * and keeps for each fid where it points and how it is open. That is the saved state of a share, for
 * with it a new session with any server of the same files is brought to the same point: `replay` says
 * the messages. A fid whose file was removed is found by its number, where the server can do that.
 */
import {
  type FieldType,
  flag,
  list,
  range,
  record,
  type State,
  StateError,
  stateOf,
  u32,
  u64,
} from '../../state.ts';
import {
  ascii,
  ERRNO,
  errorOf,
  HEADER,
  MSIZE_MAX,
  NO_FID,
  NO_TAG,
  OPEN,
  T,
  VERSION_L,
  WALK_MAX,
  WireError,
  WireReader,
  WireWriter,
} from './nine-p-wire.ts';

/** Fids of one session; a server refuses further ones. */
export const FIDS_MAX = 1 << 16;
/** Bytes of all names on the way to a file. */
const PATH_LIMIT = 4096;
const NOT_OPEN = 0xffff_ffff;

interface Fid {
  fid: number;
  /** Names from the root, each with a NUL behind it, a letter for each byte. */
  path: string;
  /** Its file is no longer at `path`. */
  gone: boolean;
  /** The server's number of the file. */
  file: bigint;
  /** Flags that it was opened with, or NOT_OPEN. */
  flags: number;
}

const ROOT: Readonly<Fid> = { fid: 0, path: '', gone: false, file: 0n, flags: NOT_OPEN };

/** Names with a NUL behind each. */
const pathField: FieldType<string> = {
  save: (value) => value,
  parse(saved, where) {
    if (typeof saved !== 'string' || saved.length > PATH_LIMIT || !isPath(saved)) {
      throw new StateError(`${where} must be a path of at most ${PATH_LIMIT} bytes.`);
    }
    return saved;
  },
  assign: (parsed) => parsed,
  vary: (value) => (value === '' ? 'a\0' : ''),
};

const fidField = record<Fid>({
  fid: range(0, NO_FID - 1),
  path: pathField,
  gone: flag,
  file: u64,
  flags: u32,
});

function isPath(text: string): boolean {
  if (text === '') return true;
  return (
    text.endsWith('\0') &&
    !text.startsWith('\0') &&
    !text.includes('\0\0') &&
    !/[^\0-\xff]/.test(text)
  );
}

export class NinePSession {
  readonly state: State;
  readonly #fields;
  readonly #fids = new Map<number, Fid>();

  constructor() {
    const fids = this.#fids;
    this.#fields = {
      /** Length of messages that was agreed upon; 0 before a session has begun. */
      msize: 0,
      get fids(): Fid[] {
        return [...fids.values()];
      },
      set fids(list: Fid[]) {
        fids.clear();
        for (const fid of list) fids.set(fid.fid, fid);
      },
    };
    this.state = stateOf(
      1,
      this.#fields,
      { msize: range(0, MSIZE_MAX), fids: list(fidField, FIDS_MAX, () => ({ ...ROOT })) },
      {
        check: ({ fids: all }) =>
          new Set(all.map(({ fid }) => fid)).size === all.length
            ? undefined
            : 'a fid is there twice',
      },
    );
  }

  /** Whether there is a session at all. */
  get begun(): boolean {
    return this.#fields.msize > 0;
  }

  reset(): void {
    this.#fields.msize = 0;
    this.#fids.clear();
  }

  /** Takes note of one request and its answer. */
  note(request: Uint8Array, answer: Uint8Array): void {
    try {
      this.#note(request, answer);
    } catch (error) {
      // An answer that lacks fields comes from a broken server: nothing is known then.
      if (!(error instanceof WireError)) throw error;
    }
  }

  /** Brings a new session to where this one is; `send` resolves with the answer. */
  async replay(send: Send): Promise<void> {
    const { msize, fids } = this.#fields;
    const version = new WireWriter(T.VERSION, NO_TAG).u32(msize).string(ascii(VERSION_L));
    const answer = await send(version.finish());
    if (answer[4] !== T.VERSION + 1 || new WireReader(answer.subarray(HEADER)).u32() < msize) {
      throw new Error('its server does not speak as the one before did');
    }
    for (const fid of fids) {
      if (!(await walkAgain(fid, send)) || fid.flags === NOT_OPEN) continue;
      // What creating and truncating did has been done.
      const flags = fid.flags & ~(OPEN.CREAT | OPEN.EXCL | OPEN.TRUNC);
      await send(
        new WireWriter(T.LOPEN, 0)
          .u32(fid.fid)
          .u32(flags >>> 0)
          .finish(),
      );
    }
  }

  #note(request: Uint8Array, answer: Uint8Array): void {
    const type = request[4]!;
    const reader = new WireReader(request.subarray(HEADER));
    // These two end a fid whatever the answer is.
    if (type === T.CLUNK || type === T.REMOVE) {
      const number = reader.u32();
      const fid = this.#fids.get(number);
      if (fid && type === T.REMOVE && answer[4] === type + 1) this.#moved(fid.path, undefined);
      this.#fids.delete(number);
      return;
    }
    if (answer[4] !== type + 1) return;
    const reply = new WireReader(answer.subarray(HEADER));
    switch (type) {
      case T.VERSION:
        this.reset();
        this.#fields.msize = Math.min(reply.u32(), MSIZE_MAX);
        break;
      case T.ATTACH:
        this.#add({ ...ROOT, fid: reader.u32(), file: qidPath(reply) });
        break;
      case T.WALK:
        this.#walked(reader, reply);
        break;
      case T.LOPEN: {
        const fid = this.#fids.get(reader.u32());
        if (fid) fid.flags = reader.u32();
        break;
      }
      case T.LCREATE: {
        const fid = this.#fids.get(reader.u32());
        if (!fid) break;
        fid.path += name(reader);
        fid.flags = reader.u32();
        fid.file = qidPath(reply);
        break;
      }
      case T.RENAME: {
        const from = this.#fids.get(reader.u32());
        const to = this.#fids.get(reader.u32());
        if (from && to) this.#moved(from.path, to.path + name(reader));
        break;
      }
      case T.RENAMEAT: {
        const from = this.#fids.get(reader.u32());
        const old = name(reader);
        const to = this.#fids.get(reader.u32());
        if (from && to) this.#moved(from.path + old, to.path + name(reader));
        break;
      }
      case T.UNLINKAT: {
        const folder = this.#fids.get(reader.u32());
        if (folder) this.#moved(folder.path + name(reader), undefined);
        break;
      }
    }
  }

  #walked(reader: WireReader, reply: WireReader): void {
    const from = this.#fids.get(reader.u32());
    const number = reader.u32();
    const names = reader.u16();
    if (!from || reply.u16() !== names) return;
    let { path, file } = from;
    for (let i = 0; i < names; i++) {
      path += name(reader);
      file = qidPath(reply);
    }
    this.#add({ fid: number, path, file, gone: from.gone, flags: NOT_OPEN });
  }

  #add(fid: Fid): void {
    if (fid.fid === NO_FID || fid.path.length > PATH_LIMIT) return;
    if (this.#fids.size >= FIDS_MAX && !this.#fids.has(fid.fid)) return;
    this.#fids.set(fid.fid, fid);
  }

  /** What was at `old` is at `path` now, or nowhere; what was at `path` is nowhere. */
  #moved(old: string, path: string | undefined): void {
    if (old === path) return;
    for (const fid of this.#fids.values()) {
      if (fid.gone) continue;
      if (fid.path.startsWith(old)) {
        if (path === undefined) fid.gone = true;
        else fid.path = path + fid.path.slice(old.length);
      } else if (path !== undefined && fid.path.startsWith(path)) {
        fid.gone = true;
      }
    }
  }
}

export type Send = (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/** Attaches under this name lead to the file of the number that follows, in hexadecimal. */
export const BY_NUMBER = 'file:';

/** Makes a fid of a new session point where it did; whether that was possible. */
async function walkAgain({ fid, path, gone, file }: Fid, send: Send): Promise<boolean> {
  const where = gone ? `${BY_NUMBER}${file.toString(16)}` : '';
  const attach = new WireWriter(T.ATTACH, 0).u32(fid).u32(NO_FID).string(ascii('root'));
  const answer = await send(attach.string(ascii(where)).u32(0).finish());
  if (answer[4] !== T.ATTACH + 1) return false;
  if (gone) return true;
  const names = path.split('\0').slice(0, -1);
  while (names.length > 0) {
    const part = names.splice(0, WALK_MAX);
    const walk = new WireWriter(T.WALK, 0).u32(fid).u32(fid).u16(part.length);
    for (const one of part) walk.string(Uint8Array.from(one, (letter) => letter.charCodeAt(0)));
    const walked = await send(walk.finish());
    if (walked[4] === T.WALK + 1 && new WireReader(walked.subarray(HEADER)).u16() === part.length)
      continue;
    // Better no file than another one.
    await send(new WireWriter(T.CLUNK, 0).u32(fid).finish());
    return false;
  }
  return true;
}

/**
 * Sends a request that may have been carried out once already, its answer lost between two lives of
 * the machine: an error that says only that is no error. (A folder that somebody else made first
 * cannot be told apart; that is the lesser evil.)
 */
export async function sendAgain(message: Uint8Array<ArrayBuffer>, send: Send): Promise<Uint8Array> {
  const type = message[4]!;
  const tag = new WireReader(message.subarray(5)).u16();
  const answer = await send(type === T.LCREATE ? notExclusive(message) : message);
  const error = errorOf(answer);
  const done = () => new WireWriter(type + 1, tag, HEADER).finish();
  if (error === ERRNO.EEXIST && (type === T.MKDIR || type === T.SYMLINK)) {
    const reader = new WireReader(message.subarray(HEADER));
    const folder = reader.u32();
    const walk = new WireWriter(T.WALK, 0)
      .u32(folder)
      .u32(SPARE_FID)
      .u16(1)
      .string(reader.string());
    const walked = await send(walk.finish());
    if (walked[4] !== T.WALK + 1) return answer;
    await send(new WireWriter(T.CLUNK, 0).u32(SPARE_FID).finish());
    return new WireWriter(type + 1, tag)
      .bytes(walked.subarray(HEADER + 2, HEADER + 2 + QID))
      .finish();
  }
  if (error === ERRNO.EEXIST && type === T.LINK) return done();
  if (error === ERRNO.ENOENT && (type === T.UNLINKAT || type === T.RENAME || type === T.RENAMEAT)) {
    return done();
  }
  if (error === ERRNO.EBADF && type === T.RENAME) {
    // Its fid found nothing at the old place: it belongs to the new one.
    const reader = new WireReader(message.subarray(HEADER));
    const fid = reader.u32();
    const walk = new WireWriter(T.WALK, 0).u32(reader.u32()).u32(fid).u16(1);
    const walked = await send(walk.string(reader.string()).finish());
    return walked[4] === T.WALK + 1 ? done() : answer;
  }
  // Its fid found no file to point to.
  if ((error === ERRNO.ENOENT || error === ERRNO.EBADF) && type === T.REMOVE) return done();
  return answer;
}

/** A fid that drivers, which count from 0, do not use. */
const SPARE_FID = NO_FID - 1;
const QID = 13;

/** A Tlcreate that takes what is there. */
function notExclusive(message: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = message.slice();
  const at = HEADER + 4 + 2 + (copy[HEADER + 4]! | (copy[HEADER + 5]! << 8));
  const view = new DataView(copy.buffer);
  if (at + 4 <= copy.length) view.setUint32(at, view.getUint32(at, true) & ~OPEN.EXCL, true);
  return copy;
}

/** A name as it stands in a path. */
function name(reader: WireReader): string {
  return `${String.fromCharCode(...reader.string())}\0`;
}

function qidPath(reader: WireReader): bigint {
  reader.bytes(5);
  return reader.u64();
}
