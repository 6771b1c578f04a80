/**
 * Programs at random, as assembler's text: many blocks that jump anywhere, call and return, load and
 * store, fault and go on. The same seed gives the same program.
 */

/** Where programs begin, and the kilobyte that they load from and store to. */
export const BASE = 0x8000_0000n;
export const DATA = 0x8008_0000;

export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Registers that programs compute with; s1: data, s2 and s3: saved return addresses. */
const WORK = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 't3', 't4', 's4', 's5'];
const FLOAT = ['fa0', 'fa1', 'fa2', 'fs0'];

export function program(seed: number): string {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const reg = () => pick(WORK);
  const blocks = 6 + random(40);
  const label = () => `b${random(blocks)}`;
  const statement = (): string => {
    switch (random(14)) {
      case 0:
        return `ld ${reg()}, ${8 * random(64)}(s1)`;
      case 1:
        return `lbu ${reg()}, ${random(512)}(s1)`;
      case 2:
        return `sd ${reg()}, ${8 * random(64)}(s1)`;
      case 3:
        return `sw ${reg()}, ${4 * random(128)}(s1)`;
      case 4:
        return `mul ${reg()}, ${reg()}, ${reg()}`;
      case 5:
        return `addiw ${reg()}, ${reg()}, ${random(4096) - 2048}`;
      case 6:
        return `xor ${reg()}, ${reg()}, ${reg()}`;
      case 7:
        return `srli ${reg()}, ${reg()}, ${random(64)}`;
      case 8:
        return `amoadd.d ${reg()}, ${reg()}, (s1)`;
      case 9:
        return `fadd.d ${pick(FLOAT)}, ${pick(FLOAT)}, ${pick(FLOAT)}`;
      case 10:
        return `fcvt.d.l ${pick(FLOAT)}, ${reg()}`;
      case 11:
        return `csrrw ${reg()}, mscratch, ${reg()}`;
      case 12:
        // Faults: the handler steps over it.
        return random(8) === 0 ? `ld ${reg()}, 0(zero)` : `sub ${reg()}, ${reg()}, ${reg()}`;
      default:
        return `add ${reg()}, ${reg()}, ${reg()}`;
    }
  };
  const ending = (i: number): string => {
    switch (random(7)) {
      case 0:
        return `j ${label()}`;
      case 1:
        return `jal ra, f${random(3)}`;
      case 2:
        return `andi t5, ${reg()}, 7\nbnez t5, ${label()}`;
      case 3:
        return `bltu ${reg()}, ${reg()}, ${label()}`;
      case 4:
        // A loop that ends.
        return `addi s6, s6, 1\nandi t5, s6, 15\nbnez t5, b${Math.max(0, i - random(4))}`;
      case 5:
        return `la t6, ${label()}\njr t6`;
      default:
        return `bge ${reg()}, ${reg()}, ${label()}`;
    }
  };
  const lines = (count: number) => Array.from({ length: count }, statement);
  const body = Array.from({ length: blocks }, (_, i) => [
    `b${i}:`,
    ...lines(random(7)),
    ending(i),
  ]).flat();
  const functions = [0, 1, 2].flatMap((i) => [
    `f${i}:`,
    ...(i < 2 ? [`mv s${2 + i}, ra`, ...lines(3), `jal ra, f${i + 1}`, `mv ra, s${2 + i}`] : []),
    ...lines(4),
    'ret',
  ]);
  return `
    la t0, handler
    csrw mtvec, t0
    li t0, 0x6000
    csrs mstatus, t0
    li s1, ${DATA}
    ${WORK.map((name) => `li ${name}, ${random(0x7fffffff)}`).join('\n')}
    ${body.join('\n')}
    j b0
    ${functions.join('\n')}
    .align 2
  handler:
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    mret
  `;
}
