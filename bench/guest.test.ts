import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { buildProgram, PROGRAMS } from './program.ts';
import { guestFile, ROWS } from './rows.ts';
import { DISK_ROWS, WORK_ROWS } from './storage/rows.ts';

const ALL = [...ROWS, ...DISK_ROWS, ...WORK_ROWS];

describe('what the guest runs', () => {
  it.each(PROGRAMS)('assembles %s to an executable', (name) => {
    const file = buildProgram(name);
    expect(file.subarray(0, 6).toString('latin1')).toBe('\x7fELF\x02\x01');
    expect(file.readUInt16LE(18)).toBe(243);
    const entry = file.readBigUInt64LE(24);
    const start = file.readBigUInt64LE(80);
    expect(file.readUInt32LE(Number(entry - start))).toBe(0x01013583); // ld a1, 16(sp)
  });

  it.each(ALL)('has a shell file for $name', (row) => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: guestFile(row) });
    expect(stderr.toString()).toBe('');
    expect(status).toBe(0);
    expect(row.quick).toBeGreaterThan(0);
  });

  it('has names that a person can list', () => {
    const names = ALL.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+$/);
  });
});
