/**
 * Emits one region as one WebAssembly function `(entry: i32, base: i64) → ()`.
 *
 * `entry` is the number of the node to begin at, `base` the guest-virtual address of the page. Where
 * the guest's registers live says `registers.ts`. `n` counts down the instructions that may still run, as in the interpreter; a block with
 * an entry or a back-edge is begun only when all until the next such block fits in, so budgets and
 * instret are exact. The way out stores pc, or goes on with a tail call where the address has
 * translated code. At a fault the hart's state is that of the interpreter.
 */

import { hartBase, hartOffset, TLB_INDEX, TLB_WRITE } from '../core/layout.ts';
import type { Action, LoadKind, StoreSize, ValueType } from '../isa/expression.ts';
import { OperationCode } from '../isa/table.ts';
import { emitExpression, type Scope } from './emit-expression.ts';
import { type Block, type Region, type RegionInstruction, successors } from './region.ts';
import {
  type Loop,
  members,
  planRegisters,
  type RegisterPlan,
  type Registers,
  reads,
  unseenWrites,
  writes,
} from './registers.ts';
import {
  components,
  type Graph,
  graphOf,
  isCycle,
  makeReducible,
  reversePostorder,
  structure,
} from './structure.ts';
import { Code, Op, Type } from './wasm-writer.ts';

/** What the module around gives to a region. */
export interface ModuleScope {
  helper(name: string, parameters: readonly ValueType[], result: ValueType | undefined): number;
  readonly fflags: number;
  /** Index of the type of regions. */
  readonly regionType: number;
}

export interface EmittedRegion {
  readonly body: Code;
  /** Page offset and node number of each entry. */
  readonly entries: ReadonlyMap<number, number>;
}

const ENTRY = 0;
const BASE = 1;
const N = 2;
const TLB = 3;
const SLOT = 4;
const SITE = 5;
const MODE = 6;
const I32_TEMP = 7;
const ADDRESS = 8;
const VALUE = 9;
const TARGET = 10;
const I64_TEMP = 11;
const FIRST_REGISTER = 12;

const HART = hartBase(0);
const at = (name: Parameters<typeof hartOffset>[0]): number => HART + hartOffset(name);
const FS_BYTE = at('mstatus') + 1;
const FS_BITS = 0x60;

const LOADS: Readonly<Record<LoadKind, readonly [opcode: number, size: number]>> = {
  i8: [Op.i64_load8_s, 1],
  u8: [Op.i64_load8_u, 1],
  i16: [Op.i64_load16_s, 2],
  u16: [Op.i64_load16_u, 2],
  i32: [Op.i64_load32_s, 4],
  u32: [Op.i64_load32_u, 4],
  i64: [Op.i64_load, 8],
  f32: [Op.i64_load32_u, 4],
  f64: [Op.i64_load, 8],
};
const STORES: Readonly<Record<StoreSize, number>> = {
  1: Op.i64_store8,
  2: Op.i64_store16,
  4: Op.i64_store32,
  8: Op.i64_store,
};
const EXTENSIONS: Partial<Record<LoadKind, number>> = {
  i8: Op.i64_extend8_s,
  i16: Op.i64_extend16_s,
  i32: Op.i64_extend32_s,
};
const PAGE_MASK = -4096n;
const NAN_BOX = -0x1_0000_0000n;

/** Actions that leave rd in memory themselves. */
const WRITES_ITSELF: ReadonlySet<string> = new Set(['atomic', 'system']);
/** What a system helper returns when the next instruction is the interpreter's (wasm/events.ts). */
const NEXT_OUTER = 1;

const isFloat = (instruction: RegionInstruction): boolean =>
  instruction.row.extension === 'f' ||
  instruction.row.extension === 'd' ||
  instruction.row.float.size > 0;

/** Emits `region`, whose entries are the blocks that say so. */
export function emitRegion(region: Region, module: ModuleScope): EmittedRegion {
  return new RegionEmitter(region, module).emit();
}

