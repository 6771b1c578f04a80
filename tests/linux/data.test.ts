/** Real work in a guest: megabytes through pipelines, a file system on a disk, the kernel's log. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { FileDisk } from '../../src/cli/file-disk.ts';
import { QemuGuest } from '../guest-image/qemu-guest.ts';
import { Guest, stopGuests } from './guest.ts';

afterEach(({ task }) => stopGuests(task.result?.state === 'fail'));

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

describe('pipelines', () => {
  test.each(['interpreter', 'both'] as const)(
    'sort, awk and sha256sum on megabytes give the digests that they give elsewhere (%s)',
    async (tier) => {
      const count = 80_000;
      const numbers = Array.from({ length: count }, (_, i) => `${i + 1}`);
      const squares = numbers.map((n) => `${n} ${(Number(n) * Number(n)) % 1_000_003}`);
      const sorted = [...squares].sort((a, b) => {
        const [x = 0, y = 0] = [a, b].map((line) => Number(line.split(' ')[1]));
        return x - y || Number(a.split(' ')[0]) - Number(b.split(' ')[0]);
      });
      const noise = randomBytes(2_000_000);
      const { code, stdout, stderr } = await Guest.run(
        `seq ${count} | awk '{print $1, ($1 * $1) % 1000003}' >/tmp/a; wc -c </tmp/a
       sha256sum </tmp/a
       sort -k2,2n -k1,1n /tmp/a | sha256sum
       awk '{s += $2} END {printf "%.0f\\n", s}' /tmp/a
       gzip -9 </tmp/a | gunzip | md5sum
       tee /tmp/noise | sha256sum; wc -c </tmp/noise`,
        { stdin: noise, tier },
      );
      const text = squares.map((line) => `${line}\n`).join('');
      const sum = squares.reduce((total, line) => total + Number(line.split(' ')[1]), 0);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout.toString().replaceAll(' ', '').split('\n')).toEqual([
        `${text.length}`,
        `${sha256(text)}-`,
        `${sha256(sorted.map((line) => `${line}\n`).join(''))}-`,
        `${sum}`,
        `${createHash('md5').update(text).digest('hex')}-`,
        `${sha256(noise)}-`,
        `${noise.length}`,
        '',
      ]);
    },
  );
});

describe('a disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'disk-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const tool = (name: string, ...args: string[]) => {
    const result = spawnSync(name, args, {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    if (result.error) {
      throw new Error(`${name} does not run (${result.error.message}). Install e2fsprogs.`);
    }
    return result;
  };

  test('with ext4 from the host is written, unmounted, and found clean by the host', async () => {
    const image = join(folder, 'ext4.img');
    const file = openSync(image, 'w');
    ftruncateSync(file, 48 << 20);
    closeSync(file);
    expect(tool('mkfs.ext4', '-q', '-L', 'tabvisor', image).status).toBe(0);
    const disk = await FileDisk.open(image, false);
    const text = 'a line of text\n'.repeat(20_000);
    const { code, stdout, stderr } = await Guest.run(
      `mount -t ext4 /dev/vda /mnt && mkdir -p /mnt/a/b && cat >/mnt/a/b/text &&
       for i in $(seq 200); do echo $i >/mnt/a/$i; done && rm /mnt/a/1?? &&
       dd if=/dev/zero of=/mnt/zero bs=64k count=128 2>/dev/null && sync &&
       df -T /mnt | tail -1 | awk '{print $2}' && ls /mnt/a | wc -l &&
       cat /sys/block/vda/serial && echo && fstrim /mnt; umount /mnt && echo unmounted`,
      { disks: [disk], stdin: Buffer.from(text) },
    );
    await disk.close();
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.toString()).toBe('ext4\n101\next4.img\nunmounted\n');
    const check = tool('e2fsck', '-f', '-n', image);
    expect(check.stdout).toContain('tabvisor:');
    expect(check.stdout + check.stderr).not.toMatch(/fix|error|recover/i);
    expect(check.status).toBe(0);
    const dump = tool('debugfs', '-R', 'cat /a/b/text', image);
    expect(sha256(dump.stdout)).toBe(sha256(text));
  });

  test('holds an ext4 that the guest loop-mounts, writes and unmounts; the host finds both clean', async () => {
    const files = join(folder, 'files');
    mkdirSync(files);
    const inner = join(files, 'inner.img');
    writeFileSync(inner, '');
    truncateSync(inner, 16 << 20);
    expect(tool('mkfs.ext4', '-q', '-L', 'inner', inner).status).toBe(0);
    const image = join(folder, 'outer.img');
    writeFileSync(image, '');
    truncateSync(image, 48 << 20);
    expect(tool('mkfs.ext4', '-q', '-L', 'outer', '-d', files, image).status).toBe(0);
    const disk = await FileDisk.open(image, false);
    const text = randomBytes(300_000).toString('base64');
    const { code, stdout, stderr } = await Guest.run(
      `mkdir /tmp/in && mount -t ext4 /dev/vda /mnt && mount -t ext4 -o loop /mnt/inner.img /tmp/in &&
       awk '$2 == "/tmp/in" {print $1, $3}' /proc/mounts &&
       mkdir /tmp/in/a && cat >/tmp/in/a/text &&
       for i in $(seq 300); do echo $i >/tmp/in/a/$i; done && rm /tmp/in/a/2?? &&
       umount /tmp/in && umount /mnt && echo unmounted; losetup -a`,
      { disks: [disk], stdin: Buffer.from(text) },
    );
    await disk.close();
    expect([code, stderr, stdout.toString()]).toEqual([0, '', '/dev/loop0 ext4\nunmounted\n']);
    const back = join(folder, 'back.img');
    expect(tool('debugfs', '-R', `dump /inner.img ${back}`, image).status).toBe(0);
    for (const [file, label] of [
      [image, 'outer:'],
      [back, 'inner:'],
    ] as const) {
      const check = tool('e2fsck', '-f', '-n', file);
      expect(check.stdout).toContain(label);
      expect(check.stdout + check.stderr).not.toMatch(/fix|error|recover/i);
      expect(check.status).toBe(0);
    }
    expect(sha256(tool('debugfs', '-R', 'cat /a/text', back).stdout)).toBe(sha256(text));
    // Where the first name of a block was removed its place stays, with no inode.
    const names = tool('debugfs', '-R', 'ls -p /a', back)
      .stdout.split('\n')
      .filter((line) => line !== '' && !line.startsWith('/0/'));
    // Its own two, the text, and three hundred without the two hundreds.
    expect(names).toHaveLength(2 + 1 + 200);
  });

  test('survives the power going off after a sync', async () => {
    const image = join(folder, 'cut.img');
    const file = openSync(image, 'w');
    ftruncateSync(file, 32 << 20);
    closeSync(file);
    expect(tool('mkfs.ext4', '-q', image).status).toBe(0);
    const disk = await FileDisk.open(image, false);
    const command = 'mount -t ext4 /dev/vda /mnt && echo kept >/mnt/file && sync && echo synced';
    const { stdout } = await Guest.run(command, { disks: [disk] });
    await disk.close();
    expect(stdout.toString()).toBe('synced\n');
    // The journal is played, and nothing else is wrong.
    expect(tool('e2fsck', '-f', '-p', image).status).toBeLessThanOrEqual(1);
    expect(tool('debugfs', '-R', 'cat /file', image).stdout).toBe('kept\n');
  });

  test('that is read-only stays as it is', async () => {
    const image = join(folder, 'ext4.img');
    const before = sha256(readFileSync(image));
    const disk = await FileDisk.open(image, true);
    const { stdout } = await Guest.run(
      'cat /sys/block/vda/ro; mount -t ext4 -o ro /dev/vda /mnt && wc -c </mnt/a/b/text; ' +
        'dd if=/dev/zero of=/dev/vda count=1 2>&1 | head -1; mount -o remount,rw /mnt 2>&1',
      { disks: [disk] },
    );
    await disk.close();
    const [ro, size, refusal] = stdout.toString().split('\n');
    expect([ro, size]).toEqual(['1', '300000']);
    expect(refusal).toMatch(/not permitted|read-only/i);
    expect(sha256(readFileSync(image))).toBe(before);
  });
});

describe('the kernel’s log', () => {
  test('has no warning and no error that it lacks on QEMU', async () => {
    // Lines of priority 0 to 4, without what differs from boot to boot.
    const complaints = (log: string) =>
      log
        .split('\n')
        .filter((line) => /^<[0-4]>/.test(line))
        .map((line) => line.replace(/^<\d>\[[^\]]*\] /, '').replace(/0x[0-9a-f]+|\d+/g, 'N'));
    const ours = await Guest.run('dmesg -r');
    const qemu = await QemuGuest.start({ exec: true });
    const theirs = await qemu.exec('dmesg -r');
    await qemu.stop();
    expect(ours.stdout.toString()).toContain('Linux version');
    expect(theirs.stdout.toString()).toContain('Linux version');
    const known = new Set(complaints(theirs.stdout.toString()));
    expect(complaints(ours.stdout.toString()).filter((line) => !known.has(line))).toEqual([]);
  });
});
