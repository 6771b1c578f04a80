/**
 * Cases of the images' fuzzer: ar and tar archives as Debian packages hold them, valid but for a few
 * damaged places. Either the reader gives whole files within the archive, after work bounded by its
 * size, or it refuses with one sentence.
 */
import { findMember, readTar } from '../../tools/lib/deb.mjs';
import { Plain } from '../../tools/lib/shell.mjs';
import { Finding, type Random } from './fuzzer.ts';

const BLOCK = 512;
const AR_HEADER = 60;

/** Digits become others, or no digits at all; and the archive may end early. */
function damage(random: Random, archive: Buffer): Buffer {
  const copy = Buffer.from(archive);
  for (let i = random.below(4); i > 0 && copy.length > 0; i--) {
    const at = random.below(copy.length);
    const text = random.pick(['-', '9', '7777777777', '-60', '0', '\0', ' ', 'NaN', '1e9', '\x80']);
    if (random.once(2)) copy[at] = random.below(256);
    else copy.write(text, at, 'latin1');
  }
  return random.once(8) ? copy.subarray(0, random.below(copy.length + 1)) : copy;
}

function arMember(random: Random, name: string): Buffer {
  const size = random.below(300);
  const odd = random.pick(['-60', '-61', '', '9999999999', 'NaN', '0', '1e5', '0x10']);
  const said = random.once(12) ? odd : String(size);
  const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${said.padEnd(10)}\`\n`;
  return Buffer.concat([Buffer.from(header), Buffer.alloc(size + (size % 2))]);
}

export function playAr(random: Random): void {
  const names = ['debian-binary', 'control.tar.gz', 'data.tar.xz'];
  const members = names.map((name) => arMember(random, name));
  const archive = damage(random, Buffer.concat([Buffer.from('!<arch>\n'), ...members]));
  let reads = 0;
  const found = findMember((into: Buffer, at: number) => {
    if (++reads > archive.length / AR_HEADER + 2) throw new Finding('The search does not end.');
    if (!Number.isSafeInteger(at) || at < 0) throw new Finding(`It reads at ${at}.`);
    return archive.copy(into, 0, Math.min(at, archive.length), at + into.length);
  }, 'data.tar');
  if (found === undefined) return;
  const { name, start, size } = found;
  if (!name.startsWith('data.tar') || !(start >= 68 && start <= archive.length) || !(size > 0)) {
    throw new Finding(`The member ${name} has ${size} bytes at ${start}.`);
  }
}

function tarHeader(name: string, size: number, kind: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name.slice(0, 100), 0);
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write(kind, 156);
  header.write('ustar\x0000', 257, 'latin1');
  return header;
}

function tarEntry(random: Random): Buffer {
  const parts: Buffer[] = [];
  const add = (name: string, kind: string, data: Buffer) => {
    parts.push(tarHeader(name, data.length, kind), data);
    parts.push(Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK));
  };
  const long = `./${'deep/'.repeat(random.between(1, 60))}file`;
  if (random.once(4)) add('././@LongLink', 'L', Buffer.from(`${long}\0`));
  if (random.once(4)) {
    const record = ` path=${long}\n`;
    const length = random.once(4) ? random.below(400) : record.length + 3;
    add('pax', 'x', Buffer.from(`${length}${record}`.repeat(random.between(1, 3))));
  }
  add(
    `./usr/bin/${random.below(100)}`,
    random.pick(['0', '5', '2', '\0']),
    random.once(4) ? Buffer.alloc(0) : Buffer.alloc(random.below(2000), 'x'),
  );
  return Buffer.concat(parts);
}

export async function playTar(random: Random): Promise<void> {
  const entries = Array.from({ length: random.below(5) }, () => tarEntry(random));
  const whole = Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
  // Cut before its end, and otherwise as it was: that must be noticed.
  const cut = random.once(6);
  const archive = cut
    ? whole.subarray(0, random.below(whole.length - 2 * BLOCK + 1))
    : damage(random, whole);
  const chunk = random.pick([1, 100, 512, 700, 100_000]);
  async function* stream(): AsyncGenerator<Buffer> {
    for (let at = 0; at < archive.length; at += chunk) yield archive.subarray(at, at + chunk);
  }
  let total = 0;
  let count = 0;
  const wanted = random.once(3) ? (path: string) => path.endsWith('file') : () => true;
  try {
    for await (const { data, path, mode } of readTar(stream(), wanted)) {
      total += data.length;
      count++;
      if (typeof path !== 'string' || !(mode >= 0 && mode <= 0o7777)) {
        throw new Finding(`The entry ${path} has the mode ${mode}.`);
      }
    }
    if (cut) throw new Finding(`An archive cut at ${archive.length} of ${whole.length} passes.`);
  } catch (error) {
    if (!(error instanceof Plain)) throw error;
    if (!/^[^\p{C}]+\.$/u.test(error.message)) throw new Finding(`No sentence: ${error.message}`);
  }
  if (total > archive.length || count > archive.length / BLOCK) {
    throw new Finding(`An archive of ${archive.length} bytes gave ${count} files, ${total} bytes.`);
  }
}
