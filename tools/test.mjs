/**
 * `npm test`: sets up what the tests need, runs all of them and adds up. Node alone until npm's
 * packages are there. Guarantees a last line `N passed, N failed` and a fitting exit code; a step
 * that cannot run counts as one failure and does not keep the others from running. Steps that keep
 * one processor busy run beside each other, two at a time, and are printed one after the other.
 * `npm test -- NAME…` runs only the steps with these names.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { checks } from './lib/checks.mjs';
import { ensureChromium } from './lib/chromium.mjs';

import { ensurePackages, ensureParts, ensureSite, requireNode, root } from './lib/setup.mjs';
import { installMissing, Plain } from './lib/shell.mjs';

const reports = join(root, 'build/test');
const vitest = 'node_modules/vitest/vitest.mjs';

/**
 * @typedef {{ passed: number, failed: number, skipped?: number }} Count
 * @typedef {(text: string | Buffer) => void} Print
 * @typedef {{ name: string, beside?: true, run: (print: Print) => Promise<Count> }} Step
 * `beside`: leaves a processor to another step of this kind.
 */

/** What looks at disks that guests have written to. */
const diskTools = [
  { program: 'mkfs.ext4', package: 'e2fsprogs' },
  { program: 'e2fsck', package: 'e2fsprogs' },
  { program: 'debugfs', package: 'e2fsprogs' },
  { program: 'qemu-img', package: 'qemu-utils' },
];

/** @type {Step[]} */
const steps = [
  ...checks.map(({ name, command }) => ({
    name,
    run: async (/** @type {Print} */ print) => {
      await ensurePackages();
      return one(await node(command, print));
    },
  })),
  {
    name: 'unit',
    run: async (print) => {
      await ensureParts();
      return runVitest('unit', print);
    },
  },
  {
    name: 'machine',
    beside: true,
    run: async (print) => {
      await installMissing(diskTools, 'the tests of whole machines');
      await ensureParts();
      return runVitest('machine', print);
    },
  },
  ...['interpreter', 'translator', 'lockstep'].map((mode) => ({
    name: `conformance ${mode}`,
    beside: /** @type {const} */ (true),
    run: async (/** @type {Print} */ print) => {
      await ensureParts();
      const { code, lastLine } = await nodeWithResult(
        ['tools/run-ts.mjs', 'tests/conformance/main.ts', '--mode', mode],
        print,
      );
      return counted(code, lastLine);
    },
  })),
  {
    name: 'soak',
    beside: true,
    run: async (print) => {
      await ensureParts();
      const args = ['tools/run-ts.mjs', 'tests/soak/main.ts', '--minutes', '1', '--seed', '1'];
      return one(await node(args, print));
    },
  },
  {
    name: 'e2e',
    run: async (print) => {
      await installMissing(diskTools, "the page's tests");
      await ensureChromium("the page's tests in a browser");
      await ensureParts();
      await ensureSite();
      return runPlaywright(print);
    },
  },
];

