/**
 * Atoms that change where code runs and in which mode: branches, jumps, loops, calls into the
 * pool, code that changes itself, traps, returns from traps, interrupts that software raises.
 */
import type { Atom } from './block.ts';
import { codeBytes } from './block.ts';
import {
  branchRows,
  fit,
  integerRows,
  KEPT,
  NOP,
  randomOf,
  scratch,
  word,
} from './instructions.ts';
import type { Random } from './random.ts';

export type Mode = 'm' | 's' | 'u';

/** auipc's immediate in the operand's form is the value that it adds: 0 gives the address here. */
const here = (rd: number) => word('auipc', { rd, imm: 0 });

/** Over some instructions, taken or not. */
function branch(random: Random): Atom {
  const skipped = Array.from({ length: random.between(0, 3) }, () => randomOf(random, integerRows));
  for (;;) {
    const row = random.pick(branchRows);
    const taken = fit(random, row, { imm: row.length + codeBytes([skipped]) });
    if (taken !== undefined) return [taken, ...skipped];
  }
}

function jump(random: Random): Atom {
  const skipped = Array.from({ length: random.between(0, 3) }, () => randomOf(random, integerRows));
  const bytes = codeBytes([skipped]);
  const rd = random.chance(0.5) ? 0 : scratch(random);
  const base = scratch(random);
  switch (random.below(4)) {
    case 0:
      return [word('c.j', { imm: 2 + bytes }), ...skipped];
    case 1: {
      // An odd target: jalr clears its lowest bit.
      const imm = 8 + bytes + random.below(2);
      return [here(base), word('jalr', { rd, rs1: base, imm }), ...skipped];
    }
    case 2: {
      const addi = word('addi', { rd: base, rs1: base, imm: 10 + bytes });
      return [here(base), addi, word(random.pick(['c.jr', 'c.jalr']), { rs1: base }), ...skipped];
    }
    default:
      return [word('jal', { rd, imm: 4 + bytes }), ...skipped];
  }
}

function loop(random: Random): Atom {
  const counter = scratch(random);
  const body: number[] = [];
  while (body.length < 3) {
    const bits = randomOf(random, integerRows);
    // The counter is the loop's own: its field may stand at bit 7 or in three bits.
    if (((bits >>> 7) & 31) !== counter && (bits & 3) === 3) body.push(bits);
  }
  return [
    word('addi', { rd: counter, rs1: 0, imm: random.between(1, 9) }),
    ...body,
    word('addi', { rd: counter, rs1: counter, imm: -1 }),
    word('bne', { rs1: counter, rs2: 0, imm: -4 - 4 * body.length }),
  ];
}

/** To the address that `at` holds, plus a little, and back through ra. */
export function call(random: Random, at: number, offsets: readonly number[]): Atom {
  return [word('jalr', { rd: 1, rs1: at, imm: random.pick(offsets) })];
}

const MSTATUS = 0x300;
const MEPC = 0x341;
const SSTATUS = 0x100;
const SEPC = 0x141;
/** lui's immediate for mstatus.MPRV: returns clear it where they lead below M-mode. */
const MPRV = 0x2_0000;
const SPP = 0x100;

