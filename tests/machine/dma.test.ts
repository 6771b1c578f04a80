/**
 * A disk that reads into a page of code, on each tier: each sector holds a function, which the
 * program calls often enough to have it translated before the next one is read over it.
 */
import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { END, runToEnd, virtualHost } from './bare-metal.ts';

const DISK = 0x1000_1000;
const CODE = 0x8001_0000;
const SECTOR = 512;
const SECTORS = 100;
const CALLS = 3000;
/** Descriptors, rings, a request's header and status. */
const QUEUE = 0x8002_0000;
const AVAILABLE = QUEUE + 0x100;
const USED = QUEUE + 0x200;
const HEADER = QUEUE + 0x300;
const STATUS = QUEUE + 0x310;

/** Sector i: `li a0, i`, then `ret`. */
const disk = new Uint8Array(SECTORS * SECTOR);
for (let i = 0; i < SECTORS; i++) {
  new DataView(disk.buffer).setUint32(i * SECTOR, (i << 20) | 0x513, true);
  new DataView(disk.buffer).setUint32(i * SECTOR + 4, 0x8067, true);
}

const register = (offset: number, value: number) => `li t1, ${value}\nsw t1, ${offset}(s0)\n`;
const descriptor = (i: number, address: number, length: number, flags: number, next: number) => `
    li t0, ${QUEUE + 16 * i}
    li t1, ${address}
    sd t1, 0(t0)
    li t1, ${length}
    sw t1, 8(t0)
    li t1, ${flags | (next << 16)}
    sw t1, 12(t0)`;

/** A driver after virtio 1.2 §3.1, §2.7 and §5.2, that waits for each request. */
const PROGRAM = `
    li s0, ${DISK}
    ${register(0x70, 0)}
    ${register(0x70, 3)}
    ${register(0x24, 0)}
    ${register(0x20, 0)}
    ${register(0x24, 1)}
    ${register(0x20, 1)}
    ${register(0x70, 11)}
    ${register(0x30, 0)}
    ${register(0x38, 4)}
    ${register(0x80, QUEUE)}
    ${register(0x90, AVAILABLE)}
    ${register(0xa0, USED)}
    ${register(0x44, 1)}
    ${register(0x70, 15)}
    ${descriptor(0, HEADER, 16, 1, 1)}
    ${descriptor(1, CODE, SECTOR, 3, 2)}
    ${descriptor(2, STATUS, 1, 2, 0)}
    li s1, 0
    li s2, ${SECTORS}
    li s3, ${AVAILABLE}
    li s4, ${USED}
  sector:
    li t0, ${HEADER}
    sd zero, 0(t0)
    sd s1, 8(t0)
    addi t1, s1, 1
    fence
    sh t1, 2(s3)
    sw zero, 0x50(s0)
  wait:
    lhu t2, 2(s4)
    bne t2, t1, wait
    li t0, ${STATUS}
    lbu t0, 0(t0)
    bnez t0, wrong
    fence.i
    li s5, ${CALLS}
    li s6, ${CODE}
  again:
    jalr s6
    bne a0, s1, wrong
    addi s5, s5, -1
    bnez s5, again
    addi s1, s1, 1
    bne s1, s2, sector
    li t0, 1
    j exit
  wrong:
    li t0, 3
  exit:
${END}`;

describe('a disk reads into a page of code', () => {
  it.each(['interpreter', 'both', 'translator'] as const)('%s', async (tier) => {
    // Its clock leaps: what is hot has always waited long enough for others to be translated with.
    const { state, machine } = await runToEnd(
      PROGRAM,
      { tier, disks: [new MemoryBackend(disk.length, { contents: disk })] },
      virtualHost(20),
    );
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
    if (tier === 'translator') {
      expect(machine.stats().translator?.invalidations).toBeGreaterThan(5);
    }
  });
});
