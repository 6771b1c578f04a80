/**
 * Fuzzer of the core and the translator: random code, mostly valid instructions, in M-, S- and
 * U-mode, with and without address translation, played by both tiers in slices of odd lengths. It
 * looks for: an exception, a run that exceeds its budget or makes no progress, a byte changed
 * outside the memory areas that are the guest's, a TLB entry that leads outside RAM, and any
 * difference between the tiers where both have retired the same instructions.
 */
import { readFileSync } from 'node:fs';
import { createMemory, instantiateCore } from '../../src/core/core.ts';
import { HartView } from '../../src/core/hart.ts';
import {
  DECODE_MAP_OFFSET,
  DECODE_PAGE_SIZE,
  DECODE_PAGES,
  DECODE_PAGES_OFFSET,
  ExitReason,
  HART_FIELDS,
  HART_STRIDE,
  HARTS_OFFSET,
  HEAT_MASK,
  HEAT_OFFSET,
  PAGE_FLAGS_OFFSET,
  RAM_BASE,
  RAM_OFFSET,
  TLB_ENTRY,
  TLB_FETCH,
  TLB_OFFSET,
  TLB_SECOND_OFFSET,
  TLB_SECOND_SIZE,
  TLB_SET_SIZE,
  TLB_SETS,
  TLB_SIZE,
  WASM_PAGE,
} from '../../src/core/layout.ts';
import { assemble } from '../../src/isa/assemble.ts';
import type { Instruction } from '../../src/isa/instruction.ts';
import { CSR_NUMBERS } from '../../src/isa/registers.ts';
import { INSTRUCTIONS } from '../../src/isa/table.ts';
import { Translator } from '../../src/translator/translator.ts';
import { Finding, type Fuzzer, type Random } from './fuzzer.ts';

const RAM = 256 * 1024;
const PAGE = 4096;
/** Places in RAM: code, the two trap handlers, a page table. The rest is data. */
const CODE = 0x4000;
/** Up to 4 KiB of code. */
const CODE_BITS_MOST = 12;
const HANDLERS = 0x1_0000;
const TABLE = 0x2_0000;
const SLICES = 12;
const SLICE_MOST = 400;
/** Steps of one instruction that bring the later tier up to the other. */
const STEPS_MOST = 4 * SLICE_MOST;
const CANARY = 0xa5;
const SINK = 32;
/** Interrupt lines of devices, as bits of mip. */
const LINES = [1, 3, 7, 9, 11] as const;

const CSR = { mtvec: 0x305, medeleg: 0x302, mideleg: 0x303, stvec: 0x105, satp: 0x180 } as const;
const csrs = [...CSR_NUMBERS.values()];
const kind = (...kinds: string[]) => INSTRUCTIONS.filter((row) => kinds.includes(row.action.kind));
const accesses = kind('load', 'store', 'atomic');
const jumps = kind('branch', 'jump');

const coreModule = new WebAssembly.Module(
  readFileSync(new URL('../../build/core.wasm', import.meta.url)),
);

/** Go on behind the instruction that trapped, or at the same distance inside the code. */
function handlers(code: number, bits: number): Uint8Array {
  const handler = (mode: string) => `
    csrr t0, ${mode}epc
    li t1, ${RAM_BASE + code}
    sub t0, t0, t1
    addi t0, t0, 4
    slli t0, t0, ${64 - bits}
    srli t0, t0, ${64 - bits}
    add t0, t0, t1
    csrw ${mode}epc, t0
    ${mode}ret
    .align 6`;
  return assemble(handler('m') + handler('s'), { base: BigInt(RAM_BASE + HANDLERS) }).bytes;
}
/** The second handler follows the first on the next multiple of 64. */
const HANDLER_STRIDE = 64;

/** Where one case begins. */
interface Start {
  readonly ram: Uint8Array;
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly pc: bigint;
  readonly priv: number;
  readonly sbi: number;
  readonly csrs: readonly (readonly [number, bigint])[];
}

