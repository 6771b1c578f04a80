/**
 * Weights between the threads of `tabvisor up`: three guests in busy loops share three quarters of a
 * processor, so that each can have its share by weight even on a host that is busy itself. What counts
 * is the work that they have done, as told to whoever reads the figures.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/tabvisor', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'labs-'));
const WEIGHTS = { one: 1, two: 2, four: 4 };
const SPAN_MS = 5000;
/** Other work of the host may disturb some spans; weights that are not kept are so in each. */
const SPANS = 6;

let running: ChildProcess | undefined;

afterEach(async () => {
  const ended = new Promise((resolve) => running?.once('close', resolve));
  if (running?.kill('SIGINT')) await ended;
  rmSync(folder, { recursive: true });
});

/** Resolves with the address of the figures when all are ready. */
function up(file: string): Promise<string> {
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const child = spawn(process.execPath, [bin, 'up', file, '--cpus', '0.75', '--metrics', '0'], {
    env,
  });
  running = child;
  let said = '';
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => {
      said += data;
      const url = /http:\/\/\S+\/metrics/.exec(said)?.[0];
      const ready = said.match(/\| Ready\.$/gm)?.length;
      if (url !== undefined && ready === Object.keys(WEIGHTS).length) resolve(url);
    });
    child.stderr.on('data', (data) => (said += data));
    child.on('close', () => reject(new Error(said)));
  });
}

async function work(url: string): Promise<number[]> {
  const text = await (await fetch(url)).text();
  return Object.keys(WEIGHTS).map((name) =>
    Number(
      new RegExp(`^tabvisor_vm_instructions_total\\{vm="${name}"\\} (\\d+)$`, 'm').exec(text)?.[1],
    ),
  );
}

test('three busy guests do work as their weights', async () => {
  const loop = 'sh -c "while :; do :; done" </dev/null >/dev/null 2>&1 &';
  const vms = Object.entries(WEIGHTS).map(
    ([name, weight]) =>
      `  ${name}: { run: ['${loop}'], resources: { cpu: { weight: ${weight} } }, ready: { prompt: true, within: 4m } }`,
  );
  const file = join(folder, 'weights.yaml');
  writeFileSync(file, ['format: 1', 'name: weights', 'vms:', ...vms, ''].join('\n'));
  const url = await up(file);
  let off = Number.POSITIVE_INFINITY;
  let before = await work(url);
  for (let span = 0; span < SPANS && !(off < 0.1); span++) {
    await sleep(SPAN_MS);
    const after = await work(url);
    const done = after.map((total, i) => total - before[i]!);
    before = after;
    const unit = done.reduce((sum, one) => sum + one) / 7;
    const shares = Object.values(WEIGHTS).map((weight, i) => ({ weight, share: done[i]! / unit }));
    off = Math.max(...shares.map(({ weight, share }) => Math.abs(share / weight - 1)));
    console.log(
      `    weights 1:2:4: work ${shares.map(({ share }) => share.toFixed(2)).join(' : ')}`,
    );
  }
  expect(off).toBeLessThan(0.1);
});
