/**
 * The disks of a measured guest. One without a root of its own gets the same blank disk for every boot;
 * one with a root gets that as it was made: QEMU a copy of it as a raw file, Node its chunks with what
 * is written kept apart, as `tabvisor run` has it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { copyOut } from '../../src/cli/disk.ts';
import { openOverlay } from '../../src/cli/overlay.ts';
import { type BenchGuest, type BenchImage, ROOT } from '../image.ts';
import type { OrderedDisk } from './order.ts';

export const DISK_MEGABYTES = 64;

/** Makes the raw images of the guests' roots where they are missing: that takes a minute, once. */
export async function makeRawRoots({ guests }: BenchImage): Promise<void> {
  for (const { root, name } of guests) {
    if (root === undefined) continue;
    const file = rawRoot(root);
    if (existsSync(file)) continue;
    console.error(`The disk of ${name} in one piece, for QEMU …`);
    mkdirSync(dirname(file), { recursive: true });
    const opened = await openOverlay({ image: root });
    try {
      await copyOut(opened.disk, `${file}.part`);
    } finally {
      await opened.close();
    }
    renameSync(`${file}.part`, file);
  }
}

/** Where the raw image of a root is kept: a root that is made anew has another one. */
function rawRoot(manifest: string): string {
  const id = createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 16);
  return join(ROOT, 'build/bench-roots', `${id}.img`);
}

/** The guest's disk as a raw file that may be written to. */
export function rawDisk(side: string, { root }: BenchGuest): string {
  const file = place(`${side}.img`);
  if (root === undefined) {
    writeFileSync(file, '');
    truncateSync(file, DISK_MEGABYTES << 20);
  } else {
    execFileSync('cp', ['--sparse=always', '--reflink=auto', rawRoot(root), file]);
  }
  return file;
}

/** `kept`: what is written survives, as with `--overlay`, also on a blank disk. */
export function nodeDisk(side: string, guest: BenchGuest, kept: boolean): OrderedDisk {
  const overlay = place(`${side}.overlay`);
  if (guest.root !== undefined) return { image: guest.root, overlay };
  return kept ? { overlay, size: DISK_MEGABYTES << 20 } : { raw: rawDisk(side, guest) };
}

/** A path where nothing is. */
function place(name: string): string {
  const path = join(ROOT, 'build/bench', name);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { recursive: true, force: true });
  return path;
}
