/** The command line as a person or a script uses it: real processes, exit codes, a terminal. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, onTestFailed, test } from 'vitest';
import { program } from '../machine/bare-metal.ts';

const bin = fileURLToPath(new URL('../../bin/tabvisor', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

interface Result {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function tabvisor(args: readonly string[], stdin: Uint8Array | string = ''): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args]);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => stdout.push(data));
    child.stderr.on('data', (data: Buffer) => stderr.push(data));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    );
    child.stdin.on('error', () => {}); // a program may end without reading all
    child.stdin.end(stdin);
  });
}

function elf(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, program(source));
  return path;
}

const TOHOST = `
  la t1, tohost
  sd t0, 0(t1)
  j .
  .align 3
tohost: .dword 0
`;

describe('run --exec', () => {
  test('passes bytes, both ways, and the exit code; says figures', async () => {
    const input = randomBytes(2_500_000);
    const { code, stdout, stderr } = await tabvisor(
      ['run', '--stats', '--exec', 'tee /tmp/in; sha256sum </tmp/in >&2; exit 37'],
      input,
    );
    expect(code).toBe(37);
    expect(sha256(stdout)).toBe(sha256(input));
    const [digest = '', json = '', end] = stderr.split('\n');
    expect(digest).toBe(`${sha256(input)}  -`);
    expect(end).toBe('');
    const stats = JSON.parse(json);
    for (const name of ['wall_s', 'boot_s', 'instructions', 'mips', 'ram_bytes']) {
      expect(stats[name]).toBeGreaterThan(0);
    }
    expect(stats.idle_s).toBeGreaterThanOrEqual(0);
    expect(stats.boot_s).toBeLessThan(stats.wall_s);
  });

  test('prints exactly what the command prints', async () => {
    const { code, stdout, stderr } = await tabvisor([
      'run',
      '--exec',
      'printf "a\\r\\n\\0b\\377"; printf "no newline" >&2; cat; [ -t 0 ] || [ -t 1 ] || printf "no tty"',
    ]);
    expect(stdout).toEqual(Buffer.from('a\r\n\0b\xffno tty', 'latin1'));
    expect(stderr).toBe('no newline');
    expect(code).toBe(0);
  });

  test('has the environment of a shell on the console', async () => {
    const { code, stdout } = await tabvisor([
      ...['run', '--exec'],
      'mkdir d; cd d; touch é; ls; env >a; env -i sh -c ". /etc/profile; env" >b; ' +
        'for f in a b; do grep -Ev "^(SHLVL|OLDPWD)=" $f | sort >$f.s; done; ' +
        'cmp a.s b.s; grep -E "^(LANG|TERM|EDITOR|PAGER)=" a.s',
    ]);
    expect(stdout.toString()).toBe('é\nEDITOR=vi\nLANG=C.UTF-8\nPAGER=less\nTERM=xterm-256color\n');
    expect(code).toBe(0);
  });

  test('loses nothing that is written right before the end', async () => {
    const run = async () => {
      const command = 'dd if=/dev/zero bs=65536 count=1 2>/dev/null; echo end';
      const { code, stdout } = await tabvisor(['run', '--exec', command]);
      return [code, stdout.length, stdout.subarray(-4).toString()];
    };
    // The end overtook the output in about one run of five.
    for (let i = 0; i < 6; i++) expect(await run()).toEqual([0, 65540, 'end\n']);
  });

  test('runs on a disk, and leaves it as the guest did', async () => {
    const disk = join(folder, 'raw.img');
    writeFileSync(disk, Buffer.alloc(1 << 20, 'x'));
    const { code, stdout } = await tabvisor([
      ...['run', '--disk', disk, '--disk', `${disk},ro`],
      ...['--exec', 'echo hello >/dev/vda; sync; head -c 6 /dev/vda; cat /sys/block/vdb/ro'],
    ]);
    expect([code, stdout.toString()]).toEqual([0, 'hello\n1\n']);
  });

  test('ends with 124 when the time is up', async () => {
    const late = await tabvisor(['run', '--timeout', '2', '--exec', 'sleep 1000']);
    expect(late.code).toBe(124);
    expect(late.stderr).toMatch(/^tabvisor: The time was up: [^\n]* 2 seconds\.\n$/);
  });

  test.each([
    ['poweroff', 0, ''],
    ['poweroff; sleep 1000', 0, ''],
    ['poweroff -f', 0, ''],
    ['reboot -f', 1, 'tabvisor: The guest rebooted before the command ended.\n'],
    ['echo c >/proc/sysrq-trigger; sleep 1000', 1, /^tabvisor: The guest's kernel panicked: .+\n$/],
  ])('%s: ends with %i, as the help says', async (command, code, sentence) => {
    const end = await tabvisor(['run', '--exec', command]);
    expect(end.stderr).toMatch(sentence);
    expect([end.code, end.stdout.length]).toEqual([code, 0]);
  });
});

test('run goes on from the template’s snapshot, as a guest of its own; --cold boots', async () => {
  const command = 'cat /proc/cmdline; date +%s';
  const run = (...more: string[]) => tabvisor(['run', ...more, '--exec', command]);
  const [first, again, cold] = [await run(), await run(), await run('--cold')];
  for (const { code, stdout } of [first, again]) {
    expect(code).toBe(0);
    expect(stdout.toString()).toContain('tabvisor.template');
    const [, time] = stdout.toString().split('\n');
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(600);
  }
  expect(cold.stdout.toString()).not.toContain('tabvisor.template');
  const random = ['run', '--exec', 'head -c 16 /dev/urandom | sha256sum'];
  expect((await tabvisor(random)).stdout).not.toEqual((await tabvisor(random)).stdout);
});

describe('run on a terminal', () => {
  /** What is waited for, and what is then typed or done. */
  type Step = readonly [pattern: RegExp, then: string | (() => void)];

  /** Runs a line of shell in a terminal of 33 rows and 101 columns and talks to it. */
  function conversation(line: string, steps: Step[]): Promise<Result & { raw: Buffer }> {
    return new Promise((resolve) => {
      const child = spawn('script', ['-qefc', `stty rows 33 cols 101; ${line}`, '/dev/null']);
      const raw: Buffer[] = [];
      let shown = '';
      let from = 0;
      const look = () => {
        const [next] = steps;
        const found = next?.[0].exec(shown.slice(from));
        if (!next || !found) return;
        from += found.index + found[0].length;
        steps.shift();
        if (typeof next[1] === 'string') child.stdin.write(next[1]);
        else next[1]();
        look();
      };
      child.stdout.on('data', (data: Buffer) => {
        raw.push(data);
        shown += data.toString('latin1').replaceAll('\r', '');
        look();
      });
      child.on('close', (code) =>
        resolve({ code, stdout: Buffer.from(shown), stderr: '', raw: Buffer.concat(raw) }),
      );
      onTestFailed(() => {
        child.kill();
        console.error(`The terminal showed:\n${shown.slice(-3000)}`);
      });
    });
  }
  const run = `'${process.execPath}' '${bin}' run`;

  test('raw keys reach the guest, Ctrl-A is ours, the size is passed on', async () => {
    const { code, stdout } = await conversation(
      `${run} --cold; code=$?; stty -a | grep -o -- '-\\?icanon'; exit $code`,
      [
        [/# .*$/, 'stty size\r'],
        [/\n33 101\n/, "sh -c 'echo rea''dy; sleep 1000'\r"],
        [/\nready/, '\x03'],
        [/# .*$/, 'echo code $?\r'],
        [/\ncode 130/, '\x01h'],
        [/Ctrl-A X +end/, '\x01x'],
      ],
    );
    const text = stdout.toString();
    expect(text).toContain('Linux version');
    // The terminal is back in its usual mode.
    expect(text).toMatch(/[^-]icanon\s*$/);
    expect(code).toBe(0);
  });

  test('what the guest prints arrives as it is: each line ends with one carriage return', async () => {
    const { raw } = await conversation(run, [
      [/# .*$/, "printf 'o''ne\\ntwo\\n'; stty -opost; printf 'th''ree\\nfour\\n'; stty opost\r"],
      [/\nfour/, '\x01h'],
      [/Ctrl-A A[^\n]*\n/, '\x01x'],
    ]);
    const text = raw.toString('latin1');
    expect(text).toContain('one\r\ntwo\r\n');
    expect(text).toContain('three\nfour\n');
    expect(text).toMatch(/Ctrl-A X[^\r\n]*\r\n/);
    expect(text).not.toContain('\r\r');
  });

  test('a terminal that changes its size changes the guest’s', async () => {
    const flag = join(folder, 'flag');
    const grow = `until [ -e '${flag}' ]; do sleep 0.1; done; stty rows 44 cols 123 </dev/tty`;
    const watch = "sh -c \"trap 'stty size' WINCH; echo rea''dy; while :; do sleep 0.1; done\"\r";
    const { code, stdout } = await conversation(`(${grow}) & exec ${run}`, [
      [/# .*$/, watch],
      [/\nready/, () => writeFileSync(flag, '')],
      [/\n44 123\n/, '\x01x'],
    ]);
    expect(stdout.toString()).toContain('44 123');
    expect(code).toBe(0);
  });
});

describe('run --elf', () => {
  test('ends with the program’s code', async () => {
    const file = elf('five', `li t0, 11\n${TOHOST}`);
    expect(await tabvisor(['run', '--elf', file, '--memory', '1M'])).toEqual({
      code: 5,
      stdout: Buffer.alloc(0),
      stderr: '',
    });
  });

  test('counts the instructions up to the store that ends the program, and no other', async () => {
    const file = elf('count', `li t0, 1\n${TOHOST}`);
    const { stderr } = await tabvisor(['run', '--elf', file, '--stats']);
    // li, the two of la, sd.
    expect(JSON.parse(stderr)).toMatchObject({ instructions: 4 });
  });

  test('traces each instruction', async () => {
    const file = elf('trace', `li t0, 1\n c.addi t2, 1\n${TOHOST}`);
    const { code, stderr } = await tabvisor(['run', '--elf', file, '--trace']);
    expect(code).toBe(0);
    expect(stderr.split('\n').slice(0, 3)).toEqual([
      'M 0000000080000000  00100293  li t0, 1',
      'M 0000000080000004  0385      c.addi t2, 1',
      expect.stringMatching(/^M 0000000080000006 {2}[0-9a-f]{8} {2}auipc t1, 0x0$/),
    ]);
  });

  test('tells a crash from an end', async () => {
    const { code, stderr } = await tabvisor(['run', '--elf', elf('crash', 'ld a0, 0(zero)')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tabvisor: The guest faults without end: [^\n]+\n$/);
  });
});

describe('mistakes', () => {
  const text = join(folder, 'text');
  writeFileSync(text, 'hello');
  const empty = join(folder, 'empty');
  writeFileSync(empty, '');
  const odd = join(folder, 'odd');
  writeFileSync(odd, Buffer.alloc(1000));
  const missing = join(folder, 'none');

  test.each([
    [[], /Say what to do/],
    [['fly'], /no command "fly"/],
    [['run', '--fly'], /--fly/],
    [['run', '--memory', 'lots'], /"lots" is no size/],
    [['run', '--memory', '64M'], /needs 96 MB/],
    [['run', '--template', 'none'], /no template "none"\. There is: .*micro/],
    [['run', '--kernel', missing], /cannot be read: it does not exist/],
    [['run', '--kernel', folder], /cannot be read: it is a folder/],
    [['run', '--kernel', text], /kernel \S+text is no RISC-V Linux Image: it has only 5 bytes/],
    [
      ['run', '--kernel', process.execPath],
      /kernel \S+ is no RISC-V Linux Image: it is an ELF file/,
    ],
    [['run', '--elf', text], /ELF file \S+text does not start with the ELF magic/],
    [['run', '--firmware', empty], /firmware \S+empty is empty/],
    [['run', '--firmware', text], /firmware \S+text is no RISC-V code: it is text/],
    [['run', '--firmware', odd], /is no RISC-V code: its first bytes are no instruction/],
    [['run', '--firmware', process.execPath], /firmware \S+ is not for little-endian RISC-V/],
    [['disasm', process.execPath], /ELF file \S+ is not for little-endian RISC-V/],
    [['run', '--append', 'x'.repeat(1024)], /command line has \d+ bytes; Linux takes 1023/],
    [['run', '--timeout', '-1'], /"-1" is no number of seconds/],
    [['run', '--memory'], /--memory needs a value/],
    [['run', '--disk', odd], /has 1000 bytes, which is no multiple of 512/],
    [['--version', 'x'], /--version takes no arguments/],
    [['run', '--elf', process.execPath], /not for little-endian RISC-V/],
    [['run', '--disk', missing], /disk .* cannot be opened: it does not exist/],
    [['run', '--disk', text], /has 5 bytes/],
    [['run', '--firmware', missing], /cannot be read/],
    [['disasm'], /needs a file or instruction words/],
    [['disasm', 'xyz'], /neither a file nor/],
    [['templates', 'x'], /takes no arguments/],
  ])('%j: one sentence, exit code 2', (args, sentence) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
      encoding: 'utf8',
      input: '',
    });
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd()).toMatch(/^tabvisor: [^\n]+\.$|^tabvisor: [^\n]+"\.$/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});

describe('the other commands', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', input: '' });

  test('help for each', () => {
    for (const args of [
      ['--help'],
      ['run', '--help'],
      ['profile', '--help'],
      ['templates', '-h'],
      ['disasm', '--help'],
    ]) {
      const { status, stdout, stderr } = run(...args);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^Usage: tabvisor /);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
  });

  test('the version is the package’s', () => {
    const { version } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    );
    for (const flag of ['--version', '-V']) {
      expect(run(flag)).toMatchObject({ status: 0, stdout: `tabvisor ${version}\n`, stderr: '' });
    }
  });

  test('templates', () => {
    const { status, stdout } = run('templates');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^micro +\S/m);
  });

  test('disasm of words and of files', () => {
    const words = run('disasm', '00a50533', '0x8082', '0');
    expect(words.stdout).toBe(
      '       0:  00a50533  add a0, a0, a0\n' +
        '       4:  8082      c.jr ra\n' +
        '       6:  0000      .half 0x0\n',
    );
    const file = run('disasm', elf('dis', `li t0, 1\n${TOHOST}`));
    expect(file.stdout).toContain('segment at 0x80000000:\n80000000:  00100293  li t0, 1\n');
    const plain = join(folder, 'plain.bin');
    writeFileSync(plain, Uint8Array.of(0x82, 0x80, 0x13, 0x05));
    expect(run('disasm', plain).stdout).toMatch(/^ {7}0: {2}8082 {6}c\.jr ra\n {7}2:/);
    expect(run('disasm', '--help').status).toBe(0);
  });

  test('a reader that stops reading is no failure', () => {
    const zeroes = join(folder, 'zeroes.bin');
    writeFileSync(zeroes, new Uint8Array(1 << 20));
    const line = `'${process.execPath}' '${bin}' disasm '${zeroes}' | head -1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
    expect(stdout).toBe('       0:  0000      .half 0x0\n');
    expect(stderr).toBe('');
  });
});
