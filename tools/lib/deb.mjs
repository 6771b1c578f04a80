/**
 * Reads Debian packages: an ar archive of two tar archives (deb(5)). dpkg-deb unpacks the outer
 * layers where it exists, Node and xz where it does not; the tar archive is read here, as a stream.
 */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Plain, which } from './shell.mjs';

/**
 * @typedef {object} Entry
 * @property {string} path without a leading "./"
 * @property {'file' | 'folder' | 'link' | 'hard' | 'other'} type `hard`: a further name of a file
 * @property {number} mode
 * @property {number} uid
 * @property {number} gid
 * @property {number} time of the last change, in seconds
 * @property {string} target of a link
 * @property {Buffer} data
 */

/**
 * The files of a package whose paths `wanted` accepts.
 * @param {string} file
 * @param {(path: string) => boolean} wanted
 * @returns {Promise<Entry[]>}
 */
export async function readDeb(file, wanted) {
  return filesOf(file, '--fsys-tarfile', 'data.tar', wanted);
}

/** What the package manager keeps of a package: control, scripts, lists. @param {string} file */
export async function readControlFiles(file) {
  return filesOf(file, '--ctrl-tarfile', 'control.tar', (path) => path !== '');
}

/** The fields of a package's control file. @param {string} file @returns {Promise<Record<string, string>>} */
export async function readControl(file) {
  const entries = await filesOf(file, '--ctrl-tarfile', 'control.tar', (p) => p === 'control');
  const text = entries.at(-1)?.data.toString() ?? '';
  /** @type {Record<string, string>} */
  const fields = Object.create(null);
  for (const line of text.replace(/\n[ \t]+/g, ' ').split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  return fields;
}

/**
 * The wanted files of one of the two archives in a package. A file that is cut or damaged is named in
 * one sentence, whoever found out.
 * @param {string} file
 * @param {string} option of dpkg-deb
 * @param {string} archive name without its compression
 * @param {(path: string) => boolean} wanted
 */
async function filesOf(file, option, archive, wanted) {
  const entries = [];
  try {
    const dpkg = which('dpkg-deb') !== undefined;
    const stream = dpkg ? fromProgram('dpkg-deb', [option, file]) : member(file, archive);
    for await (const entry of readTar(stream, wanted)) entries.push(entry);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new Plain(`The package ${file} is damaged or not whole (${error.what}). Fetch it again.`);
  }
  return entries;
}

/** What is found out about a package while it is read, by those who do not know its name. */
class Damaged extends Plain {
  /** @param {string} what */
  constructor(what) {
    super(`A package is damaged: ${what}. Fetch it again.`);
    this.what = what;
  }
}

/**
 * One member of the ar archive, decompressed.
 * @param {string} file
 * @param {string} prefix the member's name without its compression
 * @returns {AsyncIterable<Buffer>}
 */
function member(file, prefix) {
  const descriptor = openSync(file, 'r');
  try {
    const found = findMember((into, at) => readSync(descriptor, into, 0, into.length, at), prefix);
    if (found) {
      const { name, start, size } = found;
      const raw = createReadStream(file, { start, end: start + size - 1 });
      if (name === prefix) return raw;
      if (name.endsWith('.gz')) return unzipped(raw);
      if (name.endsWith('.xz')) return fromProgram('xz', ['-dc'], raw);
      if (name.endsWith('.zst')) return fromProgram('zstd', ['-dc'], raw);
      throw new Plain(`The package ${file} is compressed in an unknown way (${name}).`);
    }
  } finally {
    closeSync(descriptor);
  }
  throw new Damaged(`it has no ${prefix}`);
}

/**
 * Where in an ar archive the first member is whose name starts with `prefix`. What makes no sense
 * ends the search: the work is bounded by the file's size.
 * @param {(into: Buffer, at: number) => number} read fills a buffer from a place in the file
 * @param {string} prefix
 * @returns {{ name: string, start: number, size: number } | undefined}
 */
export function findMember(read, prefix) {
  const header = Buffer.alloc(60);
  for (let at = 8; read(header, at) === 60; ) {
    const name = header.toString('latin1', 0, 16).trim().replace(/\/$/, '');
    const digits = header.toString('latin1', 48, 58).trim();
    if (!/^\d+$/.test(digits) || header.toString('latin1', 58) !== '`\n') return undefined;
    const size = Number(digits);
    const start = at + 60;
    if (name.startsWith(prefix)) return size > 0 ? { name, start, size } : undefined;
    at = start + size + (size % 2);
  }
  return undefined;
}

/** @param {Readable} raw @returns {AsyncGenerator<Buffer>} */
async function* unzipped(raw) {
  try {
    yield* raw.pipe(createGunzip());
  } catch (error) {
    throw new Damaged(error instanceof Error ? error.message : String(error));
  }
}

/**
 * What a program prints. Its failure ends the iteration with an error.
 * @param {string} program
 * @param {string[]} args
 * @param {Readable} [input]
 * @returns {AsyncGenerator<Buffer>}
 */
async function* fromProgram(program, args, input) {
  if (which(program) === undefined) {
    throw new Plain(
      `Neither dpkg-deb nor ${program} is here to unpack Debian's packages. Install one of them ` +
        `(packages dpkg and ${program === 'xz' ? 'xz-utils' : program}).`,
    );
  }
  const child = spawn(program, args, { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  let words = '';
  child.stderr?.on('data', (data) => {
    words += data;
  });
  if (input && child.stdin) input.pipe(child.stdin).on('error', () => input.destroy());
  const ended = new Promise((done) => child.on('close', done).on('error', () => done(-1)));
  yield* /** @type {AsyncIterable<Buffer>} */ (child.stdout ?? Readable.from([]));
  const code = await ended;
  if (code !== 0) throw new Damaged(firstWords(words) || `${program} failed`);
}

/** The first thing that a program complains of, without its own name. @param {string} text */
export function firstWords(text) {
  const [line = ''] = text.trim().split('\n').filter(Boolean);
  return line.replace(/^[\w-]+: (error: )?/, '').replace(/\.$/, '');
}

/** Larger files are in no package that is read here. */
const MAX_FILE = 2 ** 30;
/** Of a long name, or of a pax header. */
const MAX_NAMES = 2 ** 20;

/**
 * Reads a tar archive (ustar, with GNU long names and pax paths). What it yields is whole: an
 * archive that ends early or makes no sense ends in an error.
 * @param {AsyncIterable<Buffer>} stream
 * @param {(path: string) => boolean} wanted
 * @returns {AsyncGenerator<Entry>}
 */
export async function* readTar(stream, wanted) {
  const source = blocks(stream);
  let longName = '';
  let longTarget = '';
  for (;;) {
    const header = await source.take(512);
    if (header.length < 512) throw damaged('ends too early');
    if (header[0] === 0) break;
    const text = (/** @type {number} */ from, /** @type {number} */ length) => {
      const bytes = header.subarray(from, from + length);
      const end = bytes.indexOf(0);
      return bytes.toString('utf8', 0, end < 0 ? length : end);
    };
    const size = octal(text(124, 12));
    const kind = String.fromCharCode(header[156] ?? 0);
    const padded = Math.ceil(size / 512) * 512;
    const whole = async () => {
      const data = await source.take(padded);
      if (data.length < padded) throw damaged('ends too early');
      return data.subarray(0, size);
    };
    if (kind === 'L' || kind === 'K' || kind === 'x') {
      if (size > MAX_NAMES) throw damaged(`has a name of ${size} bytes`);
      const data = await whole();
      if (kind === 'x') {
        longName = paxField(data, 'path') ?? longName;
        longTarget = paxField(data, 'linkpath') ?? longTarget;
      } else if (kind === 'L') longName = data.toString().replace(/\0.*$/s, '');
      else longTarget = data.toString().replace(/\0.*$/s, '');
      continue;
    }
    const prefix = text(257, 5) === 'ustar' && header[263] !== 32 ? text(345, 155) : '';
    const name = longName || (prefix ? `${prefix}/${text(0, 100)}` : text(0, 100));
    const path = name.replace(/^\.\//, '').replace(/\/$/, '');
    const target = longTarget || text(157, 100);
    longName = '';
    longTarget = '';
    if (!wanted(path)) {
      await source.skip(padded);
      continue;
    }
    if (size > MAX_FILE) throw damaged(`has a file of ${size} bytes`);
    const data = await whole();
    const type = { 0: 'file', '\0': 'file', 1: 'hard', 5: 'folder', 2: 'link' }[kind] ?? 'other';
    const mode = octal(text(100, 8)) & 0o7777;
    const [uid, gid, time] = [octal(text(108, 8)), octal(text(116, 8)), octal(text(136, 12))];
    yield { path, type: /** @type {Entry['type']} */ (type), mode, uid, gid, time, target, data };
  }
  await source.drain();
}

/** @param {string} what */
function damaged(what) {
  return new Damaged(`its tar archive ${what}`);
}

/** A number of a tar header. @param {string} field */
function octal(field) {
  const digits = field.trim() || '0';
  if (!/^[0-7]+$/.test(digits)) throw damaged('has a number that is none');
  return Number.parseInt(digits, 8);
}

/** @param {Buffer} data @param {string} key */
function paxField(data, key) {
  for (let at = 0; at < data.length; ) {
    const [start = '', digits] = /^(\d+) /.exec(data.toString('latin1', at, at + 9)) ?? [];
    const length = Number(digits);
    if (!(length > start.length)) return undefined;
    const record = data.toString('utf8', at + start.length, at + length - 1);
    if (record.startsWith(`${key}=`)) return record.slice(key.length + 1);
    at += length;
  }
  return undefined;
}

/** Exact numbers of bytes from a stream of chunks. @param {AsyncIterable<Buffer>} stream */
function blocks(stream) {
  const iterator = stream[Symbol.asyncIterator]();
  /** @type {Buffer} */
  let rest = Buffer.alloc(0);
  const more = async () => {
    const { done, value } = await iterator.next();
    rest = done ? Buffer.alloc(0) : value;
    return !done;
  };
  return {
    /** @param {number} count */
    async take(count) {
      const parts = [];
      let missing = count;
      for (;;) {
        const part = rest.subarray(0, missing);
        parts.push(part);
        rest = rest.subarray(part.length);
        missing -= part.length;
        if (missing === 0 || !(await more())) break;
      }
      return parts.length === 1 ? /** @type {Buffer} */ (parts[0]) : Buffer.concat(parts);
    },
    /** @param {number} count */
    async skip(count) {
      let missing = count;
      for (;;) {
        const step = Math.min(missing, rest.length);
        rest = rest.subarray(step);
        missing -= step;
        if (missing === 0 || !(await more())) break;
      }
    },
    async drain() {
      while (await more());
    },
  };
}
