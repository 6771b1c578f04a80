/** One guest of the template micro and what a person does first: look around, stop things, resize. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ISA_EXTENSIONS } from '../../src/isa/extensions.ts';
import { Guest, PROMPT, stopGuests } from './guest.ts';

let guest: Guest;
beforeAll(async () => {
  guest = await Guest.boot({ columns: 97, rows: 31 });
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') stopGuests(true);
});
afterAll(() => guest?.stop());

describe('the shell', () => {
  test('is there, as Debian’s kernel on riscv64', async () => {
    expect(await guest.shell('uname -a')).toMatch(
      /^Linux micro 6\.\d+\.\d+\S*-riscv64 #1 SMP Debian .* riscv64 GNU\/Linux\n$/,
    );
    expect(await guest.shell('id -u; hostname; tty')).toBe('0\nmicro\n/dev/hvc0\n');
    expect(guest.serial).toContain('Linux version');
    expect(guest.terminal).not.toContain('Linux version');
    expect(guest.events).toEqual([]);
  });

  test('shows the processor that the device tree describes', async () => {
    const info = await guest.shell('cat /proc/cpuinfo');
    expect(info.match(/^processor/gm)).toHaveLength(1);
    expect(info).toMatch(/^mmu\s*: sv48$/m);
    const [, isa = ''] = /^isa\s*: (\S+)$/m.exec(info) ?? [];
    const [base, ...named] = isa.split('_');
    expect(base).toBe('rv64imafdc');
    // The kernel lists those that it knows; each of ours that it knows must be there.
    const listed = new Set([...(base ?? '').slice(4), ...named]);
    const unknown = ISA_EXTENSIONS.filter((name) => !listed.has(name));
    expect(unknown.filter((name) => !['svadu', 'zicbop'].includes(name))).toEqual([]);
    // What follows from c and d, and nothing else that was not announced.
    const more = named.filter((name) => !ISA_EXTENSIONS.includes(name));
    expect(more).toEqual(['zca', 'zcd']);
  });

  test('stops a program by Ctrl-C and by Ctrl-Z, and takes it up again', async () => {
    const busy = "sh -c 'echo ready; sleep 1000'\n";
    await guest.expect(/\nready\n$/, busy);
    await guest.expect(PROMPT, '\x03');
    expect(await guest.shell('echo code $?')).toBe('code 130\n');
    await guest.expect(/\nready\n$/, busy);
    await guest.expect(/Stopped[\s\S]*# $/, '\x1a');
    expect(await guest.shell('jobs')).toMatch(/Stopped\s+sh -c/);
    await guest.expect(/sh -c[^\n]*\n$/, 'fg\n');
    await guest.expect(PROMPT, '\x03');
    expect(await guest.shell('sleep 1000 & jobs')).toMatch(/Running\s+sleep 1000/);
    await guest.shell('kill %1; wait');
  });

  test('has the terminal’s size, columns and rows each in its place, also after a change', async () => {
    expect(await guest.shell('stty size')).toBe('31 97\n');
    const watch = "trap 'stty size; echo resized' WINCH; echo ready; while :; do sleep 0.1; done";
    await guest.expect(/\nready\n$/, `sh -c "${watch}"\n`);
    guest.machine.resize(132, 43);
    await guest.shows(/43 132\nresized\n/);
    await guest.expect(PROMPT, '\x03');
    expect(await guest.shell('stty size')).toBe('43 132\n');
  });

  test('keeps a history and edits lines', async () => {
    await guest.shell('echo one');
    const again = await guest.expect(/\none\n[\s\S]*# $/, '\x1b[A\n');
    expect(again).toContain('echo one');
    expect(await guest.expect(/\nac\n/, 'echo abc\x1b[D\x7f\n')).toContain('ac');
    await guest.shows(PROMPT);
  });

  test('starts anew when it ends', async () => {
    await guest.expect(/BusyBox[\s\S]*# $/, 'exit\n');
    expect(await guest.shell('echo $((6 * 7))')).toBe('42\n');
  });

  test('waits without work', async () => {
    await guest.shows(PROMPT);
    // Let what the boot has left over settle, by the guest's own clock.
    await guest.shell('sleep 2');
    const before = guest.machine.stats();
    const cpu = process.cpuUsage();
    await guest.shell('sleep 5');
    const used = process.cpuUsage(cpu);
    const after = guest.machine.stats();
    const share = (used.user + used.system) / 1e6 / (after.wall_s - before.wall_s);
    const instructions = after.instructions - before.instructions;
    console.log(
      `idle guest: ${(100 * share).toFixed(2)} % of a core, ${instructions} instructions in 5 s`,
    );
    // Some million for the two commands and the kernel's housekeeping; polling would need 10^9.
    expect(instructions).toBeLessThan(30e6);
    expect(after.idle_s - before.idle_s).toBeGreaterThan(2.5);
  });
});
