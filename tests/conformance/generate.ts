/**
 * Blocks of random code, of several kinds: what each kind contains, and the state in which it
 * begins. One seed and one index give one block, whatever was generated before.
 */
import { decode } from '../../src/isa/codec.ts';
import type { Atom, BlockCsrs, TestBlock } from './block.ts';
import { controlAtom, type Mode, selfModifying } from './control.ts';
import {
  isApartFrom,
  isUnknownCsr,
  LINES,
  MACHINE_CSRS,
  MSTATUS,
  SUPERVISOR_CSRS,
  USER_CSRS,
} from './csrs.ts';
import {
  floatRows,
  integerRows,
  KEPT,
  keepsRegisters,
  randomOf,
  scratch,
  word,
} from './instructions.ts';
import { POOL, POOL_PAGES, ROOT39, ROOT48, STUB, TABLES_END, Virtual } from './layout.ts';
import { memoryAtom, type Pointer, pointers } from './memory.ts';
import { Random } from './random.ts';
import { boundary, pageTables } from './translation.ts';
import { floating, integer } from './values.ts';

/** What the oracle lacks: an extension's name, as in the table. */
export interface GeneratorOptions {
  readonly without: ReadonlySet<string>;
  /** Only blocks of this kind. */
  readonly kind?: string;
}

type Generator = (random: Random, block: Draft, options: GeneratorOptions) => Atom;

/** A block being made. */
interface Draft {
  kind: string;
  mode: Mode;
  csrs: BlockCsrs;
  pmpaddr: bigint[];
  x: bigint[];
  ptes: bigint[] | undefined;
  patches: [number, bigint][];
  pointers: Pointer[];
  /** The one interrupt that the block raises, as a bit of mip. */
  line: bigint;
  /**
   * Accesses are aligned: where PMP has small regions it is the implementation's choice into which
   * accesses a misaligned one falls apart (privileged ISA, 'Physical Memory Protection'). No
   * cache-block operations either: of two reasons to fault QEMU may give the other one.
   */
  aligned: boolean;
  /** Instructions that go before each access to memory. */
  beforeAccess: Atom;
}

const allRows = { integer: integerRows, float: floatRows };
const selected = new Map<ReadonlySet<string>, typeof allRows>();

/** Rows of the extensions that the oracle has: filtered once for each set. */
function rowsFor({ without }: GeneratorOptions): typeof allRows {
  let rows = selected.get(without);
  if (!rows) {
    const fits = ({ extension }: { extension: string }) => !without.has(extension);
    rows = { integer: integerRows.filter(fits), float: floatRows.filter(fits) };
    selected.set(without, rows);
  }
  return rows;
}

const integerAtom: Generator = (random, block, options) =>
  random.chance(0.1)
    ? controlAtom(random, block.mode, block.line)
    : [randomOf(random, rowsFor(options).integer)];

const floatAtom: Generator = (random, _block, options) => {
  if (random.chance(0.04)) {
    return [word('csrrwi', { rd: scratch(random), rs1: random.below(8), imm: 2 })];
  }
  if (random.chance(0.04)) {
    return [
      word(random.pick(['csrrs', 'csrrw']), {
        rd: scratch(random),
        rs1: 0,
        imm: random.between(1, 3),
      }),
    ];
  }
  return [randomOf(random, rowsFor(options).float)];
};

const memoryKind: Generator = (random, block, options) => [
  ...block.beforeAccess,
  ...memoryAtom(random, {
    pointers: block.pointers,
    without: options.without,
    aligned: block.aligned,
    plain: block.kind === 'fetch',
    before: block.beforeAccess,
    status: block.ptes ? { m: 0x300, s: 0x100, u: 0 }[block.mode] : 0,
  }),
];

