/**
 * Weights between the threads of `tabvisor up`: three guests in busy loops share three quarters of a
 * processor, so that each can have its share by weight even on a host that is busy itself. What counts
 * is the time that they had and the work that they have done, as told to whoever reads the figures.
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
const SPAN_MS = 4000;
/** What other work of the host disturbs in one span is had back in the next ones. */
const SPANS = 8;
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

const METRICS = ['cpu_used_seconds_total', 'instructions_total'] as const;

/** Of each metric the value of each guest, in order. */
async function totals(url: string): Promise<number[][]> {
  const text = await (await fetch(url)).text();
  return METRICS.map((metric) =>
    Object.keys(WEIGHTS).map((name) => {
      const line = new RegExp(`^tabvisor_vm_${metric}\\{vm="${name}"\\} (\\S+)$`, 'm').exec(text);
      return Number(line?.[1]);
    }),
  );
}

/** By how much one is at most apart from what its weight says. */
function offWeights(values: readonly number[]): number {
  const unit = values.reduce((sum, one) => sum + one) / 7;
  const weights = Object.values(WEIGHTS);
  return Math.max(...values.map((value, i) => Math.abs(value / unit / weights[i]! - 1)));
}

test('three busy guests get processor time and do work as their weights', async () => {
  const loop = 'sh -c "while :; do :; done" </dev/null >/dev/null 2>&1 &';
  const vms = Object.entries(WEIGHTS).map(
    ([name, weight]) =>
      `  ${name}: { run: ['${loop}'], resources: { cpu: { weight: ${weight} } }, ready: { prompt: true, within: 4m } }`,
  );
  const file = join(folder, 'weights.yaml');
  writeFileSync(file, ['format: 1', 'name: weights', 'vms:', ...vms, ''].join('\n'));
  const url = await up(file);
  // Until its loop is translated, and the engine has made the best of that, a guest does less with its
  // time; one that has little time takes long for it.
  await sleep(SPAN_MS);
  const before = await totals(url);
  let [time, work]: number[][] = [[], []];
  let span = 0;
  const kept = () => offWeights(time!) < 0.1 && (offWeights(work!) < 0.1 || span >= SPANS / 2);
  do {
    await sleep(SPAN_MS);
    const after = await totals(url);
    [time, work] = after.map((values, k) => values.map((value, i) => value - before[k]![i]!));
    const off = [time!, work!].map((values) => `${(offWeights(values) * 100).toFixed(1)}%`);
    console.log(`    weights 1:2:4: processor and work off by ${off.join(' and ')}`);
  } while (++span < SPANS && !kept());
  expect(offWeights(time!)).toBeLessThan(0.1);
  // What is shared is time: until all are as warm as each other they do not do as much with it.
  expect(work).toEqual(work!.toSorted((a, b) => a - b));
});
