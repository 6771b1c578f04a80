/** OpenSBI in M-mode starts the same kernel, which reaches the same shell. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { Guest, stopGuests } from './guest.ts';
import { openSbi } from './opensbi.ts';

afterEach(({ task }) => stopGuests(task.result?.state === 'fail'));

describe('OpenSBI', () => {
  test.each(['fw_dynamic.bin', 'fw_jump.bin'] as const)('%s', async (name) => {
    const guest = await Guest.boot({ firmware: readFileSync(await openSbi(name)) });
    expect(guest.serial).toMatch(/OpenSBI v1\.\d/);
    expect(guest.serial).toMatch(/Domain0 Next Address\s*: 0x0000000080200000/);
    expect(await guest.shell('dmesg | grep -c "SBI implementation ID=0x1 "')).toBe('1\n');
    expect(await guest.shell('uname -m; tty')).toBe('riscv64\n/dev/hvc0\n');
    guest.type('poweroff\n');
    expect(await guest.enters('off')).toEqual({ kind: 'off' });
  });
});
