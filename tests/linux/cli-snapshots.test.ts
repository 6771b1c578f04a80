/**
 * The command line's part of snapshots and disks: run --save and --snapshot, snapshot info, verify
 * and diff, disk export and import; what they do, and what they say to mistakes.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const bin = join(import.meta.dirname, '../../bin/tabvisor');
const fixture = join(import.meta.dirname, '../snapshot/fixtures/counting-1.tabvm');
const folder = mkdtempSync(join(tmpdir(), 'cli-snapshots-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

function tabvisor(args: readonly string[], stdin = '') {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString('latin1');
    });
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}

describe('a machine that was saved', () => {
  const saved = at('work.tabvm');

  beforeAll(async () => {
    // A timer, a sum and a pipe that are under way when it is saved.
    const work =
      '(sleep 2; echo slept >/tmp/slept) >/dev/null 2>&1 & ' +
      '(dd if=/dev/zero bs=1M count=24 2>/dev/null | sha256sum >/tmp/sum) >/dev/null 2>&1 & ' +
      'mkfifo /tmp/pipe; (while read -r l; do echo "got $l"; done </tmp/pipe >/tmp/got) >/dev/null 2>&1 & ' +
      '(exec 5>/tmp/pipe; echo one >&5; until [ -e /tmp/two ]; do sleep 0.1; done; echo two >&5) >/dev/null 2>&1 & ' +
      'echo disk | dd of=/dev/vda conv=notrunc 2>/dev/null; sync; echo begun';
    const run = await tabvisor([
      ...['run', '--memory', '128M', '--overlay', `${at('overlay')},1M`],
      ...['--exec', work, '--save', saved],
    ]);
    expect(run).toMatchObject({ code: 0, stdout: 'begun\n' });
  });

  test('goes on with its timers, sums, pipes and disk; saved again it goes on once more', async () => {
    const wait =
      'touch /tmp/two; until [ -s /tmp/slept ] && [ -s /tmp/sum ] && grep -q two /tmp/got; do sleep 0.1; done; ' +
      'cat /tmp/slept /tmp/got; cut -c1-64 /tmp/sum; head -c 5 /dev/vda; echo again >/tmp/again';
    const next = at('next.tabvm');
    const run = await tabvisor(['run', '--snapshot', saved, '--exec', wait, '--save', next]);
    const sum = spawnSync('sh', ['-c', 'head -c 25165824 /dev/zero | sha256sum | cut -c1-64']);
    expect(run.stdout).toBe(`slept\ngot one\ngot two\n${sum.stdout.toString()}disk\n`);
    expect(run.code).toBe(0);
    const third = await tabvisor(['run', '--snapshot', next, '--exec', 'cat /tmp/again; exit 7']);
    expect(third).toMatchObject({ code: 7, stdout: 'again\n' });
    expect((await tabvisor(['snapshot', 'verify', next])).code).toBe(0);

    const diff = await tabvisor(['snapshot', 'diff', saved, next]);
    expect(diff.code).toBe(1);
    expect(diff.stdout).toMatch(/^clock\.ticks: \d+, then \d+$/m);
    expect(diff.stdout).toMatch(/^board\.hart\.\w+: .+, then .+$/m);
    expect(diff.stdout).toMatch(/^RAM: \d+ pieces differ of 4 KB: 0x8\w+-0x8\w+/m);
    expect(diff.stdout).not.toMatch(/^(disk|kernel|memory)/m);
  });

  test('verify reads all of it; info says what it is; diff with itself is silent', async () => {
    const [verify, info, diff] = await Promise.all([
      tabvisor(['snapshot', 'verify', saved]),
      tabvisor(['snapshot', 'info', saved]),
      tabvisor(['snapshot', 'diff', saved, saved]),
    ]);
    expect(verify).toMatchObject({ code: 0, stdout: `${saved} is whole.\n` });
    expect(info.stdout).toMatch(/^name +work$/m);
    expect(info.stdout).toMatch(/^template +micro$/m);
    expect(info.stdout).toMatch(/^memory +128 MB$/m);
    expect(info.stdout).toMatch(/^disks +1048576 bytes$/m);
    expect(diff).toMatchObject({ code: 0, stdout: '' });
  });
});

test('the machine of the fixture goes on where it was, and ends by itself', async () => {
  const run = await tabvisor(['run', '--snapshot', fixture], 'q');
  expect(run).toMatchObject({ code: 0, stderr: '' });
  const diff = await tabvisor(['snapshot', 'diff', fixture, fixture]);
  expect(diff).toMatchObject({ code: 0, stdout: '' });
});

describe('a mistake ends with exit code 2 and one sentence', () => {
  const bad = at('bad.tabvm');
  beforeAll(() => {
    const bytes = readFileSync(fixture);
    bytes[bytes.length - 20]! ^= 1;
    writeFileSync(bad, bytes);
  });
  const nowhere = at('nowhere');
  test.each([
    [['run', '--save', 'x.tabvm'], /--save needs --exec/],
    [['run', '--snapshot', nowhere], /The snapshot .+ cannot be read/],
    [['run', '--snapshot', bad], /The snapshot .+ is damaged/],
    [['run', '--snapshot', bad, '--exec', 'true'], /is damaged/],
    [['run', '--snapshot', bin], /does not begin like one/],
    [['run', '--snapshot', ''], /--snapshot needs a value/],
    [['run', '--snapshot', fixture, '--memory', '64M'], /exclude each other/],
    [['run', '--snapshot', fixture, '--template', 'micro'], /exclude each other/],
    [['run', '--snapshot', fixture, '--disk', 'x'], /exclude each other/],
    [['run', '--snapshot', fixture, '--overlay', 'x'], /exclude each other/],
    [['run', '--snapshot', fixture, '--lockstep'], /exclude each other/],
    [['run', '--exec', 'true', '--save', 'x', '--lockstep'], /exclude each other/],
    [['snapshot'], /snapshot knows info, verify and diff/],
    [['snapshot', 'show', fixture], /snapshot knows info, verify and diff/],
    [['snapshot', 'info'], /takes one file/],
    [['snapshot', 'verify', fixture, fixture], /takes one file/],
    [['snapshot', 'diff', fixture], /takes two files/],
    [['snapshot', 'info', bad], /is damaged/],
    [['snapshot', 'verify', nowhere], /cannot be read/],
    [['snapshot', 'diff', fixture, bad], /is damaged/],
    [['disk'], /Say what to copy/],
    [['disk', 'export', 'x'], /Say what to copy/],
    [['disk', 'copy', 'x', 'y'], /disk knows export and import/],
    [['disk', 'import', 'x', 'y', '--image', 'z'], /Say what to copy/],
    [['disk', 'import', nowhere, at('new')], /cannot be opened/],
    [['disk', 'export', at('empty'), at('raw')], /There is no disk in/],
  ])('%j', async (args, sentence) => {
    const { code, stderr, stdout } = await tabvisor(args);
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^tabvisor: [^\n]+\n$/);
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('raw disks', () => {
  const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const host = (command: string, ...words: string[]) =>
    spawnSync(command, words, { env: environment, encoding: 'utf8' });

  /** What QEMU takes a disk for; it has no check for raw ones but to compare their contents. */
  const info = (raw: string) => {
    const { status, stdout, stderr } = host('qemu-img', 'info', '--output=json', raw);
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout);
  };

  test('an ext4 file system comes back as it went in, with holes; import takes no folder twice', async () => {
    const raw = at('ext4.raw');
    writeFileSync(raw, '');
    truncateSync(raw, 32 << 20);
    expect(host('mke2fs', '-q', '-t', 'ext4', raw).status).toBe(0);
    expect((await tabvisor(['disk', 'import', raw, at('ext4')])).code).toBe(0);
    const write = 'modprobe ext4; mount /dev/vda /mnt && echo kept >/mnt/file && umount /mnt';
    const run = await tabvisor(['run', '--overlay', at('ext4'), '--exec', write]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const back = at('back.raw');
    expect((await tabvisor(['disk', 'export', at('ext4'), back])).code).toBe(0);
    const check = host('e2fsck', '-fn', back);
    expect(check.status, check.stdout).toBe(0);
    expect(info(back)).toMatchObject({ format: 'raw', 'virtual-size': 32 << 20 });
    expect(host('debugfs', '-R', 'cat /file', back).stdout).toBe('kept\n');
    expect(statSync(back).blocks * 512).toBeLessThan(16 << 20);
    const again = await tabvisor(['disk', 'import', raw, at('ext4')]);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toMatch(/There is a disk in .+ already/);
  });

  /** TABVISOR_RAW_MB=8192 takes longer. */
  test('a large disk goes through little memory, and QEMU finds nothing that differs', async () => {
    const raw = at('large.raw');
    const size = Number(process.env.TABVISOR_RAW_MB ?? 512) * 1024 ** 2;
    writeFileSync(raw, '');
    truncateSync(raw, size);
    const file = openSync(raw, 'r+');
    for (const place of [0, size / 2 + 4096, size - 512]) {
      writeSync(file, Buffer.alloc(512, 0x33), 0, 512, place);
    }
    expect((await peak(['disk', 'import', raw, at('large')])).megabytes).toBeLessThan(300);
    const back = at('large.back');
    const out = await peak(['disk', 'export', at('large'), back]);
    expect(out.megabytes).toBeLessThan(300);
    expect(statSync(back).size).toBe(size);
    expect(statSync(back).blocks * 512).toBeLessThan(1 << 20);
    const compare = host('cmp', raw, back);
    expect(compare.status, compare.stdout).toBe(0);
    expect(info(back)).toMatchObject({ format: 'raw', 'virtual-size': size });
    const qemu = host('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', raw, back);
    expect(qemu.status, qemu.stdout + qemu.stderr).toBe(0);
  });

  /** Runs the command line; the most memory that its process held. */
  async function peak(args: readonly string[]): Promise<{ megabytes: number }> {
    const report = at('peak');
    const hook = at('peak.cjs');
    writeFileSync(
      hook,
      `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(report)}, ` +
        'String(process.resourceUsage().maxRSS)));',
    );
    const run = spawnSync(process.execPath, ['--require', hook, bin, ...args], {
      encoding: 'utf8',
    });
    expect(run.status, run.stderr).toBe(0);
    const megabytes = Number(readFileSync(report, 'utf8')) / 1024;
    console.log(`${args[1]}: ${megabytes.toFixed(0)} MB at most`);
    return { megabytes };
  }
});