class RegionEmitter {
  readonly #code = new Code();
  readonly #blocks: readonly Block[];
  readonly #node = new Map<number, number>();
  readonly #graph: Graph;
  /** Locals of guest registers. */
  readonly #x = new Map<number, number>();
  readonly #f = new Map<number, number>();
  readonly #plan: RegisterPlan;
  /** Of the code being written: the loop that it is in, and what is cached outside of one. */
  #loop: Loop | undefined;
  #cached: Registers = { x: 0, f: 0 };
  /** Open labels, innermost last: a node, or a name of the frame's own. */
  readonly #labels: (number | string)[] = [];
  readonly #region: Region;
  readonly #module: ModuleScope;

  constructor(region: Region, module: ModuleScope) {
    this.#region = region;
    this.#module = module;
    this.#blocks = [...region.blocks.values()];
    for (const [i, block] of this.#blocks.entries()) this.#node.set(block.start, i + 1);
    const entries = this.#blocks.filter((block) => block.entry);
    this.#graph = graphOf([
      entries.map((block) => this.#nodeAt(block.start)),
      ...this.#blocks.map((block) =>
        successors(region, block).map((offset) => this.#nodeAt(offset)),
      ),
    ]);
    if (entries.length > 1) this.#graph.dispatchers.add(0);
    makeReducible(this.#graph);
    const order = reversePostorder(this.#graph);
    const cycles = components(this.#graph, new Set(order)).filter((c) => isCycle(this.#graph, c));
    this.#plan = planRegisters(this.#graph, order, cycles, (node) => this.#blockOf(node));
    this.#needs = this.#budgetNeeds();
  }

  /** For nodes that check the budget: instructions until the next such node, at most. */
  readonly #needs: ReadonlyMap<number, number>;

  #nodeAt(offset: number): number {
    return this.#node.get(offset) ?? 0;
  }

  #blockOf(node: number): Block | undefined {
    return node > 0 ? this.#blocks[node - 1] : undefined;
  }

  /** Blocks that check the budget: entries, and targets of any edge that goes back in address. */
  #budgetNeeds(): Map<number, number> {
    const checks = new Set<number>();
    for (const block of this.#blocks) {
      if (block.entry) checks.add(block.start);
      for (const offset of successors(this.#region, block)) {
        if (offset <= block.start) checks.add(offset);
      }
    }
    // Every cycle has an edge back in address: the rest is without cycles, from the end on.
    const longest = new Map<number, number>();
    for (const block of [...this.#blocks].reverse()) {
      const after = successors(this.#region, block).map((offset) =>
        checks.has(offset) ? 0 : (longest.get(offset) ?? 0),
      );
      longest.set(block.start, block.instructions.length + Math.max(0, ...after));
    }
    return new Map([...checks].map((start) => [this.#nodeAt(start), longest.get(start) ?? 0]));
  }

  emit(): EmittedRegion {
    const code = this.#code;
    this.#collectRegisters();
    this.#open(Op.block, 'out');
    this.#open(Op.block, 'event');
    structure(this.#graph, {
      loop: (node) => this.#openLoop(node),
      block: (node) => this.#open(Op.block, node),
      end: () => this.#closeLoop(),
      node: (node, go) => this.#emitNode(node, go),
      branch: (node) => code.br(this.#depth(node)),
    });
    code.op(Op.unreachable);
    this.#close();
    this.#emitEvent();
    this.#close();
    this.#emitWayOut();
    const locals = [
      [6, Type.i32],
      [4 + this.#x.size + this.#f.size, Type.i64],
    ] as const;
    const prologue = new Code().u32(locals.length);
    for (const [count, type] of locals) prologue.u32(count).byte(type);
    prologue.i32(0).memory(Op.i32_load, at('budget')).set(N);
    prologue.i32(0).memory(Op.i32_load, at('data_tlb')).set(TLB);
    prologue.append(code).op(Op.end);
    const entries = this.#blocks.filter((block) => block.entry);
    return {
      body: prologue,
      entries: new Map(entries.map((block) => [block.start, this.#nodeAt(block.start)])),
    };
  }

  #open(opcode: number, label: number | string): void {
    this.#code.op(opcode, Type.void);
    this.#labels.push(label);
  }

  #close(): void {
    this.#code.op(Op.end);
    this.#labels.pop();
  }

  #openLoop(node: number): void {
    const loop = this.#plan.loops.get(node);
    if (loop?.header === node && this.#loop !== loop) {
      const cached = this.#plan.cached(node);
      this.#load({ x: loop.used.x & ~cached.x, f: loop.used.f & ~cached.f });
      // What leaves the function from inside comes by here.
      this.#open(Op.block, 'loop out');
      this.#open(Op.block, 'loop event');
      this.#loop = loop;
    }
    this.#open(Op.loop, node);
  }

  /** Closes a label; with an outermost loop, writes back for those that leave from inside it. */
  #closeLoop(): void {
    const label = this.#labels.at(-1);
    this.#close();
    const loop = this.#loop;
    if (!loop || label !== loop.header || this.#labels.at(-1) !== 'loop event') return;
    this.#code.op(Op.unreachable);
    this.#close();
    this.#store(loop.written);
    this.#code.br(this.#depth('event'));
    this.#close();
    this.#store(loop.written);
    this.#code.br(this.#depth('out'));
    this.#loop = undefined;
  }

  /** Reads registers into their locals. */
  #load(registers: Registers): void {
    const code = this.#code;
    for (const x of members(registers.x)) {
      code
        .i32(0)
        .memory(Op.i64_load, HART + hartOffset('x', x))
        .set(this.#x.get(x) ?? 0);
    }
    for (const f of members(registers.f)) {
      code
        .i32(0)
        .memory(Op.i64_load, HART + hartOffset('f', f))
        .set(this.#f.get(f) ?? 0);
    }
  }

  #store(registers: Registers): void {
    const code = this.#code;
    for (const x of members(registers.x)) {
      code
        .i32(0)
        .get(this.#x.get(x) ?? 0)
        .memory(Op.i64_store, HART + hartOffset('x', x));
    }
    for (const f of members(registers.f)) {
      code
        .i32(0)
        .get(this.#f.get(f) ?? 0)
        .memory(Op.i64_store, HART + hartOffset('f', f));
    }
  }

  /** Labels for leaving the function from here. */
  get #out(): number {
    return this.#depth(this.#loop ? 'loop out' : 'out');
  }

  get #event(): number {
    return this.#depth(this.#loop ? 'loop event' : 'event');
  }

  #depth(label: number | string): number {
    const index = this.#labels.lastIndexOf(label);
    if (index < 0) throw new Error(`Translator: label ${label} is not open.`);
    return this.#labels.length - 1 - index;
  }

  #collectRegisters(): void {
    const xs = new Set<number>();
    const fs = new Set<number>();
    for (const block of this.#blocks) {
      for (const { row, operands } of block.instructions) {
        const { float } = row;
        for (const name of ['rd', 'rs1', 'rs2', 'rs3'] as const) {
          const register = operands[name];
          if (register === undefined) continue;
          if (float.has(name)) fs.add(register);
          else if (register !== 0) xs.add(register);
        }
      }
    }
    let local = FIRST_REGISTER;
    for (const register of [...xs].sort((a, b) => a - b)) this.#x.set(register, local++);
    for (const register of [...fs].sort((a, b) => a - b)) this.#f.set(register, local++);
  }

  /** Goes from `from` to `to`, through dispatchers where the graph says so. */
  #go(from: number, to: number, go: (to: number) => void): void {
    const via = this.#graph.via.get(`${from}>${to}`);
    if (via !== undefined) this.#code.i32(to).set(ENTRY);
    const loop = this.#loop;
    const leaves = loop && this.#plan.loops.get(via ?? to) !== loop;
    if (leaves) {
      this.#store(loop.written);
      this.#loop = undefined;
    }
    const cached = this.#cached;
    go(via ?? to);
    this.#cached = cached;
    this.#loop = loop;
  }

  #emitNode(node: number, go: (to: number) => void): void {
    if (this.#graph.dispatchers.has(node)) {
      this.#emitDispatch(node);
      return;
    }
    const block = this.#blockOf(node);
    if (!block) {
      // The only entry.
      const [only] = this.#graph.successors[0] ?? [];
      this.#go(0, only ?? 0, go);
      return;
    }
    this.#cached = { ...this.#plan.cached(node) };
    this.#emitBlock(node, block, go);
  }

  /** br_table by node number: from here each node is reached directly or by a further dispatcher. */
  #emitDispatch(node: number): void {
    const code = this.#code;
    const targets = this.#graph.successors[node] ?? [];
    const reach = new Map<number, number>();
    for (const target of targets) reach.set(target, target);
    for (const [edge, via] of this.#graph.via) {
      const [from, to] = edge.split('>').map(Number);
      if (from === node && to !== undefined) reach.set(to, via);
    }
    const most = Math.max(...reach.keys());
    const fallback = this.#depth(targets[0] ?? 0);
    code
      .get(ENTRY)
      .op(Op.br_table)
      .u32(most + 1);
    for (let value = 0; value <= most; value++) {
      const target = reach.get(value);
      code.u32(target === undefined ? fallback : this.#depth(target));
    }
    code.u32(fallback);
  }

  #emitBlock(node: number, block: Block, go: (to: number) => void): void {
    const code = this.#code;
    const count = block.instructions.length;
    const need = this.#needs.get(node);
    if (need !== undefined && need > 0) {
      code.get(N).i32(need).op(Op.i32_lt_s, Op.if, Type.void);
      this.#labels.push('if');
      this.#leave(block.start);
      this.#close();
    }
    if (block.instructions.some(isFloat)) {
      code.i32(0).memory(Op.i32_load8_u, FS_BYTE).i32(FS_BITS).op(Op.i32_and, Op.i32_eqz);
      code.op(Op.if, Type.void);
      this.#labels.push('if');
      this.#leave(block.start);
      this.#close();
    }
    // Not earlier: an instruction before it may fault.
    const dirtying = block.instructions.find(writesFloatState);
    if (count > 0) code.get(N).i32(count).op(Op.i32_sub).set(N);
    const unseen = unseenWrites(block);
    block.instructions.forEach((instruction, i) => {
      if (!this.#loop) {
        const { x, f } = reads(instruction);
        this.#load({ x: x & ~this.#cached.x, f: f & ~this.#cached.f });
        this.#cached = { x: this.#cached.x | x, f: this.#cached.f | f };
      }
      this.#emitInstruction(instruction, count - i);
      if (!this.#loop) {
        const written = writes(instruction);
        if (!unseen.has(instruction) && !WRITES_ITSELF.has(instruction.row.action.kind)) {
          this.#store(written);
        }
        this.#cached = { x: this.#cached.x | written.x, f: this.#cached.f | written.f };
      }
      if (instruction === dirtying) {
        code.i32(0).i32(0).memory(Op.i32_load8_u, FS_BYTE).i32(FS_BITS).op(Op.i32_or);
        code.memory(Op.i32_store8, FS_BYTE);
      }
    });
    this.#emitEnd(node, block, go);
  }

  /** Ends the function at a page offset; nothing goes on by itself from there. */
  #leave(offset: number): void {
    this.#code.get(BASE).i64(BigInt(offset)).op(Op.i64_add).set(TARGET);
    this.#code.i32(0).set(SLOT).br(this.#out);
  }

