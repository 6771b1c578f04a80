/** The template micro, booted in QEMU: shell, job control, exec protocol, power. */
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildImages } from '../../guests/build.mjs';
import { QemuGuest } from './qemu-guest.ts';

beforeAll(() => buildImages(console.error));

let guest: QemuGuest | undefined;
afterEach(() => guest?.stop());

const prompt = /root@micro:~# $/;

describe('the console', () => {
  test('is a root shell with job control that comes back, and powers off', async () => {
    guest = await QemuGuest.start();
    await guest.expect(prompt);
    expect(await guest.expect(prompt, 'tty\n')).toContain('\n/dev/hvc0\n');
    expect(await guest.expect(prompt, 'hostname; id -u\n')).toMatch(/\nmicro\n0\n/);
    // The shell gives the terminal back to the program before it starts: only then is a key a signal.
    const busy = "sh -c 'echo ready; sleep 100'\n";
    await guest.expect(/\nready\n$/, busy);
    await guest.expect(prompt, '\x03');
    expect(await guest.expect(prompt, 'echo code $?\n')).toContain('\ncode 130\n');
    await guest.expect(/\nready\n$/, busy);
    await guest.expect(/Stopped/, '\x1a');
    expect(await guest.expect(prompt, 'jobs\n')).toMatch(/Stopped\s+sh -c/);
    await guest.expect(prompt, 'kill -9 %1\n');
    await guest.expect(/Killed.*root@micro:~# $/s, 'sleep 0.1\n');
    await guest.expect(/BusyBox.*root@micro:~# $/s, 'exit\n');
    expect(await guest.expect(prompt, 'echo new shell\n')).toContain('\nnew shell\n');
    guest.type('poweroff\n');
    expect(await guest.ended).toBe(0);
    expect(guest.serial).toContain('reboot: Power down');
    const [, afterKernel = ''] = guest.serial.split('Run /init as init process');
    expect(afterKernel).not.toMatch(/not found|can't|cannot|No such file/i);
  });

  test('mounts file systems whose drivers load by themselves', async () => {
    guest = await QemuGuest.start();
    await guest.expect(prompt);
    const make =
      'dd if=/dev/zero of=/tmp/disk bs=1M count=8 2>/dev/null && mke2fs -F /tmp/disk >/dev/null';
    await guest.expect(
      prompt,
      `${make} && mount -o loop /tmp/disk /mnt && df -T /mnt; echo done\n`,
    );
    expect(guest.screen).toMatch(/\/dev\/loop0\s+ext\d/);
    await guest.expect(prompt, 'mkdir /tmp/u /tmp/w /tmp/o\n');
    const overlay = 'mount -t overlay -o lowerdir=/etc,upperdir=/tmp/u,workdir=/tmp/w o /tmp/o';
    expect(await guest.expect(prompt, `${overlay} && cat /tmp/o/hostname\n`)).toContain(
      '\nmicro\n',
    );
    expect(
      await guest.expect(prompt, 'modprobe -a ext4 9p squashfs virtio_net && echo all\n'),
    ).toContain('\nall\n');
  });
});

describe('the exec protocol', () => {
  test('passes bytes both ways unchanged and reports the exit code', async () => {
    guest = await QemuGuest.start({ exec: true, megabytes: 160 });
    const input = randomBytes(1_500_000);
    const { code, stdout, stderr } = await guest.exec(
      'echo first >/dev/stderr; cat; echo second >&2; exit 7',
      input,
    );
    expect(code).toBe(7);
    expect(stderr).toBe('first\nsecond\n');
    expect(stdout.length).toBe(input.length);
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(digest(stdout)).toBe(digest(input));
  });

  test('does not wait for what the command leaves behind, nor for unread input', async () => {
    guest = await QemuGuest.start({ exec: true });
    const { code, stdout, stderr } = await guest.exec(
      'sleep 1000 & printf "a\\nb\\0c"; pwd >&2; tty >&2; echo "$HOME $#" >&2',
      randomBytes(200_000),
    );
    expect(code).toBe(0);
    expect(stdout.toString()).toBe('a\nb\0c');
    expect(stderr).toBe('/root\nnot a tty\n/root 0\n');
  });

  test('gives an end of file at once where there is no input, and takes long commands', async () => {
    guest = await QemuGuest.start({ exec: true });
    const filler = 'x'.repeat(50_000);
    const { code, stdout, stderr } = await guest.exec(`wc -c; : ${filler}; echo ${filler} | wc -c`);
    expect([code, stdout.toString(), stderr]).toEqual([0, '0\n50001\n', '']);
    expect(guest.serial).not.toMatch(/Interrupted|No such device/);
  });
});
