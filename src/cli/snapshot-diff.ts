/**
 * How two machines that were saved differ, in lines for a person: what they are, what their parts
 * hold, which pages of RAM and which places of disks. Relies on files that are open, whose pages come
 * in order; holds no more than a piece of each in memory.
 */
import { PAGE_SIZE } from '../core/layout.ts';
import { MIB, RAM_BASE } from '../machine/memory-map.ts';
import type { PageRun } from '../machine/snapshot/snapshot.ts';
import type { Saved } from '../machine/state.ts';
import type { TabvmFile } from '../storage/tabvm/file.ts';
import type { OpenTabvm } from './tabvm.ts';

/** Ranges of RAM that are named. */
const RANGES = 8;
/** Characters of a value that are shown. */
const VALUE = 40;

export async function* differences(one: OpenTabvm, other: OpenTabvm): AsyncGenerator<string> {
  yield* inHeads(one.file, other.file);
  yield* inStates(one.source.image.state, other.source.image.state, []);
  yield* await inMemory(one, other);
  const disks = Math.min(one.file.head.disks.length, other.file.head.disks.length);
  for (let i = 0; i < disks; i++) yield* await inDisk(one.file, other.file, i);
}

function* inHeads(one: TabvmFile, other: TabvmFile): Generator<string> {
  const rows = ({ head }: TabvmFile): [string, string][] => [
    ['template', head.template || 'none'],
    ['memory', `${head.memory / MIB} MB`],
    ['append', head.append],
    ['kernel', `${head.kernel} bytes`],
    ['initrd', `${head.initrd} bytes`],
    ['disks', head.disks.map(({ size }) => `${size} bytes`).join(', ') || 'none'],
  ];
  const others = rows(other);
  for (const [i, [name, value]] of rows(one).entries()) {
    const [, its] = others[i]!;
    if (value !== its) yield `${name}: ${printable(value)}, then ${printable(its)}`;
  }
}

/** Names that say nothing: how a state is put together. */
const FRAME = ['parts', 'fields', 'state'];

function* inStates(
  one: Saved | undefined,
  other: Saved | undefined,
  path: readonly string[],
): Generator<string> {
  if (isRecord(one) && isRecord(other)) {
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      yield* inStates(one[key], other[key], FRAME.includes(key) ? path : [...path, key]);
    }
    return;
  }
  const name = printable(path.join('.'));
  if (one instanceof Uint8Array && other instanceof Uint8Array) {
    if (Buffer.compare(one, other) === 0) return;
    yield `${name}: ${shown(one)}, then ${shown(other)}`;
  } else if (JSON.stringify(one) !== JSON.stringify(other)) {
    yield `${name}: ${shown(one)}, then ${shown(other)}`;
  }
}

function shown(value: Saved | undefined): string {
  if (value === undefined) return 'nothing';
  if (value instanceof Uint8Array) {
    // A register is a number; what is longer is too much to read.
    if (value.length > 8) return `${value.length} bytes`;
    return `0x${Buffer.from(value).reverse().toString('hex') || '0'}`;
  }
  const text = JSON.stringify(value);
  return printable(text.length > VALUE ? `${text.slice(0, VALUE)}…` : text);
}

async function inMemory(one: OpenTabvm, other: OpenTabvm): Promise<string[]> {
  let changed = 0;
  const ranges: { first: number; end: number }[] = [];
  const differs = (page: number) => {
    changed++;
    const last = ranges.at(-1);
    if (last?.end === page) last.end++;
    else ranges.push({ first: page, end: page + 1 });
  };
  const [pages, others] = [pagesOf(one.source.pages()), pagesOf(other.source.pages())];
  let [a, b] = [await pages.next(), await others.next()];
  while (!a.done || !b.done) {
    const [mine, its] = [a.done ? Infinity : a.value.page, b.done ? Infinity : b.value.page];
    const same = !a.done && !b.done && Buffer.compare(a.value.bytes, b.value.bytes) === 0;
    if (mine !== its || !same) differs(Math.min(mine, its));
    if (mine <= its) a = await pages.next();
    if (its <= mine) b = await others.next();
  }
  if (changed === 0) return [];
  const address = (page: number) => `0x${(RAM_BASE + page * PAGE_SIZE).toString(16)}`;
  const named = ranges
    .slice(0, RANGES)
    .map(({ first, end }) => `${address(first)}-${address(end)}`)
    .join(', ');
  const more = ranges.length > RANGES ? ` and ${ranges.length - RANGES} ranges more` : '';
  return [`RAM: ${pagesInWords(changed)} of 4 KB: ${named}${more}`];
}

/** Pages that are not zero, one by one. */
async function* pagesOf(runs: AsyncIterable<PageRun>) {
  for await (const { first, bytes } of runs) {
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      const page = bytes.subarray(at, at + PAGE_SIZE);
      if (page.some((byte) => byte !== 0)) yield { page: first + at / PAGE_SIZE, bytes: page };
    }
  }
}

async function inDisk(one: TabvmFile, other: TabvmFile, index: number): Promise<string[]> {
  const [mine, its] = [one.disk(index), other.disk(index)];
  if (mine.size !== its.size) return [];
  const zeroes = new Uint8Array(PAGE_SIZE);
  let changed = 0;
  let first = -1;
  for (let chunk = 0; chunk * mine.chunkSize < mine.size; chunk++) {
    if (mine.isZero(chunk) && its.isZero(chunk)) continue;
    const a = mine.isZero(chunk) ? undefined : await mine.load(chunk);
    const b = its.isZero(chunk) ? undefined : await its.load(chunk);
    const length = a?.length ?? b?.length ?? 0;
    for (let at = 0; at < length; at += PAGE_SIZE) {
      const end = Math.min(at + PAGE_SIZE, length);
      const part = (bytes: Uint8Array | undefined) =>
        bytes?.subarray(at, end) ?? zeroes.subarray(0, end - at);
      if (Buffer.compare(part(a), part(b)) === 0) continue;
      changed++;
      if (first < 0) first = chunk * mine.chunkSize + at;
    }
  }
  if (changed === 0) return [];
  return [`disk ${index + 1}: ${pagesInWords(changed)} of 4 KB, the first at byte ${first}`];
}

function pagesInWords(count: number): string {
  return count === 1 ? '1 piece differs' : `${count} pieces differ`;
}

/** What comes from a file: a terminal is not to obey it. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e…]/g, '?');
}

function isRecord(value: Saved | undefined): value is { readonly [key: string]: Saved } {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);
}
