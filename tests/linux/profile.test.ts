/** `tabvisor profile` as a person uses it: where a guest is, with symbols, and code as text. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { ProfileReport } from '../../src/cli/profile-report.ts';
import { exit, program } from '../machine/bare-metal.ts';

const bin = fileURLToPath(new URL('../../bin/tabvisor', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'profile-'));
afterAll(() => rmSync(folder, { recursive: true }));

const profile = (...args: string[]) =>
  spawnSync(process.execPath, [bin, 'profile', ...args], { encoding: 'utf8', input: '' });

const SUM = 'dd if=/dev/zero bs=64k count=64 2>/dev/null | sha256sum';

describe('a command in Linux', () => {
  test('shows the program and the kernel, and shares of all', () => {
    const { status, stdout, stderr } = profile('--json', '--top', '30', '--exec', SUM);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8 {2}-\n$/,
    );
    const report: ProfileReport = JSON.parse(stdout);
    const { rows, others } = report;
    expect(rows[0]).toMatchObject({ mode: 'user', symbol: null });
    // Hashing is nearly all that it does, in translated code.
    const user = rows.filter(({ mode }) => mode === 'user');
    expect(user.reduce((sum, { share }) => sum + share, 0)).toBeGreaterThan(0.8);
    expect(rows[0]?.translated).toBeGreaterThan(0.5);
    const kernel = rows.filter(({ mode }) => mode === 'kernel');
    expect(kernel.map(({ symbol }) => symbol)).toContainEqual(expect.stringMatching(/copy|clear/));
    for (const key of ['share', 'time'] as const) {
      expect(rows.reduce((sum, row) => sum + row[key], others[key])).toBeCloseTo(1, 9);
    }
    // 4 MB at some 80 instructions a byte.
    expect(report.instructions).toBeGreaterThan(1e8);
    expect(report.samples).toBeGreaterThan(report.instructions / 60_000);
  });

  test("shows a kernel function's code and its WebAssembly", () => {
    const { status, stdout } = profile('--region', 'schedule', '--exec', 'true');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^f{8}[0-9a-f]{8} \(entry\):\n {2}f{8}[0-9a-f]{8} {2}\S/);
    expect(stdout).toMatch(/\n\(module\n[\s\S]+;; f{8}[0-9a-f]{8} {2}[\s\S]+\n\)\n$/);
  });
});

describe('a bare-metal program', () => {
  const file = join(folder, 'loop.elf');
  writeFileSync(
    file,
    program(`
        li t0, 3000000
      loop:
        addi t0, t0, -1
        bnez t0, loop
      ${exit(0)}
    `),
  );

  test('its hottest address is in the loop', () => {
    const { status, stdout } = profile('--elf', file, '--by', 'address', '--top', '2');
    expect(status).toBe(0);
    const [heading, ...lines] = stdout.split('\n');
    expect(heading).toMatch(/^ +share +time +tier +address +symbol +instructions$/);
    // lui and addiw come before the loop.
    for (const line of lines.slice(0, 2)) {
      expect(line).toMatch(/ % +[a-z]+ +8000000[8c] +machine +[\d ]+$/);
    }
  });

  test('code at an address', () => {
    const { status, stdout } = profile('--elf', file, '--region', '80000008');
    expect(status).toBe(0);
    expect(stdout).toContain('80000008  addi t0, t0, -1\n');
    expect(stdout).toMatch(/loop \$at_8\n/);
  });

  test.each([
    [['--region', 'nowhere'], /no symbol "nowhere"/],
    [['--region', '10'], /cannot be read/],
    [['--trace'], /--trace is for "tabvisor run"/],
    [['--top', 'x'], /--top is a number/],
    [['--fly'], /--fly/],
  ])('%j: one sentence, exit code 2', (args, sentence) => {
    const { status, stdout, stderr } = profile('--elf', file, ...args);
    expect(stderr).toMatch(sentence);
    expect([status, stdout]).toEqual([2, '']);
  });
});
