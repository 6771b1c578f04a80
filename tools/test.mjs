/**
 * `npm test`: sets up what the tests need, runs all of them and adds up. Node alone until npm's
 * packages are there. Guarantees a last line `N passed, N failed` and a fitting exit code; a step
 * that cannot run counts as one failure and does not keep the others from running.
 * `npm test -- NAME…` runs only the steps with these names.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checks } from './lib/checks.mjs';
import { ensurePackages, ensureParts, ensureSite, requireNode, root } from './lib/setup.mjs';
import { installMissing, Plain } from './lib/shell.mjs';

const reports = join(root, 'build/test');
const vitest = 'node_modules/vitest/vitest.mjs';

/**
 * @typedef {{ passed: number, failed: number, skipped?: number }} Count
 * @typedef {{ name: string, run: () => Promise<Count> }} Step
 */

/** @type {Step[]} */
const steps = [
  ...checks.map(({ name, command }) => ({
    name,
    run: async () => {
      await ensurePackages();
      return one(await node(command));
    },
  })),
  {
    name: 'unit',
    run: async () => {
      await ensureParts();
      return runVitest('unit');
    },
  },
  ...['interpreter', 'translator', 'lockstep'].map((mode) => ({
    name: `conformance ${mode}`,
    run: async () => {
      await ensureParts();
      const { code, lastLine } = await nodeWithResult([
        ...['tools/run-ts.mjs', 'tests/conformance/main.ts', '--mode', mode],
      ]);
      return counted(code, lastLine);
    },
  })),
  {
    name: 'machine',
    run: async () => {
      await installMissing(
        [
          { program: 'mkfs.ext4', package: 'e2fsprogs' },
          { program: 'e2fsck', package: 'e2fsprogs' },
          { program: 'debugfs', package: 'e2fsprogs' },
        ],
        'the tests of whole machines',
      );
      await ensureParts();
      return runVitest('machine');
    },
  },
  {
    name: 'soak',
    run: async () => {
      await ensureParts();
      return one(
        await node(['tools/run-ts.mjs', 'tests/soak/main.ts', '--minutes', '1', '--seed', '1']),
      );
    },
  },
  {
    name: 'e2e',
    run: async () => {
      if (!process.env.TABVISOR_CHROMIUM) {
        await installMissing(
          [{ program: 'chromium', package: 'chromium' }],
          "the page's tests in a browser",
        );
      }
      await ensureParts();
      await ensureSite();
      return runPlaywright();
    },
  },
];

/** @param {string} project @returns {Promise<Count>} */
async function runVitest(project) {
  const report = join(reports, `${project}.json`);
  rmSync(report, { force: true });
  const ok = await node([
    ...[vitest, 'run', '--project', project, '--passWithNoTests'],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ]);
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

/** @returns {Promise<Count>} */
async function runPlaywright() {
  const report = join(reports, 'e2e.json');
  rmSync(report, { force: true });
  const ok = await node(['node_modules/@playwright/test/cli.js', 'test'], {
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

/** @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
async function node(args, env = {}) {
  return (await nodeWithResult(args, env)).code === 0;
}

/**
 * Runs a Node program in the open, and remembers its last line.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ code: number, lastLine: string }>}
 */
function nodeWithResult(args, env = {}) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let tail = '';
    child.stdout?.on('data', (data) => {
      process.stdout.write(data);
      tail = (tail + data).slice(-8192);
    });
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
/** @type {(Count & { name: string, seconds: number })[]} */
const table = [];
for (const { name, run } of steps) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n━━ ${name}`);
  const start = performance.now();
  /** @type {Count} */
  let count;
  try {
    count = await run();
  } catch (error) {
    console.error(error instanceof Plain ? error.message : error);
    count = one(false);
  }
  table.push({ name, ...count, seconds: (performance.now() - start) / 1000 });
}

console.log('');
for (const { name, passed, failed, skipped = 0, seconds } of table) {
  const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
  console.log(`${name.padEnd(36)} ${`${seconds.toFixed(1)} s`.padStart(9)}   ${counts}`);
}
const sum = (/** @type {'passed' | 'failed'} */ key) =>
  table.reduce((all, row) => all + row[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1);
