/**
 * Control flow at random: programs of many blocks that jump anywhere, call and return, load and
 * store, fault and go on, run in both tiers in slices of odd lengths. After every slice registers,
 * pc, instret and memory are the same.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import { RAM_OFFSET } from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import { Translator } from '../../src/translator/translator.ts';

const RAM = 1 << 20;
const BASE = 0x8000_0000n;
const DATA = 0x8008_0000;
const SLICES = 60;

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Registers that programs compute with; s1: data, s2 and s3: saved return addresses. */
const WORK = ['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 't3', 't4', 's4', 's5'];
const FLOAT = ['fa0', 'fa1', 'fa2', 'fs0'];

function program(seed: number): string {
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

const coreModule = new WebAssembly.Module(
  readFileSync(new URL('../../build/core.wasm', import.meta.url)),
);

function machine(code: Uint8Array, translate: boolean) {
  const memory = createMemory(RAM, false);
  const hart = new HartView(memory, 0);
  const bad = () => {
    hart.setU32('bus_error', 1);
    return 0;
  };
  let translator: Translator | undefined;
  const core = instantiateCore(coreModule, memory, {
    mmio_load: bad,
    mmio_load64: () => BigInt(bad()),
    mmio_store: bad,
    mmio_store64: bad,
    time: () => 0,
    hot: (ramOffset, offset) => translator?.hot(ramOffset >>> 0, offset),
    code_dropped: (ramOffset) => translator?.dropped(ramOffset >>> 0),
  });
  if (translate) translator = new Translator(core, false, () => 0, { threshold: 3, batch: 2 });
  hart.setU32('ram_size', RAM);
  core.exports.reset(0);
  new Uint8Array(memory.buffer, RAM_OFFSET, code.length).set(code);
  hart.pc = BASE;
  return {
    hart,
    translator,
    run(budget: number) {
      core.exports.run(0, budget);
      translator?.flush();
      return {
        pc: hart.pc,
        instret: hart.u64('instret'),
        mstatus: hart.u64('mstatus'),
        fflags: hart.u32('fflags'),
        x: Array.from({ length: 32 }, (_, i) => hart.x(i)),
        f: Array.from({ length: 32 }, (_, i) => hart.f(i)),
        data: Buffer.from(memory.buffer, RAM_OFFSET + 0x8_0000, 1024).toString('hex'),
      };
    },
  };
}

describe('random control flow', () => {
  it.each(Array.from({ length: 120 }, (_, i) => i + 1))(
    'program %i is the same in both tiers',
    (seed) => {
      const { bytes } = assemble(program(seed), { base: BASE });
      const a = machine(bytes, false);
      const b = machine(bytes, true);
      const random = generator(seed * 77);
      for (let slice = 0; slice < SLICES; slice++) {
        const budget = 1 + random(slice < 20 ? 200 : 3000);
        // Slices may end early, each tier at its own place: bring the later one up by single steps.
        let left = a.run(budget);
        let right = b.run(budget);
        for (let i = 0; left.instret !== right.instret && i < 10_000; i++) {
          if (left.instret < right.instret) left = a.run(1);
          else right = b.run(1);
        }
        expect(right).toEqual(left);
      }
      expect(b.translator?.stats.regions).toBeGreaterThan(0);
    },
  );
});
