/** The disk that the guest measures: the same blank file for every boot, as a raw virtio disk. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../image.ts';

export const DISK_MEGABYTES = 64;

export function blankDisk(side: string): string {
  const file = join(ROOT, 'build/bench', `${side}.img`);
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  writeFileSync(file, '');
  truncateSync(file, DISK_MEGABYTES << 20);
  return file;
}