/** Goes on behind these instructions in the mode that the status register says. */
function trapReturn(random: Random, mode: Mode): Atom {
  const at = scratch(random);
  const status = scratch(random, at);
  const back = (rest: Atom, csr: number, last: string): Atom => [
    here(at),
    word('addi', { rd: at, rs1: at, imm: 4 * (rest.length + 4) }),
    word('csrrw', { rd: 0, rs1: at, imm: csr }),
    ...rest,
    word(last),
  ];
  const spp: Atom = [
    word('addi', { rd: status, rs1: 0, imm: SPP }),
    word(random.pick(['csrrs', 'csrrc']), { rd: 0, rs1: status, imm: SSTATUS }),
  ];
  if (mode === 's') return back(spp, SEPC, 'sret');
  const mprv: Atom = random.chance(0.5)
    ? [word('lui', { rd: status, imm: MPRV }), word('csrrs', { rd: 0, rs1: status, imm: MSTATUS })]
    : [];
  if (random.chance(0.3)) return back([...spp, ...mprv], SEPC, 'sret');
  // MPP becomes U, S or M: what follows runs there.
  const set = random.pick([NOP, ...KEPT.map((rs1) => word('csrrs', { rd: 0, rs1, imm: MSTATUS }))]);
  const mpp: Atom = [word('csrrc', { rd: 0, rs1: KEPT[0], imm: MSTATUS }), set];
  return back([...mpp, ...mprv], MEPC, 'mret');
}

/** lui and addi for a value of 31 bits. */
function constant(rd: number, value: number): Atom {
  const low = (value << 20) >> 20;
  return [
    word('lui', { rd, imm: ((value - low) >> 12) << 12 }),
    word('addiw', { rd, rs1: rd, imm: low }),
  ];
}

/** Writes an instruction and a return behind `at`, and calls it: twice, with two instructions. */
export function selfModifying(random: Random, at: number, offset: number): Atom {
  const bits = scratch(random, 1);
  const rd = scratch(random, bits, 1);
  const once = (imm: number): Atom => [
    ...constant(bits, word('addi', { rd, rs1: rd, imm })),
    word('sw', { rs1: at, rs2: bits, imm: offset }),
    ...constant(bits, word('c.jr', { rs1: 1 })),
    word('sh', { rs1: at, rs2: bits, imm: offset + 4 }),
    word('fence.i'),
    word('jalr', { rd: 1, rs1: at, imm: offset }),
  ];
  return [...once(random.between(1, 99)), ...once(random.between(1, 99))];
}

function interrupt(random: Random, mode: Mode, line: bigint): Atom {
  const bit = scratch(random);
  const [enable, pending, status] = mode === 'm' ? [0x304, 0x344, 0x300] : [0x104, 0x144, 0x100];
  const set = [
    word('addi', { rd: bit, rs1: 0, imm: Number(line) }),
    word('csrrs', { rd: 0, rs1: bit, imm: enable }),
    word('csrrs', { rd: scratch(random, bit), rs1: bit, imm: pending }),
  ];
  const on = word('csrrsi', { rd: 0, rs1: mode === 'm' ? 8 : 2, imm: status });
  const off = word('csrrci', { rd: 0, rs1: mode === 'm' ? 8 : 2, imm: status });
  const clear = word('csrrc', { rd: scratch(random, bit), rs1: bit, imm: pending });
  return [...set, on, off, clear];
}

export function controlAtom(random: Random, mode: Mode, line: bigint): Atom {
  switch (
    random.weighted([
      [6, 'branch'],
      [5, 'jump'],
      [1, 'loop'],
      [1, 'environment'],
      [1, 'return'],
      [1, 'interrupt'],
      [1, 'fence'],
      [1, 'stack'],
    ])
  ) {
    case 'branch':
      return branch(random);
    case 'jump':
      return jump(random);
    case 'loop':
      return loop(random);
    case 'environment':
      return [word(random.pick(['ecall', 'ebreak', 'c.ebreak']))];
    case 'return':
      return trapReturn(random, mode);
    case 'stack': {
      const imm = 16 * random.between(1, 31);
      return [word('c.addi16sp', { imm }), word('c.addi16sp', { imm: -imm })];
    }
    case 'interrupt':
      return interrupt(random, mode, line);
    default:
      return [
        random.pick([
          word('fence.i'),
          word('sfence.vma', { rs1: 0, rs2: 0 }),
          word('sfence.vma', { rs1: scratch(random), rs2: scratch(random) }),
          word('sinval.vma', { rs1: scratch(random), rs2: 0 }),
        ]),
      ];
  }
}
