/** Life and death of a machine: off, reboot, panic, pause, reset, the sizes of memory. */
import { afterEach, describe, expect, test } from 'vitest';
import { Guest, PROMPT, stopGuests } from './guest.ts';

afterEach(({ task }) => stopGuests(task.result?.state === 'fail'));

describe('power', () => {
  test('reboot starts the guest anew, poweroff switches it off, start boots it again', async () => {
    const guest = await Guest.boot();
    await guest.shell('echo kept >/tmp/note');
    await guest.expect(/Linux version[\s\S]*root@micro:~# $/, 'reboot\n');
    expect(guest.serial.match(/Linux version/g)).toHaveLength(2);
    expect(await guest.shell('cat /tmp/note 2>&1')).toContain('No such file');
    guest.type('poweroff\n');
    expect(await guest.enters('off')).toEqual({ kind: 'off' });
    expect(guest.serial).toContain('reboot: Power down');
    guest.machine.start();
    await guest.expect(/Linux version[\s\S]*root@micro:~# $/, '');
    guest.stop();
  });

  test('pause stops the guest and its clock, resume goes on, reset forgets', async () => {
    const guest = await Guest.boot();
    await guest.shell('echo kept >/tmp/note');
    guest.machine.pause();
    const { instructions } = guest.machine.stats();
    const uptime = 'cut -d. -f1 /proc/uptime';
    guest.type(`${uptime}\n`);
    const asleep = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(guest.machine.stats().instructions).toBe(instructions);
    guest.machine.resume();
    await guest.shows(/\n\d+\n[\s\S]*# $/);
    const [, seconds] = /\n(\d+)\n/.exec(guest.screen) ?? [];
    // Less than the wall clock shows, for the guest's own stood still.
    expect(Number(seconds)).toBeLessThan(guest.machine.stats().wall_s + 1);
    expect(performance.now() - asleep).toBeGreaterThan(1400);
    expect(await guest.shell('cat /tmp/note')).toBe('kept\n');
    guest.machine.reset();
    await guest.expect(/Linux version[\s\S]*root@micro:~# $/, '');
    expect(await guest.shell('cat /tmp/note 2>&1')).toContain('No such file');
    expect(() => guest.machine.resume()).toThrow('cannot be resumed: it is running');
    guest.stop();
  });

  test('a panic is a state with its reason, whether the kernel spins or reboots', async () => {
    for (const panic of [0, -1]) {
      const guest = await Guest.create({ append: `rdinit=/none init=/none panic=${panic}` });
      guest.machine.start();
      const state = await guest.enters('crashed');
      expect(state.reason).toMatch(/kernel panicked: .*(init|root)/i);
      expect(guest.serial).toContain('Kernel panic - not syncing');
      guest.stop();
    }
  });

  test('a guest that only reboots is taken off', async () => {
    // init ends at once by rebooting.
    const guest = await Guest.create({ append: 'rdinit=/bin/reboot -- -f' });
    guest.machine.start();
    const state = await guest.enters('crashed');
    expect(state.reason).toMatch(/rebooted 5 times in a row/);
    expect(guest.serial.match(/Linux version/g)).toHaveLength(5);
    guest.stop();
  });
});

describe('memory', () => {
  test.each([96, 2048])('%i MB', async (megabytes) => {
    const { code, stdout } = await Guest.run('grep MemTotal /proc/meminfo; dmesg | grep Memory:', {
      megabytes,
    });
    expect(code).toBe(0);
    expect(stdout.toString()).toContain(`K/${megabytes * 1024}K available`);
  });

  test('less than the kernel needs is refused with a sentence', async () => {
    await expect(Guest.create({ megabytes: 95 })).rejects.toThrow(/needs 96 MB of memory/);
  });
});

describe('typing ahead', () => {
  test('reaches the shell that is not there yet', async () => {
    const guest = await Guest.create();
    guest.machine.start();
    guest.type('echo $((40 + 2))\n');
    await guest.shows(/\n42\n/);
    await guest.shows(PROMPT);
    guest.stop();
  });
});