function nasty64(random: Random): bigint {
  switch (random.below(4)) {
    case 0:
      return BigInt(random.nasty());
    case 1:
      return BigInt.asUintN(64, -BigInt(random.nasty()));
    case 2:
      return (BigInt(random.nasty()) << 32n) | BigInt(random.nasty());
    default:
      return (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  }
}

/** An address that the guest may use, or one at an edge. */
function pointer(random: Random): bigint {
  const edges = [RAM_BASE, RAM_BASE + RAM, RAM_BASE + CODE, RAM_BASE + TABLE, 0x1000_0000];
  if (random.once(4)) return BigInt(random.pick(edges) + random.between(-16, 16));
  if (random.once(12)) return nasty64(random);
  return BigInt(RAM_BASE + random.below(RAM)) & ~(random.once(4) ? 0n : 7n);
}

/** An instruction of one of the rows, with random operands. */
function wordOf(random: Random, rows: readonly Instruction[]): [word: number, length: 2 | 4] {
  const row = random.pick(rows);
  return [(row.match | (random.u32() & ~row.mask)) >>> 0, row.length];
}

function instruction(random: Random): [word: number, length: 2 | 4] {
  switch (random.below(24)) {
    case 0:
      return [random.u32(), 4];
    case 1:
      return [random.u32() & 0xffff, 2];
    case 2: {
      // csrrw, csrrs, csrrc and their immediate forms.
      const f3 = random.pick([1, 2, 3, 5, 6, 7]);
      const fields = (random.below(32) << 15) | (f3 << 12) | (random.below(32) << 7) | 0x73;
      return [((random.pick(csrs) << 20) | fields) >>> 0, 4];
    }
    case 3:
    case 4:
    case 5:
    case 6:
      return wordOf(random, accesses);
    case 7:
    case 8:
    case 9: {
      // A branch that stays near: the upper bits of its distance are all equal.
      const [word, length] = wordOf(random, jumps);
      if ((word & 0x7f) !== 0x63) return [word, length];
      return [random.once(2) ? (word & 0x01ff_ffff) >>> 0 : (word | 0xfe00_0080) >>> 0, length];
    }
    default:
      return wordOf(random, INSTRUCTIONS);
  }
}

function start(random: Random): Start {
  const ram = new Uint8Array(RAM);
  const view = new DataView(ram.buffer);
  // Short, so that it runs many times; anywhere, so that it crosses pages.
  const bits = random.between(6, CODE_BITS_MOST);
  const code = CODE + 2 * random.below(PAGE);
  const end = code + 2 ** bits - 4;
  for (let at = code; at < end; ) {
    const [word, length] = instruction(random);
    if (length === 2) view.setUint16(at, word & 0xffff, true);
    else view.setUint32(at, word, true);
    at += length;
  }
  // Back to the beginning: jal x0.
  const back = code - end;
  const distance = ((back & 0x7fe) << 20) | ((back & 0x800) << 9) | (back & 0xff000);
  view.setUint32(end, (0x8000_0000 | distance | 0x6f) >>> 0, true);
  ram.set(handlers(code, bits), HANDLERS);
  // Sv39: RAM where it is, and others of a gigabyte at random, with random rights.
  for (let i = 0; i < 512; i++) {
    if (i !== 2 && !random.once(16)) continue;
    const rights = random.once(4) ? random.below(256) : random.pick([0xcf, 0xdf, 0x0f, 0x1f]);
    view.setBigUint64(TABLE + 8 * i, (0x8_0000n << 10n) | BigInt(rights), true);
  }
  const handler = (index: number) =>
    random.once(8) ? pointer(random) : BigInt(RAM_BASE + HANDLERS + HANDLER_STRIDE * index);
  const translated = random.once(2);
  const writes: [number, bigint][] = [
    [CSR.mtvec, handler(0)],
    [CSR.stvec, handler(1)],
    [CSR.medeleg, random.once(2) ? 0n : nasty64(random)],
    [CSR.mideleg, random.once(2) ? 0n : nasty64(random)],
    // Floating point on, mostly; and PMP open.
    [0x300, random.once(8) ? nasty64(random) : 0x6000n],
    [0x3b0, random.once(8) ? nasty64(random) : 0x3f_ffff_ffff_ffffn],
    [0x3a0, random.once(8) ? nasty64(random) : 0x1fn],
    [0x003, random.once(3) ? BigInt(random.below(256)) : 0n],
    [0x306, nasty64(random)],
    [0x30a, random.once(2) ? nasty64(random) : 0xa000_0000_0000_00f1n],
    [CSR.satp, translated ? (8n << 60n) | BigInt((RAM_BASE + TABLE) / PAGE) : 0n],
  ];
  for (let i = random.below(4); i > 0; i--) writes.push([random.pick(csrs), nasty64(random)]);
  return {
    ram,
    x: Array.from({ length: 32 }, () => (random.once(3) ? nasty64(random) : pointer(random))),
    f: Array.from({ length: 32 }, () =>
      random.once(3) ? 0xffff_ffff_0000_0000n | BigInt(random.nasty()) : nasty64(random),
    ),
    pc: random.once(20) ? pointer(random) & ~1n : BigInt(RAM_BASE + code),
    priv: random.pick([3, 1, 0]),
    sbi: random.below(2),
    csrs: writes,
  };
}

/** Ranges of the memory that nothing may write: [from, to). */
const fieldsEnd = Math.max(...HART_FIELDS.map(({ offset, count }) => offset + 8 * count));
const FORBIDDEN: readonly (readonly [number, number])[] = [
  [HARTS_OFFSET + fieldsEnd, HARTS_OFFSET + TLB_OFFSET],
  [HARTS_OFFSET + TLB_SECOND_OFFSET + TLB_SECOND_SIZE, HARTS_OFFSET + 2 * HART_STRIDE],
  [PAGE_FLAGS_OFFSET - WASM_PAGE, PAGE_FLAGS_OFFSET],
  [PAGE_FLAGS_OFFSET + RAM / PAGE, PAGE_FLAGS_OFFSET + WASM_PAGE],
  [DECODE_MAP_OFFSET - WASM_PAGE, DECODE_MAP_OFFSET],
  [DECODE_MAP_OFFSET + (2 * RAM) / PAGE, DECODE_MAP_OFFSET + WASM_PAGE],
  [DECODE_PAGES_OFFSET - WASM_PAGE, DECODE_PAGES_OFFSET],
  [DECODE_PAGES_OFFSET + DECODE_PAGES * DECODE_PAGE_SIZE, HEAT_OFFSET].map((at, i) =>
    i === 0 ? Math.max(at, HEAT_OFFSET - WASM_PAGE) : at,
  ) as [number, number],
  [HEAT_OFFSET + HEAT_MASK + 2, HEAT_OFFSET + HEAT_MASK + 2 + WASM_PAGE],
  [RAM_OFFSET - WASM_PAGE, RAM_OFFSET],
  [RAM_OFFSET + RAM, RAM_OFFSET + RAM + WASM_PAGE],
];
const longest = Math.max(...FORBIDDEN.map(([from, to]) => to - from));
const canaries = Buffer.alloc(longest, CANARY);

/** One hart in one tier. */
class Subject {
  readonly hart: HartView;
  readonly translator: Translator | undefined;
  readonly #memory: Buffer;
  readonly #constants: Buffer;
  readonly #run: (budget: number) => ExitReason;
  #calls = 0;
  /** Why the last run came back. */
  reason: ExitReason = ExitReason.Budget;

  constructor(
    readonly name: string,
    translated: boolean,
    from: Start,
  ) {
    // A page more than the guest's RAM, which it must not reach.
    const memory = createMemory(RAM + WASM_PAGE, false);
    this.#memory = Buffer.from(memory.buffer);
    const hart = new HartView(memory, 0);
    this.hart = hart;
    const nothing = () => {
      hart.setU32('bus_error', 1);
      return 0;
    };
    let translator: Translator | undefined;
    const core = instantiateCore(coreModule, memory, {
      mmio_load: nothing,
      mmio_load64: () => BigInt(nothing()),
      mmio_store: nothing,
      mmio_store64: nothing,
      time: () => 1000,
      hot: (ramOffset, offset) => translator?.hot(ramOffset >>> 0, offset),
      code_dropped: (ramOffset) => translator?.dropped(ramOffset >>> 0),
    });
    if (translated) translator = new Translator(core, false, () => 0, { threshold: 1, batch: 1 });
    this.translator = translator;
    hart.setU32('ram_size', RAM);
    core.exports.reset(0);
    for (const [at, to] of FORBIDDEN) this.#memory.fill(CANARY, at, to);
    this.#constants = Buffer.from(this.#memory.subarray(0, HARTS_OFFSET));
    this.#memory.set(from.ram, RAM_OFFSET);
    for (const [csr, value] of from.csrs) core.exports.csr_write(0, csr, value);
    for (let i = 0; i < 32; i++) {
      hart.setX(i, from.x[i]!);
      hart.setF(i, from.f[i]!);
    }
    hart.setU32('priv', from.priv);
    hart.setU32('sbi', from.sbi);
    hart.pc = from.pc;
    this.#run = (budget) => core.exports.run(0, budget);
  }

  /** Grows by one with each step, so that both tiers can be brought to the same place. */
  get progress(): number {
    return Number(this.hart.u64('instret') + this.hart.u64('stat_traps')) + this.#calls;
  }

  run(budget: number): void {
    const { hart } = this;
    const [retired, traps] = [hart.u64('instret'), hart.u64('stat_traps')];
    this.reason = this.#run(budget);
    const done = [hart.u64('instret') - retired, hart.u64('stat_traps') - traps];
    // A trap costs as much as an instruction only where none retired before it.
    if (done.some((steps) => steps > budget)) {
      throw new Finding(`The ${this.name} did ${done.join(' + ')} steps of ${budget}.`);
    }
    if (this.reason === ExitReason.Sbi) {
      // As the machine does, which answers and goes on.
      hart.setX(10, 0n);
      hart.pc = BigInt.asUintN(64, hart.pc + 4n);
      this.#calls++;
    } else if (this.reason === ExitReason.Wfi) {
      hart.setU32('waiting', 0);
    } else if (this.reason !== ExitReason.Budget) {
      throw new Finding(`The ${this.name} came back with reason ${this.reason}.`);
    }
  }

  /** Everything that a guest can see of the hart. */
  state(): Record<string, string> {
    const state: Record<string, string> = {};
    for (const [name, values] of Object.entries(this.hart.save())) {
      values.forEach((value, i) => {
        if (name !== 'x' || i !== SINK) state[`${name}[${i}]`] = `0x${value.toString(16)}`;
      });
    }
    return state;
  }

  get ram(): Buffer {
    return this.#memory.subarray(RAM_OFFSET, RAM_OFFSET + RAM);
  }

  /** Complains when something was written that is not the guest's. */
  check(): void {
    for (const [from, to] of FORBIDDEN) {
      if (this.#memory.compare(canaries, 0, to - from, from, to) !== 0) {
        const at = from + this.#memory.subarray(from, to).findIndex((byte) => byte !== CANARY);
        throw new Finding(`The ${this.name} wrote to the memory at 0x${at.toString(16)}.`);
      }
    }
    if (this.#memory.compare(this.#constants, 0, HARTS_OFFSET, 0, HARTS_OFFSET) !== 0) {
      throw new Finding(`The ${this.name} changed the core's constants.`);
    }
    for (let tlb = 0; tlb < TLB_SETS * TLB_SET_SIZE; tlb += TLB_SIZE) {
      if (tlb % TLB_SET_SIZE === TLB_FETCH) continue;
      for (let entry = 0; entry < TLB_SIZE; entry += TLB_ENTRY)
        this.#checkEntry(TLB_OFFSET + tlb + entry);
    }
    for (let entry = 0; entry < TLB_SECOND_SIZE; entry += TLB_ENTRY) {
      this.#checkEntry(TLB_SECOND_OFFSET + entry);
    }
  }

  #checkEntry(offset: number): void {
    const at = HARTS_OFFSET + offset;
    const low = this.#memory.readUInt32LE(at);
    if (low === 0xffff_ffff) return;
    // The second level's tags say more than the page.
    const page = (this.#memory.readUInt32LE(at + 8) + (low - (low % PAGE))) % 0x1_0000_0000;
    if (page < RAM_OFFSET || page + PAGE > RAM_OFFSET + RAM || page % PAGE !== 0) {
      throw new Finding(
        `The ${this.name} has a TLB entry to the memory at 0x${page.toString(16)}.`,
      );
    }
  }
}

/** What all cases so far did in the second tier: a test shows that it is something. */
export const coverage = { retired: 0, traps: 0, regions: 0 };

function play(random: Random): void {
  const from = start(random);
  const a = new Subject('interpreter', false, from);
  const b = new Subject('translator', true, from);
  for (let slice = 0; slice < SLICES; slice++) {
    const budget = random.between(1, random.once(2) ? 20 : SLICE_MOST);
    if (random.once(4)) {
      const [line, level] = [random.pick(LINES), random.once(2)];
      for (const { hart } of [a, b]) hart.setLine(line, level);
    }
    a.run(budget);
    b.run(budget);
    // Slices may end early, each tier at its own place.
    for (let i = 0; a.progress !== b.progress; i++) {
      if (i === STEPS_MOST) throw new Finding('A tier makes no progress.');
      if (a.progress < b.progress) a.run(1);
      else b.run(1);
    }
    a.check();
    b.check();
    compare(a, b, slice);
  }
  coverage.retired += Number(b.hart.u64('instret'));
  coverage.traps += Number(b.hart.u64('stat_traps'));
  coverage.regions += b.translator?.stats.regions ?? 0;
}

function compare(a: Subject, b: Subject, slice: number): void {
  const [left, right] = [a.state(), b.state()];
  const differences = Object.keys(left)
    .filter((name) => left[name] !== right[name])
    .map((name) => `${name}: ${left[name]} and ${right[name]}`);
  if (!a.ram.equals(b.ram)) {
    const at = a.ram.findIndex((byte, i) => byte !== b.ram[i]);
    differences.push(`RAM at 0x${(RAM_BASE + at).toString(16)}: ${a.ram[at]} and ${b.ram[at]}`);
  }
  if (differences.length === 0) return;
  throw new Finding(
    `Interpreter and translator differ after slice ${slice}, ${a.progress} steps:\n` +
      differences.join('\n'),
  );
}

export const instructions: Fuzzer = {
  name: 'instructions',
  what: 'random code in both tiers of the core: same state, nothing outside the guest',
  bounded: 120,
  play,
};
