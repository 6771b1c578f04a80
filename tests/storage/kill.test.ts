/**
 * The process of a guest that writes and fsyncs records on ext4 is killed at random moments. After
 * each time the file system is found whole by e2fsck, and each record that the guest called fsynced
 * is there. `TABVISOR_KILLS` says how often; a few times unless given.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { DURABLE, host, lookForRecords, makeExt4, writeRecords } from './records.ts';

const KILLS = Number(process.env.TABVISOR_KILLS ?? 2);
/** Records after which the end may come, and time that may pass then, in milliseconds. */
const RECORDS_MAX = 40;
const DELAY_MAX = 60;

const folder = mkdtempSync(join(tmpdir(), 'tabvisor-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tabvisor = join(import.meta.dirname, '../../bin/tabvisor');
const raw = join(folder, 'raw');
const overlay = join(folder, 'overlay');

/** Runs the guest until it is killed; returns how many records were durable by then. */
async function killedRun(round: number): Promise<number> {
  const guest = spawn(
    process.execPath,
    [tabvisor, 'run', '--overlay', overlay, '--exec', writeRecords(round)],
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
    if (!DURABLE.test(line)) return;
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
  makeExt4(raw, 64);
  host(process.execPath, tabvisor, 'disk', 'import', raw, overlay);
  const durable: number[] = [];
  for (let round = 0; round < KILLS; round++) {
    durable.push(await killedRun(round));
    host(process.execPath, tabvisor, 'disk', 'export', overlay, raw);
    expect(lookForRecords(raw, durable, join(folder, 'files'))).toBe('');
  }
  expect(durable.every((count) => count > 0)).toBe(true);
}, 3_600_000);
