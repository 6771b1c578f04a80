/**
 * Writes tar archives (ustar with GNU's long names): the way in which files with their owners and
 * modes reach a file system without root. Same entries, same bytes.
 */

export interface TarEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly type: 'file' | 'folder' | 'link' | 'hard';
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds. */
  readonly time?: number;
  /** Of a link. */
  readonly target?: string;
  readonly data?: Uint8Array;
}

const BLOCK = 512;
const flags = { file: '0', hard: '1', link: '2', folder: '5' } as const;
/** Characters of a name in the header itself. */
const NAME_LENGTH = 100;

/** The blocks of one entry. */
export function tarEntry(entry: TarEntry): Buffer[] {
  const name = Buffer.from(entry.type === 'folder' ? `${entry.path}/` : entry.path);
  const target = Buffer.from(entry.target ?? '');
  const parts: Buffer[] = [];
  if (name.length > NAME_LENGTH) parts.push(...longName('L', name));
  if (target.length > NAME_LENGTH) parts.push(...longName('K', target));
  const data = Buffer.from(entry.data ?? new Uint8Array(0));
  parts.push(
    header(name, flags[entry.type], data.length, target, entry),
    data,
    padding(data.length),
  );
  return parts;
}

/** The end of an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function longName(flag: 'L' | 'K', text: Buffer): Buffer[] {
  const body = Buffer.concat([text, Buffer.alloc(1)]);
  const link = Buffer.from('././@LongLink');
  return [
    header(link, flag, body.length, Buffer.alloc(0), { mode: 0o644 }),
    body,
    padding(body.length),
  ];
}

function header(
  name: Buffer,
  flag: string,
  size: number,
  target: Buffer,
  { mode, uid = 0, gid = 0, time = 0 }: Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'time'>,
): Buffer {
  const block = Buffer.alloc(BLOCK);
  name.copy(block, 0, 0, NAME_LENGTH);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(time, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  target.copy(block, 157, 0, NAME_LENGTH);
  block.write('ustar  \0', 257, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padding(length: number): Buffer {
  return Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK);
}
