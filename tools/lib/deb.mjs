/**
 * Reads Debian packages: an ar archive of two tar archives (deb(5)). dpkg-deb unpacks the outer
 * layers where it exists, Node and xz where it does not; the tar archive is read here, as a stream.
 */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { lastWords, Plain, which } from './shell.mjs';

/**
 * @typedef {object} Entry
 * @property {string} path without a leading "./"
 * @property {'file' | 'folder' | 'link' | 'other'} type
 * @property {number} mode
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
  const stream = which('dpkg-deb')
    ? fromProgram('dpkg-deb', ['--fsys-tarfile', file])
    : member(file, 'data.tar');
  const entries = [];
  for await (const entry of readTar(stream, wanted)) entries.push(entry);
  return entries;
}

/** The fields of a package's control file. @param {string} file @returns {Promise<Record<string, string>>} */
export async function readControl(file) {
  const stream = which('dpkg-deb')
    ? fromProgram('dpkg-deb', ['--ctrl-tarfile', file])
    : member(file, 'control.tar');
  let text = '';
  for await (const entry of readTar(stream, (path) => path === 'control'))
    text = entry.data.toString();
  /** @type {Record<string, string>} */
  const fields = Object.create(null);
  for (const line of text.replace(/\n[ \t]+/g, ' ').split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  return fields;
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
    const header = Buffer.alloc(60);
    let at = 8;
    while (readSync(descriptor, header, 0, 60, at) === 60) {
      const name = header.toString('latin1', 0, 16).trim().replace(/\/$/, '');
      const size = Number(header.toString('latin1', 48, 58));
      const start = at + 60;
      if (name.startsWith(prefix)) {
        const raw = createReadStream(file, { start, end: start + size - 1 });
        if (name === prefix) return raw;
        if (name.endsWith('.gz')) return raw.pipe(createGunzip());
        if (name.endsWith('.xz')) return fromProgram('xz', ['-dc'], raw);
        if (name.endsWith('.zst')) return fromProgram('zstd', ['-dc'], raw);
        throw new Plain(`The package ${file} is compressed in an unknown way (${name}).`);
      }
      at = start + size + (size % 2);
    }
  } finally {
    closeSync(descriptor);
  }
  throw new Plain(`${file} is no Debian package: it has no ${prefix}. Fetch it again.`);
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
  if (code !== 0)
    throw new Plain(`${program} could not unpack ${args.at(-1)}: ${lastWords(words)}.`);
}

/**
 * Reads a tar archive (ustar, with GNU long names and pax paths).
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
    if (header.length < 512 || header[0] === 0) break;
    const text = (/** @type {number} */ from, /** @type {number} */ length) => {
      const bytes = header.subarray(from, from + length);
      const end = bytes.indexOf(0);
      return bytes.toString('utf8', 0, end < 0 ? length : end);
    };
    const size = Number.parseInt(text(124, 12).trim() || '0', 8);
    const kind = String.fromCharCode(header[156] ?? 0);
    const padded = Math.ceil(size / 512) * 512;
    if (kind === 'L' || kind === 'K' || kind === 'x') {
      const data = (await source.take(padded)).subarray(0, size);
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
    const data = (await source.take(padded)).subarray(0, size);
    const type = { 0: 'file', '\0': 'file', 5: 'folder', 2: 'link' }[kind] ?? 'other';
    const mode = Number.parseInt(text(100, 8).trim() || '0', 8);
    yield { path, type: /** @type {Entry['type']} */ (type), mode, target, data };
  }
  await source.drain();
}

/** @param {Buffer} data @param {string} key */
function paxField(data, key) {
  for (let at = 0; at < data.length; ) {
    const length = Number.parseInt(data.toString('latin1', at, data.indexOf(32, at)), 10);
    if (!(length > 0)) return undefined;
    const record = data.toString('utf8', data.indexOf(32, at) + 1, at + length - 1);
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
