/**
 * Makes the snapshot that a template starts from: boots the image inside Tabvisor, lets it settle with
 * its first shell held back, and stores the machine in pieces. Then a second machine goes on from
 * it, so that pieces and disk chunks lie in the order in which a guest touches them. Guarantees that
 * a manifest names a snapshot only when all of it is there.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Manifest, parseManifest } from '../../src/machine/manifest.ts';
import { encodeSaved } from '../../src/machine/snapshot/encode.ts';
import { type MachineImage, STATE_VERSION } from '../../src/machine/snapshot/snapshot.ts';
import {
  PIECE_PAGES_MAX,
  type Piece,
  parseSnapshotIndex,
  type SnapshotIndex,
  storedName,
} from '../../src/machine/snapshot/template-index.ts';
import { formatDiskImage, parseDiskImage } from '../../src/storage/image/manifest.ts';
import { filesUnder, fingerprint, isFresh, isSource } from '../../tools/lib/fingerprint.mjs';
import { storeBooted } from './disk.ts';
import { bootTemplate, type Pages, type Settled, touchOrder } from './template-guest.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Pages of a piece that a guest needs soon, and of the others. */
const FIRST_PAGES = 128;
const OTHER_PAGES = PIECE_PAGES_MAX;

/** Makes the snapshot of the image in `folder` when it is missing or stale. */
export async function makeSnapshot(folder: string, log: (line: string) => void): Promise<void> {
  const path = join(folder, 'manifest.json');
  const { snapshot, ...manifest } = parseManifest(readFileSync(path, 'utf8'), path);
  const target = join(folder, 'snapshot');
  const stamp = join(target, '.stamp');
  const key = keyOf(manifest);
  const { name } = manifest;
  const there = snapshot ? [join(folder, snapshot.file)] : [];
  if (snapshot && isFresh(stamp, key, there) && isWhole(target)) return;
  const started = performance.now();
  const settled = await bootTemplate(folder, manifest);
  const booted = performance.now();
  try {
    const { image, pages } = await settled.capture();
    const touched = await touchOrder(folder, manifest, settled, { image, pages });
    const draft = join(folder, '.snapshot.draft');
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft);
    const index = store(draft, { image, pages, touched: touched.pages, usable: touched.usable });
    const put = (file: string, bytes: Buffer) => {
      writeFileSync(join(folder, file), bytes);
      return { file, size: bytes.length, sha256: digest(bytes) };
    };
    const putBoth = (file: string, bytes: Buffer) => ({
      ...put(file, bytes),
      gz: put(`${file}.gz`, gzipSync(bytes, { level: 9 })),
    });
    const disk = await storeDisks(folder, manifest, settled, touched.chunks, putBoth);
    rmSync(target, { recursive: true, force: true });
    renameSync(draft, target);
    const entry = {
      ...putBoth('snapshot/index.json', Buffer.from(JSON.stringify(index))),
      version: STATE_VERSION,
      memory: image.memory,
      ...disk?.booted,
    };
    const changed = { ...manifest, ...disk?.cold, snapshot: entry };
    writeFileSync(`${path}.draft`, `${JSON.stringify(changed, null, 2)}\n`);
    renameSync(`${path}.draft`, path);
    writeFileSync(stamp, keyOf({ ...manifest, ...disk?.cold }));
    log(
      `${name}: snapshot of ${pages.size} pages in ${index.pieces.length} pieces, ` +
        `${megabytes(sizeOf(index.pieces))} compressed, of which ` +
        `${megabytes(sizeOf(index.pieces.slice(0, index.first)))} until it can be used ` +
        `(booted in ${seconds(started, booted)}, made in ${seconds(started, performance.now())})`,
    );
  } finally {
    await settled.close();
  }
}

/** What a snapshot depends on: the image, the machine that runs it, and this program. */
function keyOf({ snapshot: _, ...manifest }: Manifest): string {
  const parts = ['src/machine', 'src/core', 'wasm', 'guests/make/snapshot.ts'];
  const files = [...parts, 'guests/make/template-guest.ts'].flatMap((part) =>
    filesUnder(join(root, part), (file) => isSource(file) && !file.includes('/generated/')),
  );
  return fingerprint(root, files, JSON.stringify(manifest));
}

/** Whether every file is what the index says. */
function isWhole(folder: string): boolean {
  try {
    const path = join(folder, 'index.json');
    const index = parseSnapshotIndex(readFileSync(path, 'utf8'), path);
    return [index.state, ...index.pieces].every(
      (stored) => digest(readFileSync(join(folder, storedName(stored)))) === stored.sha256,
    );
  } catch {
    return false;
  }
}

interface Captured {
  readonly image: MachineImage;
  readonly pages: Pages;
  /** Pages in the order in which a guest touched them; the first `usable` until it could be used. */
  readonly touched: readonly number[];
  readonly usable: number;
}

/** Stores state and pages below `folder`. */
function store(folder: string, { image, pages, touched, usable }: Captured): SnapshotIndex {
  const put = (bytes: Uint8Array) => {
    const packed = gzipSync(bytes, { level: 9 });
    const sha256 = digest(packed);
    writeFileSync(join(folder, storedName({ sha256, size: packed.length })), packed);
    return { sha256, size: packed.length };
  };
  const piece = (list: readonly number[]): Piece => {
    const bytes = Buffer.concat(list.map((page) => pages.get(page)!));
    return { ...put(bytes), pages: runsOf(list) };
  };
  const soon = new Set(touched);
  const rest = [...pages.keys()].filter((page) => !soon.has(page)).sort((a, b) => a - b);
  const first = inParts(touched.slice(0, usable), FIRST_PAGES);
  const pieces = [
    ...first,
    ...inParts(touched.slice(usable), FIRST_PAGES),
    ...inParts(rest, OTHER_PAGES),
  ];
  const state = encodeSaved(image.state);
  return {
    format: 1,
    token: image.token,
    memory: image.memory,
    state: { ...put(state), bytes: state.length },
    pieces: pieces.map(piece),
    first: first.length,
  };
}

function inParts(list: readonly number[], size: number): number[][] {
  const parts: number[][] = [];
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size));
  return parts;
}

/** Pages as runs: first page, how many, … */
function runsOf(list: readonly number[]): number[] {
  const runs: number[] = [];
  for (const [i, page] of list.entries()) {
    if (i > 0 && page === list[i - 1]! + 1) runs[runs.length - 1]!++;
    else runs.push(page, 1);
  }
  return runs;
}

type PutBoth = (file: string, bytes: Buffer) => NonNullable<Manifest['disk']>;

/** The root disk as it was captured; and the image's own, with the order in which a boot reads it. */
async function storeDisks(
  folder: string,
  manifest: Manifest,
  settled: Settled,
  chunks: readonly number[],
  putBoth: PutBoth,
) {
  if (!manifest.disk || !settled.disk) return undefined;
  const path = join(folder, manifest.disk.file);
  const image = parseDiskImage(readFileSync(path, 'utf8'), path);
  const ordered = { ...image, bootOrder: [...settled.chunks] };
  const booted = await storeBooted(settled.disk, folder);
  return {
    cold: { disk: putBoth(manifest.disk.file, Buffer.from(formatDiskImage(ordered))) },
    booted: {
      disk: putBoth(
        'booted.json',
        Buffer.from(formatDiskImage({ ...booted, bootOrder: [...chunks] })),
      ),
    },
  };
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sizeOf(pieces: readonly { size: number }[]): number {
  return pieces.reduce((sum, { size }) => sum + size, 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function seconds(from: number, to: number): string {
  return `${((to - from) / 1000).toFixed(1)} s`;
}
