/**
 * Records that a guest writes and fsyncs, each in a file of its own, and what must be there of them
 * when whatever ran the guest was killed. Relies on the tools of ext4 on the host.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';

const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

export function host(command: string, ...words: string[]): string {
  return execFileSync(command, words, { env: environment, encoding: 'utf8', stdio: 'pipe' });
}

/** Makes a raw image with an empty file system in it. */
export function makeExt4(raw: string, megabytes: number): void {
  writeFileSync(raw, '');
  truncateSync(raw, megabytes << 20);
  host('mke2fs', '-q', '-t', 'ext4', raw);
}

/** What the guest says of a record that is durable, with its number. */
export const DURABLE = /^durable (\d+)$/;

/** A line of shell that writes records named after `round` and says of each that it is durable. */
export const writeRecords = (round: number) =>
  'modprobe ext4; mount -t ext4 /dev/vda /mnt || exit 3; i=0; while :; do ' +
  `echo "record ${round} $i" | dd of=/mnt/r${round}-$i conv=fsync 2>/dev/null && ` +
  'echo "durable $i"; i=$((i + 1)); done';

/**
 * What is wrong with a disk on which so many records of each round were durable, in words of e2fsck or
 * our own; empty when nothing is. `files` is a folder that is made for the while.
 */
export function lookForRecords(raw: string, durable: readonly number[], files: string): string {
  // The guest's kernel would replay its journal, too; then nothing may be wrong.
  spawnSync('e2fsck', ['-E', 'journal_only', '-y', raw], { env: environment });
  const check = spawnSync('e2fsck', ['-fn', raw], { env: environment, encoding: 'utf8' });
  if (check.status !== 0) return check.stdout + check.stderr;
  mkdirSync(files);
  try {
    host('debugfs', '-R', `rdump / ${files}`, raw);
    for (const [round, count] of durable.entries()) {
      for (let i = 0; i < count; i++) {
        const found = readFileSync(`${files}/r${round}-${i}`, 'utf8');
        if (found !== `record ${round} ${i}\n`) return `Record ${i} of round ${round}: "${found}".`;
      }
    }
  } catch (error) {
    return String(error);
  } finally {
    rmSync(files, { recursive: true });
  }
  return '';
}
