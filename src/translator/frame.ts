/**
 * The function that a region becomes, while it is written: its code, the labels that are open, the
 * locals, and which of the guest's registers are in them. Shared by the emitters of control flow
 * and of instructions.
 */
import { hartBase, hartOffset } from '../core/layout.ts';
import type { ValueType } from '../isa/expression.ts';
import type { EngineFeatures } from './features.ts';
import type { RegionInstruction } from './region.ts';
import { type Loop, members, type Registers } from './registers.ts';
import { Code, Op, Type } from './wasm-writer.ts';

/** What the module around gives to a region. */
export interface ModuleScope {
  /** Index of an imported helper of the core with this signature. */
  helper(name: string, parameters: readonly ValueType[], result: ValueType | undefined): number;
  readonly fflags: number;
  readonly features: EngineFeatures;
  /** Index of the type of regions. */
  readonly regionType: number;
}

/** What the text of a region says beyond its bytes (text.ts). Positions are the code's. */
export interface CodeNotes {
  /** Locals of registers, by register. */
  readonly x: ReadonlyMap<number, number>;
  readonly f: ReadonlyMap<number, number>;
  readonly labels: (readonly [position: number, label: number | string])[];
  readonly instructions: (readonly [position: number, instruction: RegionInstruction])[];
}

/** Locals, by number; the first two are the parameters, registers follow. */
export const Local = {
  /** Node to go to, at a dispatcher. */
  entry: 0,
  /** Guest-virtual address of the page. */
  base: 1,
  /** Instructions that may still run. */
  n: 2,
  tlb: 3,
  /** A TLB entry, a slot; at the way out: whether to go on with other translated code. */
  slot: 4,
  /** The instruction at which something happened. */
  site: 5,
  mode: 6,
  i32Temp: 7,
  /** Whether Wasm's arithmetic may answer (emit-float.ts). */
  host: 8,
  address: 9,
  value: 10,
  /** Address at the way out. */
  target: 11,
  i64Temp: 12,
  firstRegister: 13,
} as const;
/** Declared locals before the registers: i32, then i64. */
export const I32_LOCALS = 7;
export const I64_LOCALS = 4;

/** The hart's place in the memory: translated code serves hart 0. */
export const HART = hartBase(0);

/** Where a field of the hart is. */
export function at(name: Parameters<typeof hartOffset>[0], index = 0): number {
  return HART + hartOffset(name, index);
}

export class Frame {
  readonly code = new Code();
  readonly module: ModuleScope;
  /** The outermost loop that is being written. */
  loop: Loop | undefined;
  /** Whether `Local.host` has been set since the block began or a CSR was written. */
  hostKnown = false;
  /** Outside loops: registers whose local holds what memory holds. */
  cached: Registers = { x: 0, f: 0 };
  readonly #x: ReadonlyMap<number, number>;
  readonly #f: ReadonlyMap<number, number>;
  /** Open labels, innermost last: a node, or a name of the frame's own. */
  readonly #labels: (number | string)[] = [];
  readonly notes: CodeNotes;

  /** `used`: all registers that the region names. */
  constructor(module: ModuleScope, used: Registers) {
    this.module = module;
    let local: number = Local.firstRegister;
    const place = (set: number) => new Map([...members(set)].map((r) => [r, local++]));
    this.#x = place(used.x);
    this.#f = place(used.f);
    this.notes = { x: this.#x, f: this.#f, labels: [], instructions: [] };
  }

  get registers(): number {
    return this.#x.size + this.#f.size;
  }

  x(register: number): number {
    return placed(this.#x, register);
  }

  f(register: number): number {
    return placed(this.#f, register);
  }

  open(opcode: number, label: number | string, type: number = Type.void): void {
    this.notes.labels.push([this.code.length, label]);
    this.code.op(opcode, type);
    this.#labels.push(label);
  }

  close(): void {
    this.code.op(Op.end);
    this.#labels.pop();
  }

  get innermost(): number | string | undefined {
    return this.#labels.at(-1);
  }

  depth(label: number | string): number {
    const index = this.#labels.lastIndexOf(label);
    if (index < 0) throw new Error(`Translator: label ${label} is not open.`);
    return this.#labels.length - 1 - index;
  }

  /** Labels for leaving the function from here; a loop's own write its registers back. */
  get out(): number {
    return this.depth(this.loop ? 'loop out' : 'out');
  }

  get event(): number {
    return this.depth(this.loop ? 'loop event' : 'event');
  }

  /** Reads registers into their locals. */
  load(registers: Registers): void {
    const { code } = this;
    for (const x of members(registers.x)) {
      code.i32(0).memory(Op.i64_load, at('x', x)).set(this.x(x));
    }
    for (const f of members(registers.f)) {
      code.i32(0).memory(Op.i64_load, at('f', f)).set(this.f(f));
    }
  }

  /** Writes registers back to memory. */
  store(registers: Registers): void {
    const { code } = this;
    for (const x of members(registers.x)) {
      code.i32(0).get(this.x(x)).memory(Op.i64_store, at('x', x));
    }
    for (const f of members(registers.f)) {
      code.i32(0).get(this.f(f)).memory(Op.i64_store, at('f', f));
    }
  }

  /** Puts the guest-virtual address of a page offset on the stack. */
  address(offset: number): Code {
    return this.code.get(Local.base).i64(BigInt(offset)).op(Op.i64_add);
  }

  /** Ends the function at a page offset; the interpreter goes on there. */
  leave(offset: number): void {
    this.address(offset).set(Local.target);
    this.code.i32(0).set(Local.slot).br(this.out);
  }

  /** Ends the function at the address in `target`, which may have translated code. */
  link(): void {
    this.code.i32(1).set(Local.slot).br(this.out);
  }
}

function placed(locals: ReadonlyMap<number, number>, register: number): number {
  const local = locals.get(register);
  if (local === undefined) throw new Error('Translator: a register without a local.');
  return local;
}