const controlKind: Generator = (random, block) => {
  const at = random.pick(block.pointers);
  // Where PMP splits a page QEMU 10 goes on with old code across its edge, fence.i or not.
  if (!block.aligned && random.chance(0.08) && at.register !== 2) {
    const offset = Number(at.boundary - at.value) + 2 * random.between(-6, 3);
    // Even addresses only: jalr would clear the lowest bit.
    if (((at.value + BigInt(offset)) & 1n) === 0n)
      return selfModifying(random, at.register, offset);
  }
  return random.chance(0.4)
    ? [randomOf(random, integerRows)]
    : controlAtom(random, block.mode, block.line);
};

/** Calls of the instructions that lie across the boundaries of pages, and accesses around them. */
const fetchKind: Generator = (random, block, options) => {
  if (random.chance(0.5)) return memoryKind(random, block, options);
  const pointer = random.pick(block.pointers);
  const offset = Number(BigInt.asIntN(64, pointer.boundary - pointer.value));
  const at = offset + random.pick([-8, -2, -2, -2, 0, 2]);
  return [word('jalr', { rd: 1, rs1: pointer.register, imm: at })];
};

const csrInstructions = ['csrrw', 'csrrs', 'csrrc', 'csrrwi', 'csrrsi', 'csrrci'];

/** A 64-bit constant in a register, by way of the block's own x registers where it can. */
function constant(rd: number, value: bigint): Atom {
  const number = BigInt.asIntN(64, value);
  const low = Number(BigInt.asIntN(12, number));
  if (number >= -2048n && number < 2048n) return [word('addi', { rd, rs1: 0, imm: low })];
  if (number >= -(1n << 31n) && number < 1n << 31n) {
    const high = Number(BigInt.asIntN(32, number - BigInt(low)));
    return [word('lui', { rd, imm: high }), word('addiw', { rd, rs1: rd, imm: low })];
  }
  const rest = BigInt.asIntN(64, number - BigInt(low)) >> 12n;
  return [
    ...constant(rd, rest),
    word('slli', { rd, rs1: rd, imm: 12 }),
    word('addi', { rd, rs1: rd, imm: low }),
  ];
}

const csrAtom: Generator = (random, block) => {
  const rd = scratch(random);
  if (random.chance(0.15)) {
    let imm = random.below(4096);
    while (!isUnknownCsr(imm)) imm = random.below(4096);
    return [word(random.pick(csrInstructions), { rd, rs1: random.below(32), imm })];
  }
  // CSRs of a mode above: refused. stvec and satp must not be S-mode's to write.
  const list = { m: MACHINE_CSRS, s: SUPERVISOR_CSRS, u: USER_CSRS }[block.mode];
  const isOwn = random.chance(0.9);
  const use = random.pick(isOwn ? list : MACHINE_CSRS.filter(({ number }) => number >= 0x300));
  if (isApartFrom(block.line, use)) return [];
  const imm = use.number;
  const reads = use.readable ? rd : 0;
  // A register that is zero writes nothing with csrrs and csrrc.
  const read = word(random.pick(['csrrs', 'csrrc']), { rd: reads, rs1: 0, imm });
  if (!use.value || random.chance(0.25)) return [read];
  const from = scratch(random, rd);
  const name = use.bitwise ? random.pick(['csrrw', 'csrrw', 'csrrs', 'csrrc']) : 'csrrw';
  const write = word(name, { rd: reads, rs1: from, imm });
  const back = random.chance(0.5)
    ? [word('csrrs', { rd: use.readable ? scratch(random) : 0, rs1: 0, imm })]
    : [];
  return [...constant(from, use.value(random, block.line)), write, ...back];
};

/** Random bits: mostly illegal, some legal. Only what could lead anywhere is left out. */
const wordsAtom: Generator = (random) => {
  for (;;) {
    let bits = random.u32();
    if (random.chance(0.4)) {
      // Close to something that exists: one bit wrong.
      bits = randomOf(random, random.pick([integerRows, floatRows]));
      bits = (bits ^ (1 << random.below((bits & 3) === 3 ? 32 : 16))) >>> 0;
    } else if (random.chance(0.5)) {
      bits |= 3;
    }
    if ((bits & 3) !== 3) bits &= 0xffff;
    const decoded = decode(bits);
    if (!decoded) {
      if (isSystemWord(bits)) continue;
      return [bits >>> 0];
    }
    const { row: found, operands } = decoded;
    const isPure = ['setX', 'setF', 'nothing'].includes(found.action.kind);
    if (isPure && keepsRegisters(found, operands)) return [bits >>> 0];
  }
};