/** @param {string} project @param {Print} print @returns {Promise<Count>} */
async function runVitest(project, print) {
  const report = join(reports, `${project}.json`);
  rmSync(report, { force: true });
  const args = [
    ...[vitest, 'run', '--project', project, '--passWithNoTests'],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ];
  const ok = await node(args, print);
  const result = readReport(report);
  if (!result) return one(false);
  // A file that cannot be loaded holds no tests that could fail.
  const broken = result.testResults.filter(
    (/** @type {{ status: string, assertionResults: unknown[] }} */ file) =>
      file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const failed = result.numFailedTests + broken;
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && !ok ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** @param {Print} print @returns {Promise<Count>} */
async function runPlaywright(print) {
  const report = join(reports, 'e2e.json');
  rmSync(report, { force: true });
  const ok = await node(['node_modules/@playwright/test/cli.js', 'test'], print, {
    TABVISOR_E2E_REPORT: report,
  });
  const result = readReport(report);
  if (!result) return one(false);
  const { expected, flaky, unexpected, skipped } = result.stats;
  const failed = unexpected + result.errors.length;
  return { passed: expected + flaky, failed: failed === 0 && !ok ? 1 : failed, skipped };
}

/**
 * A program's own count, in a last line of JSON with `passed` and `failed`; else it is one test.
 * @param {number} code
 * @param {string} lastLine
 * @returns {Count}
 */
function counted(code, lastLine) {
  try {
    const { passed, failed } = JSON.parse(lastLine);
    if (Number.isInteger(passed) && Number.isInteger(failed)) {
      return { passed, failed: failed === 0 && code !== 0 ? 1 : failed };
    }
  } catch {
    // no count
  }
  return one(code === 0);
}

/** @param {boolean} ok @returns {Count} */
function one(ok) {
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** @param {string} file */
function readReport(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** @param {string[]} args @param {Print} print @param {NodeJS.ProcessEnv} [env] */
async function node(args, print, env = {}) {
  return (await nodeWithResult(args, print, env)).code === 0;
}

/**
 * Runs a Node program, prints what it says, and remembers its last line.
 * @param {string[]} args
 * @param {Print} print
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ code: number, lastLine: string }>}
 */
function nodeWithResult(args, print, env = {}) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let tail = '';
    child.stdout.on('data', (data) => {
      print(data);
      tail = (tail + data).slice(-8192);
    });
    child.stderr.on('data', print);
    child.on('error', () => done({ code: -1, lastLine: '' }));
    child.on('close', (code) =>
      done({ code: code ?? -1, lastLine: tail.trim().split('\n').at(-1) ?? '' }),
    );
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  const names = steps.map(({ name }) => `"${name}"`).join(', ');
  console.error(`There is no step ${unknown.join(', ')}. There are: ${names}.`);
  process.exit(2);
}
try {
  requireNode();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exit(1);
}
mkdirSync(reports, { recursive: true });
/** @type {Map<string, Count & { seconds: number }>} */
const results = new Map();

/** @param {Step} step @param {Print} print */
async function runStep({ name, run }, print) {
  print(`\n━━ ${name}\n`);
  const start = performance.now();
  /** @type {Count} */
  let count;
  try {
    count = await run(print);
  } catch (error) {
    print(`${error instanceof Plain ? error.message : inspect(error)}\n`);
    count = one(false);
  }
  results.set(name, { ...count, seconds: (performance.now() - start) / 1000 });
}

/**
 * Two at a time, in order. Only one of them prints as it goes; what the other one says comes when
 * that one is done.
 * @param {Step[]} beside
 */
async function runBeside(beside) {
  const left = [...beside];
  /** @type {Step | undefined} */
  let open;
  let held = '';
  const lane = async () => {
    for (let step = left.shift(); step; step = left.shift()) {
      const mine = step;
      let text = '';
      open ??= mine;
      await runStep(mine, (data) => {
        if (open === mine) process.stdout.write(data);
        else text += data;
      });
      if (open !== mine) {
        held += text;
        continue;
      }
      open = undefined;
      process.stdout.write(held);
      held = '';
    }
  };
  await Promise.all([lane(), lane()]);
  process.stdout.write(held);
}

const chosen = steps.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const print = (/** @type {string | Buffer} */ data) => void process.stdout.write(data);
for (const step of chosen) {
  if (!step.beside) await runStep(step, print);
  else if (!results.has(step.name)) await runBeside(chosen.filter(({ beside }) => beside));
}

const table = chosen.map(({ name }) => ({
  name,
  ...(results.get(name) ?? { ...one(false), seconds: 0 }),
}));
console.log('');
for (const { name, passed, failed, skipped = 0, seconds } of table) {
  const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
  console.log(`${name.padEnd(36)} ${`${seconds.toFixed(1)} s`.padStart(9)}   ${counts}`);
}
const sum = (/** @type {'passed' | 'failed'} */ key) =>
  table.reduce((all, row) => all + row[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1);