  /** Ends the function at the address in TARGET, which may have translated code. */
  #link(): void {
    this.#code.i32(1).set(SLOT).br(this.#out);
  }

  #emitEnd(node: number, block: Block, go: (to: number) => void): void {
    const code = this.#code;
    const inside = successors(this.#region, block);
    const to = (offset: number): void => {
      if (inside.includes(offset)) {
        this.#go(node, this.#nodeAt(offset), go);
        return;
      }
      code.get(BASE).i64(BigInt(offset)).op(Op.i64_add).set(TARGET);
      this.#link();
    };
    const { end } = block;
    switch (end.kind) {
      case 'branch': {
        const last = block.instructions.at(-1);
        if (last?.row.action.kind !== 'branch') throw new Error('Translator: no branch here.');
        emitExpression(last.row.action.condition, this.#scope(last));
        code.op(Op.if, Type.void);
        this.#labels.push('if');
        to(end.taken);
        this.#close();
        to(end.next);
        return;
      }
      case 'goto':
        to(end.target);
        return;
      case 'indirect':
        this.#link();
        return;
      case 'leave':
        if (end.at >= 4096) {
          code.get(BASE).i64(BigInt(end.at)).op(Op.i64_add).set(TARGET);
          this.#link();
        } else this.#leave(end.at);
    }
  }

  #scope(instruction: RegionInstruction): Scope {
    const local = (map: Map<number, number>, register: number): number => {
      const found = map.get(register);
      if (found === undefined) throw new Error('Translator: a register without a local.');
      return found;
    };
    return {
      code: this.#code,
      operands: instruction.operands,
      offset: instruction.offset,
      next: instruction.offset + instruction.length,
      base: BASE,
      mode: MODE,
      i64Temp: I64_TEMP,
      i32Temp: I32_TEMP,
      x: (register) => local(this.#x, register),
      f: (register) => local(this.#f, register),
      helper: (name, parameters, result) => this.#module.helper(name, parameters, result),
      fflags: this.#module.fflags,
    };
  }

  /** `left`: instructions of the block from this one on, to be given back at a fault. */
  #emitInstruction(instruction: RegionInstruction, left: number): void {
    const code = this.#code;
    const scope = this.#scope(instruction);
    const { operands, row } = instruction;
    if (operands.rm === 7) {
      code.i32(this.#siteOf(instruction, left + 1, 0)).set(SITE);
      code.i32(0).memory(Op.i32_load, at('frm')).tee(MODE).i32(4).op(Op.i32_gt_u);
      code.brIf(this.#event);
    }
    const { action } = row;
    switch (action.kind) {
      case 'setX':
        if ((operands.rd ?? 0) === 0) {
          if (action.value.kind !== 'call') return;
          emitExpression(action.value, scope);
          code.op(Op.drop);
          return;
        }
        emitExpression(action.value, scope);
        code.set(scope.x(operands.rd ?? 0));
        return;
      case 'setF':
        emitExpression(action.value, scope);
        if (action.width === 32) code.op(Op.i64_extend_i32_u).i64(NAN_BOX).op(Op.i64_or);
        code.set(scope.f(operands.rd ?? 0));
        return;
      case 'load':
        this.#emitLoad(action, instruction, left, scope);
        return;
      case 'store':
        this.#emitStore(action, instruction, left, scope);
        return;
      case 'jump':
        emitExpression(action.target, scope);
        code.set(TARGET);
        if (operands.rd) {
          code.get(BASE).i64(BigInt(scope.next)).op(Op.i64_add).set(scope.x(operands.rd));
        }
        return;
      case 'system':
        this.#emitSystem(action.helper, instruction, left);
        return;
      case 'atomic':
        code.i32(HART);
        emitExpression({ kind: 'x', type: 'i64', operand: 'rs1' }, scope);
        emitExpression({ kind: 'x', type: 'i64', operand: 'rs2' }, scope);
        code.call(this.#module.helper(action.helper, ['i32', 'i64', 'i64'], 'i64')).set(VALUE);
        code.i32(this.#siteOf(instruction, left)).set(SITE);
        code.i32(0).memory(Op.i32_load, at('fault')).brIf(this.#event);
        if (operands.rd) code.get(VALUE).set(scope.x(operands.rd));
        // It is done when the event is looked at.
        if (!this.#loop) this.#store(writes(instruction));
        code.i32(0).memory(Op.i32_load, at('event')).brIf(this.#event);
        return;
    }
  }

  /**
   * Calls the core's helper of a system instruction, which finds and leaves registers in memory.
   * Where it does not simply go on with the next instruction, the interpreter looks.
   */
  #emitSystem(helper: string, instruction: RegionInstruction, left: number): void {
    const code = this.#code;
    const { operands, offset, length } = instruction;
    const rd = operands.rd ?? 0;
    const rs1 = operands.rs1 ?? 0;
    if (this.#loop) {
      const { x } = this.#loop.written;
      this.#store({ x: x & ((1 << rd) | (1 << rs1)), f: 0 });
    }
    code.i32(0).get(BASE).i64(BigInt(offset)).op(Op.i64_add).memory(Op.i64_store, at('pc'));
    code
      .i32(HART)
      .i32((rd << 9) | (rs1 << 15))
      .i32(operands.imm ?? 0);
    code.call(this.#module.helper(`sys_${helper}`, ['i32', 'i32', 'i32'], 'i32')).set(I32_TEMP);
    if (rd !== 0) this.#load({ x: 1 << rd, f: 0 });
    code.get(I32_TEMP).op(Op.if, Type.void);
    this.#labels.push('if');
    code.i32(0).i32(1).memory(Op.i32_store, at('event'));
    code.get(I32_TEMP).i32(NEXT_OUTER).op(Op.i32_eq, Op.if, Type.void);
    code
      .get(BASE)
      .i64(BigInt(offset + length))
      .op(Op.i64_add)
      .set(TARGET);
    code
      .get(N)
      .i32(left - 1)
      .op(Op.i32_add)
      .set(N);
    code.op(Op.else);
    code.i32(0).memory(Op.i64_load, at('pc')).set(TARGET);
    code.get(N).i32(left).op(Op.i32_add).set(N);
    code.op(Op.end);
    code.i32(0).set(SLOT).br(this.#out);
    this.#close();
  }

  /** An instruction for `#emitEvent`: page offset, instructions to give back, length. */
  #siteOf({ offset, length }: RegionInstruction, left: number, step: number = length): number {
    return offset | (left << 12) | (step << 24);
  }

  /** Leaves on the stack whether the TLB maps ADDRESS for an aligned access of this size. */
  #emitTlbTest(size: number, tlb: number): void {
    const code = this.#code;
    code.get(ADDRESS).i64(8n).op(Op.i64_shr_u, Op.i32_wrap_i64).i32(TLB_INDEX).op(Op.i32_and);
    code.get(TLB).op(Op.i32_add).tee(SLOT).memory(Op.i64_load, tlb);
    code
      .get(ADDRESS)
      .i64(PAGE_MASK | BigInt(size - 1))
      .op(Op.i64_and, Op.i64_eq);
  }

  /** The offset in the memory, after a TLB test that held. */
  #emitHostAddress(tlb: number): void {
    this.#code.get(SLOT).memory(Op.i32_load, tlb + 8);
    this.#code.get(ADDRESS).op(Op.i32_wrap_i64, Op.i32_add);
  }

  #emitLoad(
    action: Extract<Action, { kind: 'load' }>,
    instruction: RegionInstruction,
    left: number,
    scope: Scope,
  ): void {
    const code = this.#code;
    const [opcode, size] = LOADS[action.load];
    const float = action.load === 'f32' || action.load === 'f64';
    emitExpression(action.address, scope);
    code.set(ADDRESS);
    this.#emitTlbTest(size, 0);
    code.op(Op.if, Type.i64);
    this.#labels.push('if');
    this.#emitHostAddress(0);
    code.memory(opcode, 0).op(Op.else);
    code.i32(this.#siteOf(instruction, left)).set(SITE);
    code.i32(HART).get(ADDRESS).i32(size);
    code.call(this.#module.helper('loadSlow', ['i32', 'i64', 'i32'], 'i64'));
    const extension = EXTENSIONS[action.load];
    if (extension !== undefined) code.op(extension);
    code.i32(0).memory(Op.i32_load, at('fault')).brIf(this.#event);
    this.#close();
    const rd = instruction.operands.rd ?? 0;
    if (action.load === 'f32') code.i64(NAN_BOX).op(Op.i64_or);
    if (float) code.set(scope.f(rd));
    else if (rd === 0) code.op(Op.drop);
    else code.set(scope.x(rd));
  }

  #emitStore(
    action: Extract<Action, { kind: 'store' }>,
    instruction: RegionInstruction,
    left: number,
    scope: Scope,
  ): void {
    const code = this.#code;
    emitExpression(action.address, scope);
    code.set(ADDRESS);
    this.#emitTlbTest(action.size, TLB_WRITE);
    code.op(Op.if, Type.void);
    this.#labels.push('if');
    this.#emitHostAddress(TLB_WRITE);
    emitExpression(action.value, scope);
    code.memory(STORES[action.size], 0).op(Op.else);
    code.i32(this.#siteOf(instruction, left)).set(SITE);
    code.i32(HART).get(ADDRESS).i32(action.size);
    emitExpression(action.value, scope);
    code.call(this.#module.helper('storeSlow', ['i32', 'i64', 'i32', 'i64'], undefined));
    code.i32(0).memory(Op.i32_load, at('event')).brIf(this.#event);
    this.#close();
  }

  /** Something happened at the instruction in SITE: a fault, or what the outer loop must see. */
  #emitEvent(): void {
    const code = this.#code;
    code.get(BASE).get(SITE).i32(0xfff).op(Op.i32_and, Op.i64_extend_i32_u, Op.i64_add).set(TARGET);
    code.get(N).get(SITE).i32(12).op(Op.i32_shr_u).i32(0xfff).op(Op.i32_and, Op.i32_add).set(N);
    code.i32(0).memory(Op.i32_load, at('fault')).op(Op.i32_eqz, Op.if, Type.void);
    // It was done: it counts, and the next one is to come.
    code.get(TARGET).get(SITE).i32(24).op(Op.i32_shr_u, Op.i64_extend_i32_u, Op.i64_add);
    code.set(TARGET).get(N).i32(1).op(Op.i32_sub).set(N).op(Op.end);
    code.i32(0).set(SLOT);
  }

  #emitWayOut(): void {
    const code = this.#code;
    code.i32(0).get(N).memory(Op.i32_store, at('budget'));
    // Linked: through the fetch TLB to the decode page, whose slot says where translated code is.
    code.get(SLOT).op(Op.if, Type.void);
    code.get(TARGET).i64(8n).op(Op.i64_shr_u, Op.i32_wrap_i64).i32(TLB_INDEX).op(Op.i32_and);
    code
      .i32(0)
      .memory(Op.i32_load, at('fetch_tlb'))
      .op(Op.i32_add)
      .tee(SLOT)
      .memory(Op.i64_load, 0);
    code.get(TARGET).i64(PAGE_MASK).op(Op.i64_and).tee(I64_TEMP).op(Op.i64_eq, Op.if, Type.void);
    code.get(SLOT).memory(Op.i32_load, 8);
    code
      .get(TARGET)
      .op(Op.i32_wrap_i64)
      .i32(0xfff)
      .op(Op.i32_and)
      .i32(2)
      .op(Op.i32_shl, Op.i32_add);
    code.tee(SLOT).memory(Op.i32_load, 0).i32(0x1ff).op(Op.i32_and);
    code.i32(OperationCode.Translated).op(Op.i32_eq, Op.if, Type.void);
    code.get(SLOT).memory(Op.i32_load, 4).tee(SITE).i32(0xff).op(Op.i32_and).get(I64_TEMP);
    code.get(SITE).i32(8).op(Op.i32_shr_u);
    code.op(Op.return_call_indirect).u32(this.#module.regionType).u32(0);
    code.op(Op.end, Op.end, Op.end);
    code.i32(0).get(TARGET).memory(Op.i64_store, at('pc'));
  }
}

function writesFloatState({ row }: RegionInstruction): boolean {
  const { action } = row;
  return action.kind === 'setF' || (action.kind === 'load' && row.float.has('rd'));
}