/** Returns of other privilege levels and the like, which one side may know: not our business. */
function isSystemWord(bits: number): boolean {
  // CSR instructions are the CSR blocks' business; what else SYSTEM holds stays.
  return (bits & 0x7f) === 0x73 && ((bits >>> 12) & 3) !== 0;
}

/**
 * wfi and the like where an interrupt is pending and enabled, but not taken: they do not wait. And
 * two fences that QEMU 10 takes in U-mode (illegal there: privileged ISA, 'Svinval'), which these
 * blocks never enter.
 */
const waitAtom: Generator = (random, block) => {
  // With TW set QEMU traps at once; the core never stalls, so it need not (privileged ISA, 'Zawrs').
  const stall = block.csrs.mstatus & MSTATUS.TW ? 'wrs.sto' : 'wrs.nto';
  const names = ['wfi', stall, 'wrs.sto', 'pause', 'sfence.w.inval', 'sfence.inval.ir'];
  if (block.mode === 'm' && random.chance(0.1)) return timerAtom(random);
  return random.chance(0.5) ? [word(random.pick(names))] : [randomOf(random, integerRows)];
};

/** The supervisor's timer, far in the past and never again: STIP comes and goes. */
function timerAtom(random: Random): Atom {
  const bit = scratch(random);
  const mip = () => word('csrrs', { rd: scratch(random, bit), rs1: 0, imm: 0x344 });
  return [
    word('addi', { rd: bit, rs1: 0, imm: -1 }),
    word('slli', { rd: bit, rs1: bit, imm: 63 }),
    word('csrrs', { rd: 0, rs1: bit, imm: 0x30a }),
    word('csrrw', { rd: 0, rs1: 0, imm: 0x14d }),
    mip(),
    word('addi', { rd: bit, rs1: 0, imm: -1 }),
    word('csrrw', { rd: 0, rs1: bit, imm: 0x14d }),
    mip(),
  ];
}

const kinds: Record<string, { weight: number; modes: Mode[]; atom: Generator }> = {
  integer: { weight: 6, modes: ['m', 's', 'u'], atom: integerAtom },
  float: { weight: 12, modes: ['m', 's', 'u'], atom: floatAtom },
  memory: { weight: 4, modes: ['m', 's', 'u'], atom: memoryKind },
  translation: { weight: 8, modes: ['m', 's', 's', 'u'], atom: memoryKind },
  fetch: { weight: 3, modes: ['s', 'u'], atom: fetchKind },
  control: { weight: 4, modes: ['m', 's', 'u'], atom: controlKind },
  csr: { weight: 4, modes: ['m', 'm', 's', 'u'], atom: csrAtom },
  words: { weight: 6, modes: ['m', 's', 'u'], atom: wordsAtom },
  wait: { weight: 1, modes: ['m', 's'], atom: waitAtom },
};

const napot = (base: number, size: number) => BigInt(base / 4 + size / 8 - 1);

