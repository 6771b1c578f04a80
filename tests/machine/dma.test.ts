/**
 * Devices that write to a page of code, on each tier: a disk whose sectors hold functions, each of
 * which the program calls often enough to have it translated before the next one is read over it,
 * and a balloon that is given the page.
 */
import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/machine/devices/virtio/memory-backend.ts';
import { MemoryMap, VIRTIO_STRIDE, VirtioSlot } from '../../src/machine/memory-map.ts';
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

/** A driver of a device's first queue after virtio 1.2 §3.1 and §2.7. */
const driver = (device: number) => `
    li s0, ${device}
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
`;

/** Reads a sector after the other (§5.2), and waits for each. */
const READS = `
    ${driver(DISK)}
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
      READS,
      { tier, disks: [new MemoryBackend(disk.length, { contents: disk })] },
      virtualHost(20),
    );
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
    if (tier === 'translator') {
      expect(machine.stats().translator?.invalidations).toBeGreaterThan(5);
    }
  });
});

const BALLOON = MemoryMap.virtio + VirtioSlot.balloon * VIRTIO_STRIDE;

/** Calls a function, gives its page to the balloon (§5.5.6), and calls what is there then. */
const GIVES = `
    la t0, illegal
    csrw mtvec, t0
    li s6, ${CODE}
    li t0, ${0x513 | (7 << 20)}
    sw t0, 0(s6)
    li t0, 0x8067
    sw t0, 4(s6)
    fence.i
    li s5, ${CALLS}
  again:
    jalr s6
    li t0, 7
    bne a0, t0, wrong
    addi s5, s5, -1
    bnez s5, again
    ${driver(BALLOON)}
    ${descriptor(0, HEADER, 4, 0, 0)}
    li t0, ${HEADER}
    li t1, ${CODE >>> 12}
    sw t1, 0(t0)
    li s3, ${AVAILABLE}
    li s4, ${USED}
    li t1, 1
    fence
    sh t1, 2(s3)
    sw zero, 0x50(s0)
  wait:
    lhu t2, 2(s4)
    bne t2, t1, wait
    fence.i
    jalr s6
  wrong:
    li t0, 3
    j exit
  illegal:
    csrr t0, mepc
    bne t0, s6, wrong
    lw t0, 0(s6)
    bnez t0, wrong
    li t0, 1
  exit:
${END}`;

describe('a page of code is given to the balloon, and is empty then', () => {
  it.each(['interpreter', 'both', 'translator'] as const)('%s', async (tier) => {
    const { state, machine } = await runToEnd(GIVES, { tier }, virtualHost(20));
    expect(state).toEqual({ kind: 'off', exitCode: 0 });
    expect(machine.stats().memory.inflated_bytes).toBe(4096);
  });
});
