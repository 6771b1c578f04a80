/**
 * Code that comes into being inside Linux, on each tier: a program that writes and runs functions,
 * in place and through a second mapping; filters of sockets that the kernel's BPF compiler makes;
 * kernel modules that come and go. The results are worked out here, not compared alone.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { makeElf } from '../../src/machine/loader/testing.ts';
import { Guest, type GuestOptions, stopGuests } from './guest.ts';

afterEach(({ task }) => stopGuests(task.result?.state === 'fail'));

/** ELF's headers come first in the file, and the file is mapped from its start. */
const BASE = 0x10000n + 64n + 56n;

/** A program of Linux, from assembler's text. */
function executable(source: string): Uint8Array {
  const { bytes } = assemble(source, { base: BASE });
  const segment = { virtual: BASE, physical: BASE, data: bytes, memory: BigInt(bytes.length) };
  return makeElf({ entry: BASE, segments: [segment], symbols: {} });
}

const call = (number: number, ...args: readonly (string | number)[]) =>
  [
    ...args.map((arg, i) => `${typeof arg === 'number' ? 'li' : 'mv'} a${i}, ${arg}`),
    `li a7, ${number}`,
    'ecall',
  ].join('\n');

const Call = {
  ftruncate: 46,
  write: 64,
  exit: 93,
  socketpair: 199,
  sendto: 206,
  recvfrom: 207,
  setsockopt: 208,
  mmap: 222,
  flushIcache: 259,
  memfdCreate: 279,
} as const;

/** Prints s2 as eight bytes. */
const report = `
    addi sp, sp, -16
    sd s2, 0(sp)
    ${call(Call.write, 1, 'sp', 8)}
    ${call(Call.exit, 0)}
  fail:
    ${call(Call.exit, 1)}
`;

const ROUNDS = 2000;
const CALLS = 20;
const RWX = 7;
const PRIVATE_ANONYMOUS = 0x22;
const SHARED = 1;

/** s0: where code runs, s5: where it is written. */
const IN_PLACE = `
    ${call(Call.mmap, 0, 4096, RWX, PRIVATE_ANONYMOUS, -1, 0)}
    bltz a0, fail
    mv s0, a0
    mv s5, a0`;
const TWO_MAPPINGS = `
    addi sp, sp, -16
    sd zero, 0(sp)
    ${call(Call.memfdCreate, 'sp', 0)}
    bltz a0, fail
    mv s6, a0
    ${call(Call.ftruncate, 's6', 4096)}
    bnez a0, fail
    ${call(Call.mmap, 0, 4096, 5, SHARED, 's6', 0)}
    bltz a0, fail
    mv s0, a0
    ${call(Call.mmap, 0, 4096, 3, SHARED, 's6', 0)}
    bltz a0, fail
    mv s5, a0`;

/** Functions that return the round's number, each called some times; now and then by the kernel's flush. */
const writer = (map: string) =>
  executable(`
    ${map}
    li s1, 0
    li s2, 0
  round:
    andi t1, s1, 1023
    slli t1, t1, 20
    li t2, 0x513
    or t1, t1, t2
    sw t1, 0(s5)
    li t2, 0x8067
    sw t2, 4(s5)
    andi t0, s1, 7
    bnez t0, own
    mv a0, s0
    addi a1, s0, 8
    li a2, 0
    li a7, ${Call.flushIcache}
    ecall
    bnez a0, fail
    j ready
  own:
    fence.i
  ready:
    li s4, ${CALLS}
  again:
    jalr s0
    add s2, s2, a0
    addi s4, s4, -1
    bnez s4, again
    addi s1, s1, 1
    li t0, ${ROUNDS}
    bne s1, t0, round
    ${report}`);

const written = Array.from({ length: ROUNDS }, (_, i) => CALLS * (i & 1023)).reduce(
  (a, b) => a + b,
);

const FILTERS = 64;
const PACKETS = 40;

/** Filter i lets a datagram pass whose first byte has a bit of i; counts those that arrive. */
const filters = executable(`
    la s0, pair
    ${call(Call.socketpair, 1, 2, 0, 's0')}
    bnez a0, fail
    lw s3, 0(s0)
    lw s4, 4(s0)
    li s1, 0
    li s2, 0
  round:
    la t0, mask
    sw s1, 0(t0)
    la t1, program
    la t2, filter
    sd t2, 8(t1)
    li a0, 0
    ${call(Call.setsockopt, 's4', 1, 26, 't1', 16)}
    bnez a0, fail
    li s5, 0
  send:
    la s6, packet
    sb s5, 0(s6)
    ${call(Call.sendto, 's3', 's6', 1, 0, 0, 0)}
    ${call(Call.recvfrom, 's4', 's6', 1, 0x40, 0, 0)}
    blez a0, lost
    addi s2, s2, 1
  lost:
    addi s5, s5, 1
    li t0, ${PACKETS}
    bne s5, t0, send
    addi s1, s1, 1
    li t0, ${FILTERS}
    bne s1, t0, round
    ${report}
    .align 3
  pair:
    .dword 0
  packet:
    .dword 0
  program:
    .half 5
    .half 0
    .word 0
    .dword 0
  filter:
    .word 0x30
    .word 0
    .word 0x54
  mask:
    .word 0
    .half 0x15
    .byte 1
    .byte 0
    .word 0
    .word 6
    .word 0x10000
    .word 6
    .word 0`);

let passed = 0;
for (let filter = 0; filter < FILTERS; filter++) {
  // The jump goes over the return that lets pass.
  for (let byte = 0; byte < PACKETS; byte++) if ((byte & filter) !== 0) passed++;
}

const MODULE_ROUNDS = 3;
const programs = [writer(IN_PLACE), writer(TWO_MAPPINGS), filters];
const script = `
  cd /tmp
  ${programs.map(({ length }, i) => `dd bs=1 count=${length} of=p${i} 2> /dev/null; chmod +x p${i}`).join('\n')}
  echo 1 > /proc/sys/net/core/bpf_jit_enable
  cat /proc/sys/net/core/bpf_jit_enable
  for i in 0 1 2; do ./p$i > out || exit 9; od -An -tx8 out; done
  mkdir t && mount -t tmpfs none t && cd t && mkdir lower upper work all
  for i in ${Array.from({ length: MODULE_ROUNDS }, (_, i) => i).join(' ')}; do
    modprobe overlay && modprobe ext4 && grep -c -E '^(overlay|ext4) ' /proc/modules
    mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none all
    echo round $i >> all/file; umount all
    modprobe -r ext4; rmmod overlay
  done
  cat upper/file
  grep -c -E '^(overlay|ext4) ' /proc/modules
  exit 0
`;

const expected = [
  '1',
  ...[written, written, passed].map((sum) => ` ${sum.toString(16).padStart(16, '0')}`),
  ...Array(MODULE_ROUNDS).fill('2'),
  ...Array.from({ length: MODULE_ROUNDS }, (_, i) => `round ${i}`),
  '0',
];

const TIERS: readonly (readonly [string, Pick<GuestOptions, 'tier' | 'without'>])[] = [
  ['interpreted', { tier: 'interpreter' }],
  ['translated when hot', { tier: 'both' }],
  ['without tail calls', { tier: 'both', without: ['tailCalls', 'fusedMultiplyAdd'] }],
];

describe('new code in Linux', () => {
  it.each(TIERS)('%s', async (_, options) => {
    const stdin = Buffer.concat(programs);
    const { code, stdout, stderr } = await Guest.run(script, { stdin, ...options });
    expect([code, stderr, stdout.toString().trimEnd().split('\n')]).toEqual([0, '', expected]);
  });
});