/** PMP entries 1 to 5, and their configurations; 0, 6 and 7 are as every block has them. */
function protection(random: Random, isRandom: boolean): { pmpaddr: bigint[]; pmpcfg: bigint } {
  const pmpaddr = [0n, 0n, 0n, napot(STUB, 4096), BigInt(TABLES_END / 4)];
  // 4: the stub, read and execute. 5: tables, read and write. 6: the pool. 7: locked, not ours.
  let pmpcfg = 0x0f_0b_1d_00_00_00_00n;
  if (isRandom) {
    for (let i = 0; i < 3; i++) {
      const page = POOL + 4096 * random.below(POOL_PAGES);
      const mode = random.below(4);
      const near = page + 4 * random.between(-16, 16);
      const size = random.pick([8, 16, 32, 64, 4096, 8192]);
      // The base must be a multiple of the size, or the region is a much larger one.
      pmpaddr[i] = mode === 3 ? napot(page - (page % size), size) : BigInt(near / 4);
      // R = 0 with W = 1 is reserved.
      const rwx = random.pick([0, 1, 3, 4, 5, 7]);
      pmpcfg |= BigInt((mode << 3) | rwx) << BigInt(8 * (i + 1));
    }
    // Top of range reaches down to the entry before it: never below the pool.
    if (((pmpcfg >> 8n) & 0x18n) === 0x08n) pmpcfg &= ~0xff00n;
    for (const i of [1, 2]) {
      const isTop = ((pmpcfg >> BigInt(8 * (i + 1))) & 0x18n) === 0x08n;
      if (isTop && (pmpaddr[i - 1] ?? 0n) < BigInt(POOL / 4 - 64)) {
        pmpcfg &= ~(0xffn << BigInt(8 * (i + 1)));
      }
    }
  }
  return { pmpaddr, pmpcfg };
}

const MPP = { u: 0n, s: 1n << 11n, m: 3n << 11n };

function initialCsrs(random: Random, mode: Mode, translates: boolean, isSv48: boolean): BlockCsrs {
  let mstatus = MPP[mode];
  if (random.chance(0.95)) mstatus |= random.pick([1n, 2n, 3n]) << 13n;
  for (const bit of [MSTATUS.SUM, MSTATUS.MXR]) if (random.chance(0.5)) mstatus |= bit;
  for (const bit of [MSTATUS.TVM, MSTATUS.TW, MSTATUS.TSR]) if (random.chance(0.1)) mstatus |= bit;
  if (random.chance(0.3)) mstatus |= MSTATUS.SPIE;
  const delegates = random.chance(0.4);
  // Ecalls from S are how the stub reaches the harness: never delegated.
  const medeleg = delegates ? random.u64() & 0xb1ffn : 0n;
  const mideleg = random.chance(0.4) ? random.u64() & 0x222n : 0n;
  let satp = 0n;
  if (translates) {
    satp = isSv48 ? (9n << 60n) | BigInt(ROOT48 / 4096) : (8n << 60n) | BigInt(ROOT39 / 4096);
  }
  const envcfg = () => (random.pick([0n, 1n, 3n]) << 4n) | (BigInt(random.below(4)) << 6n);
  return {
    mstatus,
    satp,
    medeleg,
    mideleg,
    mie: 0n,
    mip: 0n,
    menvcfg:
      envcfg() | (random.chance(0.5) ? 1n << 61n : 0n) | (random.chance(0.8) ? 1n << 63n : 0n),
    senvcfg: envcfg(),
    mcounteren: BigInt(random.below(8)),
    scounteren: BigInt(random.below(8)),
    pmpcfg: 0n,
    stvec: (translates ? Virtual.stub : BigInt(STUB)) | (random.chance(0.3) ? 1n : 0n),
    fcsr: random.chance(0.9) ? BigInt(random.below(5) << 5) : BigInt(random.below(256)),
  };
}

/** Two instructions across each of four boundaries: addi in the last and first halfword, a return. */
function crossingCode(random: Random): [number, bigint][] {
  const patches: [number, bigint][] = [];
  for (const page of [random.between(1, 7), random.between(8, 15)]) {
    const at = POOL + 4096 * page;
    const addi = BigInt(word('addi', { rd: 10, rs1: 10, imm: random.between(1, 99) }));
    const back = BigInt(word('c.jr', { rs1: 1 }));
    const nop = BigInt(word('c.addi', { rd: 11, rs1: 11, imm: 1 }));
    // … c.addi c.addi c.addi | addi across | c.jr
    patches.push([at - 8, nop | (nop << 16n) | (nop << 32n) | ((addi & 0xffffn) << 48n)]);
    patches.push([at, (addi >> 16n) | (back << 16n) | (back << 32n) | (back << 48n)]);
  }
  return patches;
}

