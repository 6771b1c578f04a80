/**
 * Several files as one: a tar archive (POSIX.1-1988 ustar), as a stream. A file whose name or size the
 * format cannot hold is left out and told.
 */
export interface ArchiveEntry {
  /** With `/` between folders. */
  readonly path: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  read(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

const BLOCK = 512;
/** What eleven octal digits hold. */
const SIZE_MAXIMUM = 8 * 1024 ** 3 - 1;

export function tarStream(
  entries: readonly ArchiveEntry[],
  skipped: (path: string) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const pieces = archive(entries, skipped);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { value, done } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

async function* archive(entries: readonly ArchiveEntry[], skipped: (path: string) => void) {
  for (const entry of entries) {
    const head = header(entry);
    if (head === undefined) {
      skipped(entry.path);
      continue;
    }
    yield head;
    // A guest may make the file longer or shorter meanwhile: the archive keeps what its head says.
    let left = entry.size;
    const reader = entry.read().getReader();
    try {
      while (left > 0) {
        const { value, done } = await reader.read();
        if (done) break;
        const piece = value.subarray(0, left);
        left -= piece.length;
        yield piece;
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
    for (; left > 0; left -= Math.min(left, 1 << 16)) {
      yield new Uint8Array(Math.min(left, 1 << 16));
    }
    const rest = entry.size % BLOCK;
    if (rest > 0) yield new Uint8Array(BLOCK - rest);
  }
  yield new Uint8Array(2 * BLOCK);
}

function header({ path, size, modified }: ArchiveEntry): Uint8Array<ArrayBuffer> | undefined {
  const encoder = new TextEncoder();
  const names = split(path, (text) => encoder.encode(text).length);
  if (names === undefined || size > SIZE_MAXIMUM) return undefined;
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string) => block.set(encoder.encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  put(0, names.name);
  put(100, `${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`);
  put(124, `${octal(size, 11)}\0${octal(Math.max(0, Math.floor(modified / 1000)), 11)}\0`);
  // The checksum is counted with blanks in its place.
  put(148, `${' '.repeat(8)}0`);
  put(257, 'ustar\x0000');
  put(345, names.prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return block;
}

/** At most 100 bytes of name, and 155 of the folders before it. */
function split(path: string, bytes: (text: string) => number) {
  if (bytes(path) <= 100) return { name: path, prefix: '' };
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (bytes(name) <= 100 && bytes(prefix) <= 155) return { name, prefix };
  }
  return undefined;
}
