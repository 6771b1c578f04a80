/**
 * The template debian, booted from its chunks by the command line: programs, users, locale, apt, and
 * a disk that is clean afterwards. It takes minutes to make, so this runs only where it has been
 * made, or TABVISOR_TEST_DEBIAN asks for it.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeImage } from '../../guests/make/make.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const image = join(root, 'images/debian');
/** A cold start of systemd on a busy machine. */
const TIMEOUT_MS = 900_000;
const list = join(root, 'images/index.json');
const there = existsSync(list) && readFileSync(list, 'utf8').includes('"debian"');
const wanted = there || (process.env.TABVISOR_TEST_DEBIAN ?? '') !== '';
const folder = mkdtempSync(join(tmpdir(), 'debian-'));
const overlay = join(folder, 'overlay');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function tabvisor(...args: string[]): Promise<string> {
  const bin = join(root, 'bin/tabvisor');
  const run = promisify(execFile);
  return (await run(process.execPath, [bin, ...args], { maxBuffer: 16 << 20 })).stdout;
}

/** Runs a script in the guest, whose disk keeps what it writes. */
const exec = (script: string) =>
  tabvisor('run', '--template', 'debian', '--cold', '--overlay', overlay, '--exec', script);

/** Each with words that make it say its version and end. */
const PROGRAMS = [
  ...['gcc', 'make', 'git', 'vim', 'nano', 'less', 'curl', 'file', 'ld', 'objdump', 'strace'],
  ...['gdb', 'python3', 'perl', 'sqlite3', 'bash', 'apt', 'dpkg', 'man', 'sudo', 'htop'],
];

const WORK = `
for program in ${PROGRAMS.join(' ')}; do
  $program --version >/dev/null 2>&1 </dev/null || echo "$program does not start"
done
openssl version >/dev/null || echo 'openssl does not start'
tmux -V >/dev/null || echo 'tmux does not start'
cd /tmp
printf '#include <stdio.h>\\n#include <math.h>\\nint main(void) { printf("%%.3f\\\\n", sqrt(2)); }\\n' >a.c
gcc -O2 -Wall -o a a.c -lm && ./a
mkdir r; cd r; git init -q .; git config user.email a@b; git config user.name a
echo text >file; git add file; git commit -qm first; cd ..; git clone -q r copy 2>&1; cat copy/file
python3 -c 'import json, hashlib; print(json.dumps(hashlib.md5(b"x").hexdigest()[:6]))'
perl -e 'print join(",", map { $_ * 2 } 1..3), "\\n"'
sqlite3 :memory: 'create table t(a); insert into t values (20), (22); select sum(a) from t'
printf abc | openssl dgst -sha256 | cut -c1-99 | grep -o ba7816bf
man -P cat ls 2>/dev/null | head -n 1 | tr -s ' ' | cut -c1-5
id -u; id -un user; su user -c 'id -un; cd; pwd'
locale 2>/dev/null | grep ^LANG=
apt-cache policy >/dev/null && grep -rh '^URIs' /etc/apt/sources.list.d | head -n 1
dpkg --audit
sync`;

beforeAll(async () => {
  if (!wanted || there) return;
  const [images, cache] = [join(root, 'images'), join(root, '.cache/guests')];
  await makeImage(join(root, 'guests/debian/recipe.json'), { images, cache, log: console.error });
}, 3_600_000);

test.runIf(wanted)(
  'boots, and what is installed works, for root and for user',
  async () => {
    const shown = await exec(WORK);
    expect(shown.trimEnd().split('\n')).toEqual([
      ...['1.414', 'text', '"9dd4e4"', '2,4,6', '42', 'ba7816bf', 'LS(1)', '0', 'user', 'user'],
      '/home/user',
      expect.stringMatching(/^LANG=\w+\.UTF-8$/i),
      expect.stringMatching(/^URIs: https?:\/\/deb\.debian\.org/),
    ]);
  },
  TIMEOUT_MS,
);

test.runIf(wanted)(
  'is powered off with a clean disk',
  async () => {
    await exec('systemctl poweroff; sleep 100');
    const raw = join(folder, 'raw');
    await tabvisor('disk', 'export', overlay, raw, '--image', join(image, 'disk.json'));
    const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const check = spawnSync('e2fsck', ['-fn', raw], { env: environment, encoding: 'utf8' });
    expect(check.status, check.stdout).toBe(0);
  },
  TIMEOUT_MS,
);