/** Block number `index` of the run with this seed. */
export function generateBlock(seed: number, index: number, options: GeneratorOptions): TestBlock {
  const random = new Random(seed, index);
  const names = Object.keys(kinds);
  const kind =
    options.kind ?? random.weighted(names.map((name) => [kinds[name]?.weight ?? 0, name]));
  const description = kinds[kind];
  if (!description)
    throw new Error(`There are no blocks of kind ${kind}: take ${names.join(', ')}.`);
  const mode = random.pick(description.modes);
  const onTables = kind === 'translation' || kind === 'fetch';
  const translates = onTables || (mode !== 'm' && random.chance(0.3));
  const isSv48 = random.chance(0.35);
  const csrs = initialCsrs(random, mode, translates, isSv48);
  const isProtected = random.chance(onTables ? 0.1 : 0.2);
  const { pmpaddr, pmpcfg } = protection(random, isProtected);
  // Tables that hardware may not write: A and D cannot be set.
  const isReadOnly = onTables && random.chance(0.05);
  csrs.pmpcfg = isReadOnly ? pmpcfg & ~(0x02n << 40n) : pmpcfg;
  const x = Array.from({ length: 32 }, (_, i) => (i === 0 ? 0n : integer(random)));
  const physical = () => BigInt(POOL + 4096 * random.between(1, POOL_PAGES - 1));
  const near = pointers(random, onTables ? () => boundary(random, isSv48) : physical);
  for (const pointer of near) x[pointer.register] = pointer.value;
  // t5: MPP's two bits; t6: MPP = S. In M-mode blocks on tables, t6 also turns MPRV on.
  x[KEPT[0]] = MSTATUS.MPP;
  x[KEPT[1]] = MPP.s;
  const draft: Draft = {
    kind,
    mode,
    csrs,
    pmpaddr,
    x,
    ptes: translates
      ? pageTables(random, { user: mode === 'u', svnapot: !options.without.has('svnapot') })
      : undefined,
    patches: [],
    pointers: near,
    aligned: isProtected || isReadOnly,
    line: random.pick(Object.values(LINES)),
    beforeAccess: [],
  };
  if (onTables && mode === 'm') {
    x[KEPT[0]] = (csrs.mstatus & ~MSTATUS.MPP) | MSTATUS.MPRV | MPP.u | MSTATUS.FS;
    x[KEPT[1]] = (csrs.mstatus & ~MSTATUS.MPP) | MSTATUS.MPRV | MPP.s | MSTATUS.FS;
    draft.beforeAccess = [word('csrrw', { rd: 0, rs1: random.pick(KEPT), imm: 0x300 })];
  }
  if (kind === 'fetch') draft.patches = crossingCode(random);
  if (kind === 'wait') {
    csrs.mie = 2n;
    csrs.mip = 2n;
    csrs.mideleg = mode === 's' ? 2n : 0n;
    csrs.mstatus &= ~(MSTATUS.SIE | MSTATUS.SPIE);
  }
  if (random.chance(0.1) && kind !== 'wait') {
    // Something that is taken at once, or when a mode below is entered.
    csrs.mie = random.u64() & 0x222n;
    csrs.mip = draft.line;
  }
  const size = random.between(24, 56);
  const atoms: Atom[] = [];
  for (let count = 0; count < size; ) {
    const atom = description.atom(random, draft, options);
    const known = atom.every((bits) => !isLeftOut(bits, options.without));
    if (!known) continue;
    atoms.push(atom);
    count += atom.length;
  }
  const f = Array.from({ length: 32 }, () => floating(random));
  return {
    kind,
    csrs,
    pmpaddr,
    seed: random.u64() | 1n,
    x,
    f,
    ptes: draft.ptes,
    patches: draft.patches,
    atoms,
  };
}

function isLeftOut(bits: number, without: ReadonlySet<string>): boolean {
  if (without.size === 0) return false;
  const extension = decode(bits)?.row.extension;
  return extension !== undefined && without.has(extension);
}
