/**
 * `tabvisor disk`: copies a disk of an overlay folder out to a raw image, and a raw image in. Relies
 * on the overlay for what is there; holds no more than a piece of it, and leaves holes for zeroes.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { UserError } from '../machine/errors.ts';
import type { OverlayDisk } from '../storage/disk/overlay-disk.ts';
import { isZero } from '../storage/hash.ts';
import { FileDisk } from './file-disk.ts';
import { openOverlay } from './overlay.ts';
import { reasonOf } from './repository.ts';

const PIECE = 1 << 20;
/** Zeroes are left out in steps of so many bytes. */
const GRAIN = 32 << 10;
const { O_WRONLY, O_CREAT, O_TRUNC } = constants;

export async function disk(words: readonly string[]): Promise<void> {
  const [verb, from, to, option, image, ...rest] = words;
  const wrongOption = option !== undefined && (verb !== 'export' || option !== '--image' || !image);
  if (rest.length > 0 || wrongOption || from === undefined || to === undefined) {
    throw new UserError('Say what to copy: see "tabvisor disk --help".');
  }
  if (verb === 'export') return exportRaw(from, to, image);
  if (verb === 'import') return importRaw(from, to);
  throw new UserError(`disk knows export and import, not "${verb}". See "tabvisor disk --help".`);
}

async function exportRaw(overlay: string, file: string, image: string | undefined): Promise<void> {
  const opened = await openOverlay({ overlay, image, existing: true });
  try {
    await copyOut(opened.disk, file);
  } finally {
    await opened.close();
  }
}

/** Writes a disk to a raw image. */
export async function copyOut(disk: OverlayDisk, file: string): Promise<void> {
  const { size } = disk;
  const target = await open(file, O_WRONLY | O_CREAT | O_TRUNC).catch((error: unknown) => {
    throw new UserError(`The file ${file} cannot be written: ${reasonOf(error)}.`);
  });
  try {
    await target.truncate(size);
    await copyData(disk, size, (part, at) => target.write(part, 0, part.length, at));
    await target.datasync();
  } finally {
    await target.close();
  }
}

async function importRaw(file: string, overlay: string): Promise<void> {
  const source = await FileDisk.open(file, true);
  try {
    const { size } = source;
    const opened = await openOverlay({ overlay, size, existing: false });
    try {
      await copyData(source, size, (part, at) => opened.disk.write(at, part));
    } finally {
      await opened.close();
    }
  } finally {
    await source.close();
  }
}

/** Gives to `write` what is not zero, in order, and tells how far it is. */
async function copyData(
  from: Pick<OverlayDisk | FileDisk, 'read'>,
  size: number,
  write: (part: Uint8Array, at: number) => unknown,
): Promise<void> {
  const bytes = new Uint8Array(PIECE);
  for (let at = 0; at < size; at += PIECE) {
    const piece = bytes.subarray(0, Math.min(PIECE, size - at));
    await from.read(at, piece);
    for (let i = 0; i < piece.length; i += GRAIN) {
      const part = piece.subarray(i, i + GRAIN);
      if (!isZero(part)) await write(part, at + i);
    }
    progress(at + piece.length, size);
  }
}

function progress(done: number, size: number): void {
  if (!process.stderr.isTTY) return;
  const end = done === size ? '\n' : '';
  process.stderr.write(`\r${Math.floor((done / size) * 100)} % of ${size} bytes${end}`);
}
