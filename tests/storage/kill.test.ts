/**
 * The process of a guest that writes and fsyncs records on ext4 is killed at random moments. After
 * each time the file system is found whole by e2fsck, and each record that the guest called fsynced
 * is there. `TABVISOR_KILLS` says how often; a few times unless given.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';

const KILLS = Number(process.env.TABVISOR_KILLS ?? 2);
/** Records after which the end may come, and time that may pass then, in milliseconds. */
const RECORDS_MAX = 40;
const DELAY_MAX = 60;

const folder = mkdtempSync(join(tmpdir(), 'tabvisor-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tabvisor = join(import.meta.dirname, '../../bin/tabvisor');
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const raw = join(folder, 'raw');
const overlay = join(folder, 'overlay');

function host(command: string, ...words: string[]): string {
  return execFileSync(command, words, { env: environment, encoding: 'utf8', stdio: 'pipe' });
}

/** Writes records named after `round` and says of each that it is durable. */
const program = (round: number) => `
modprobe ext4; mount -t ext4 /dev/vda /mnt || exit 3
i=0
while :; do
  echo "record ${round} $i" | dd of=/mnt/r${round}-$i conv=fsync 2>/dev/null && echo "durable $i"
  i=$((i + 1))
done`;

/** Runs the guest until it is killed; returns how many records were durable by then. */
async function killedRun(round: number): Promise<number> {
  const guest = spawn(
    process.execPath,
    [tabvisor, 'run', '--overlay', overlay, '--exec', program(round)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const enough = 1 + Math.floor(Math.random() * RECORDS_MAX);
  let durable = 0;
  let errors = '';
  guest.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  createInterface(guest.stdout).on('line', (line) => {
    if (!line.startsWith('durable ')) return;
    durable++;
    if (durable === enough) {
      setTimeout(() => guest.kill('SIGKILL'), Math.random() * DELAY_MAX);
    }
  });
  const signal = await new Promise((resolve) => guest.on('close', (_, signal) => resolve(signal)));
  if (signal !== 'SIGKILL') throw new Error(`The guest ended by itself: ${errors}`);
  return durable;
}

test(`a guest that is killed ${KILLS} times loses nothing that was fsynced`, async () => {
  writeFileSync(raw, '');
  truncateSync(raw, 64 << 20);
  host('mke2fs', '-q', '-t', 'ext4', raw);
  host(process.execPath, tabvisor, 'disk', 'import', raw, overlay);
  const durable: number[] = [];
  for (let round = 0; round < KILLS; round++) {
    durable.push(await killedRun(round));
    host(process.execPath, tabvisor, 'disk', 'export', overlay, raw);
    // The guest's kernel would replay its journal, too; then nothing may be wrong.
    spawnSync('e2fsck', ['-E', 'journal_only', '-y', raw], { env: environment });
    const check = spawnSync('e2fsck', ['-fn', raw], { env: environment, encoding: 'utf8' });
    expect(check.status, check.stdout + check.stderr).toBe(0);
    const files = join(folder, `files-${round}`);
    execFileSync('mkdir', [files]);
    host('debugfs', '-R', `rdump / ${files}`, raw);
    for (const [written, count] of durable.entries()) {
      for (let i = 0; i < count; i++) {
        expect(readFileSync(join(files, `r${written}-${i}`), 'utf8')).toBe(
          `record ${written} ${i}\n`,
        );
      }
    }
    rmSync(files, { recursive: true });
  }
  expect(durable.every((count) => count > 0)).toBe(true);
}, 3_600_000);
