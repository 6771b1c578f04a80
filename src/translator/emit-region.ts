/**
 * Emits one region as one WebAssembly function `(entry: i32, base: i64) → ()`.
 *
 * `entry` is the number of the node to begin at, `base` the guest-virtual address of the page. Where
 * the guest's registers live says `registers.ts`. `n` counts down the instructions that may still
 * run, as in the interpreter; a block with an entry or a back-edge is begun only when all until the
 * next such block fits in, so budgets and instret are exact, and interrupts are met where the
 * interpreter meets them (LOOK_INTERVAL in src/core/layout.ts bounds how late). The way out stores
 * pc, or goes on with a tail call where the address has translated code and the engine can. At a
 * fault the hart's state is that of the interpreter.
 */
import { TLB_INDEX } from '../core/layout.ts';
import { OperationCode } from '../isa/table.ts';
import { emitExpression } from './emit-expression.ts';
import { emitEvent, emitInstruction, scopeOf } from './emit-instruction.ts';
import {
  at,
  type CodeNotes,
  Frame,
  I32_LOCALS,
  I64_LOCALS,
  Local,
  type ModuleScope,
} from './frame.ts';
import { type Block, type Region, type RegionInstruction, successors } from './region.ts';
import {
  planRegisters,
  type RegisterPlan,
  type Registers,
  reads,
  union,
  unseenWrites,
  without,
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

export interface EmittedRegion {
  readonly body: Code;
  /** Page offset and node number of each entry. */
  readonly entries: ReadonlyMap<number, number>;
  /** For the text of it; `codeAt`: where in the body the positions begin. */
  readonly notes: CodeNotes & { readonly codeAt: number };
}

const FS_BYTE = at('mstatus') + 1;
const FS_BITS = 0x60;
const PAGE_MASK = -4096n;

/** Actions that leave rd in memory themselves. */
const WRITES_ITSELF: ReadonlySet<string> = new Set(['atomic', 'system']);
const isFloat = (instruction: RegionInstruction): boolean =>
  instruction.row.extension === 'f' ||
  instruction.row.extension === 'd' ||
  instruction.row.float.size > 0;

/** Emits `region`, whose entries are the blocks that say so. */
export function emitRegion(region: Region, module: ModuleScope): EmittedRegion {
  return new RegionEmitter(region, module).emit();
}

class RegionEmitter {
  readonly #frame: Frame;
  readonly #blocks: readonly Block[];
  readonly #node = new Map<number, number>();
  readonly #graph: Graph;
  readonly #plan: RegisterPlan;
  readonly #region: Region;

  constructor(region: Region, module: ModuleScope) {
    this.#region = region;
    this.#blocks = [...region.blocks.values()];
    this.#frame = new Frame(module, registersOf(this.#blocks));
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
    const { code } = this.#frame;
    this.#frame.open(Op.block, 'out');
    this.#frame.open(Op.block, 'event');
    structure(this.#graph, {
      loop: (node) => this.#openLoop(node),
      block: (node) => this.#frame.open(Op.block, node),
      end: () => this.#closeLoop(),
      node: (node, go) => this.#emitNode(node, go),
      branch: (node) => code.br(this.#frame.depth(node)),
    });
    code.op(Op.unreachable);
    this.#frame.close();
    emitEvent(this.#frame);
    this.#frame.close();
    this.#emitWayOut();
    const locals = [
      [I32_LOCALS, Type.i32],
      [I64_LOCALS + this.#frame.registers, Type.i64],
    ] as const;
    const prologue = new Code().u32(locals.length);
    for (const [count, type] of locals) prologue.u32(count).byte(type);
    prologue.i32(0).memory(Op.i32_load, at('budget')).set(Local.n);
    prologue.i32(0).memory(Op.i32_load, at('data_tlb')).set(Local.tlb);
    const codeAt = prologue.length;
    prologue.append(code).op(Op.end);
    const entries = this.#blocks.filter((block) => block.entry);
    return {
      body: prologue,
      entries: new Map(entries.map((block) => [block.start, this.#nodeAt(block.start)])),
      notes: { ...this.#frame.notes, codeAt },
    };
  }

  #openLoop(node: number): void {
    const loop = this.#plan.loops.get(node);
    if (loop?.header === node) {
      const cached = this.#plan.cached(node);
      this.#frame.load(without(loop.used, cached));
      // What leaves the function from inside comes by here.
      this.#frame.open(Op.block, 'loop out');
      this.#frame.open(Op.block, 'loop event');
    }
    this.#frame.open(Op.loop, node);
  }

  /** Closes a label; with an outermost loop, writes back for those that leave from inside it. */
  #closeLoop(): void {
    const label = this.#frame.innermost;
    this.#frame.close();
    const loop = typeof label === 'number' ? this.#plan.loops.get(label) : undefined;
    if (!loop || label !== loop.header || this.#frame.innermost !== 'loop event') return;
    this.#frame.code.op(Op.unreachable);
    this.#frame.close();
    this.#frame.store(loop.written);
    this.#frame.code.br(this.#frame.depth('event'));
    this.#frame.close();
    this.#frame.store(loop.written);
    this.#frame.code.br(this.#frame.depth('out'));
  }

  /** Goes from `from` to `to`, through dispatchers where the graph says so. */
  #go(from: number, to: number, go: (to: number) => void): void {
    const via = this.#graph.via.get(`${from}>${to}`);
    if (via !== undefined) this.#frame.code.i32(to).set(Local.entry);
    const loop = this.#frame.loop;
    const leaves = loop && this.#plan.loops.get(via ?? to) !== loop;
    if (leaves) this.#frame.store(loop.written);
    go(via ?? to);
  }

  /** What surrounds a node in the text may be a loop that it is no part of: its own plan counts. */
  #emitNode(node: number, go: (to: number) => void): void {
    const { loop, cached } = this.#frame;
    this.#frame.loop = this.#plan.loops.get(node);
    this.#frame.cached = this.#plan.cached(node);
    this.#emitContent(node, go);
    this.#frame.loop = loop;
    this.#frame.cached = cached;
  }

  #emitContent(node: number, go: (to: number) => void): void {
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
    this.#emitBlock(node, block, go);
  }

  /** br_table by node number: from here each node is reached directly or by a further dispatcher. */
  #emitDispatch(node: number): void {
    const { code } = this.#frame;
    const targets = this.#graph.successors[node] ?? [];
    const reach = new Map<number, number>();
    for (const target of targets) reach.set(target, target);
    for (const [edge, via] of this.#graph.via) {
      const [from, to] = edge.split('>').map(Number);
      if (from === node && to !== undefined) reach.set(to, via);
    }
    const most = Math.max(...reach.keys());
    const fallback = this.#frame.depth(targets[0] ?? 0);
    code
      .get(Local.entry)
      .op(Op.br_table)
      .u32(most + 1);
    for (let value = 0; value <= most; value++) {
      const target = reach.get(value);
      code.u32(target === undefined ? fallback : this.#frame.depth(target));
    }
    code.u32(fallback);
  }

  #emitBlock(node: number, block: Block, go: (to: number) => void): void {
    const { code } = this.#frame;
    const count = block.instructions.length;
    const need = this.#needs.get(node);
    if (need !== undefined && need > 0) {
      code.get(Local.n).i32(need).op(Op.i32_lt_s);
      this.#frame.open(Op.if, 'if');
      this.#frame.leave(block.start);
      this.#frame.close();
    }
    if (block.instructions.some(isFloat)) {
      code.i32(0).memory(Op.i32_load8_u, FS_BYTE).i32(FS_BITS).op(Op.i32_and, Op.i32_eqz);
      this.#frame.open(Op.if, 'if');
      this.#frame.leave(block.start);
      this.#frame.close();
    }
    // Not earlier: an instruction before it may fault.
    const dirtying = block.instructions.find(writesFloatState);
    if (count > 0) code.get(Local.n).i32(count).op(Op.i32_sub).set(Local.n);
    this.#frame.hostKnown = false;
    const unseen = unseenWrites(block);
    block.instructions.forEach((instruction, i) => {
      if (!this.#frame.loop) {
        const read = reads(instruction);
        this.#frame.load(without(read, this.#frame.cached));
        this.#frame.cached = union(this.#frame.cached, read);
      }
      emitInstruction(this.#frame, instruction, count - i);
      if (!this.#frame.loop) {
        const written = writes(instruction);
        if (!unseen.has(instruction) && !WRITES_ITSELF.has(instruction.row.action.kind)) {
          this.#frame.store(written);
        }
        this.#frame.cached = union(this.#frame.cached, written);
      }
      if (instruction === dirtying) {
        code.i32(0).i32(0).memory(Op.i32_load8_u, FS_BYTE).i32(FS_BITS).op(Op.i32_or);
        code.memory(Op.i32_store8, FS_BYTE);
      }
    });
    this.#emitEnd(node, block, go);
  }

  #emitEnd(node: number, block: Block, go: (to: number) => void): void {
    const inside = successors(this.#region, block);
    const to = (offset: number): void => {
      if (inside.includes(offset)) {
        this.#go(node, this.#nodeAt(offset), go);
        return;
      }
      this.#frame.address(offset).set(Local.target);
      this.#frame.link();
    };
    const { end } = block;
    switch (end.kind) {
      case 'branch': {
        // Twice to the same node would be that node's code twice.
        if (end.taken === end.next) {
          to(end.next);
          return;
        }
        const last = block.instructions.at(-1);
        if (last?.row.action.kind !== 'branch') throw new Error('Translator: no branch here.');
        emitExpression(last.row.action.condition, scopeOf(this.#frame, last, 1));
        this.#frame.open(Op.if, 'if');
        to(end.taken);
        this.#frame.close();
        to(end.next);
        return;
      }
      case 'goto':
        to(end.target);
        return;
      case 'indirect':
        this.#frame.link();
        return;
      case 'leave':
        if (end.at >= 4096) {
          this.#frame.address(end.at).set(Local.target);
          this.#frame.link();
        } else this.#frame.leave(end.at);
    }
  }

  #emitWayOut(): void {
    const { code } = this.#frame;
    code.i32(0).get(Local.n).memory(Op.i32_store, at('budget'));
    // Without tail calls the interpreter's loop finds what comes next, and calls it.
    if (this.#frame.module.features.tailCalls) this.#emitLink();
    code.i32(0).get(Local.target).memory(Op.i64_store, at('pc'));
  }

  /** Goes on where the way out is linked: the fetch TLB leads to a decode page, its slot to code. */
  #emitLink(): void {
    const { code } = this.#frame;
    code.get(Local.slot).op(Op.if, Type.void);
    code.get(Local.target).i64(8n).op(Op.i64_shr_u, Op.i32_wrap_i64).i32(TLB_INDEX).op(Op.i32_and);
    code
      .i32(0)
      .memory(Op.i32_load, at('fetch_tlb'))
      .op(Op.i32_add)
      .tee(Local.slot)
      .memory(Op.i64_load, 0);
    code
      .get(Local.target)
      .i64(PAGE_MASK)
      .op(Op.i64_and)
      .tee(Local.i64Temp)
      .op(Op.i64_eq, Op.if, Type.void);
    code.get(Local.slot).memory(Op.i32_load, 8);
    code
      .get(Local.target)
      .op(Op.i32_wrap_i64)
      .i32(0xfff)
      .op(Op.i32_and)
      .i32(2)
      .op(Op.i32_shl, Op.i32_add);
    code.tee(Local.slot).memory(Op.i32_load, 0).i32(0x1ff).op(Op.i32_and);
    code.i32(OperationCode.Translated).op(Op.i32_eq, Op.if, Type.void);
    code
      .get(Local.slot)
      .memory(Op.i32_load, 4)
      .tee(Local.site)
      .i32(0xff)
      .op(Op.i32_and)
      .get(Local.i64Temp);
    code.get(Local.site).i32(8).op(Op.i32_shr_u);
    code.op(Op.return_call_indirect).u32(this.#frame.module.regionType).u32(0);
    code.op(Op.end, Op.end, Op.end);
  }
}

function registersOf(blocks: readonly Block[]): Registers {
  let used: Registers = { x: 0, f: 0 };
  for (const block of blocks) {
    for (const instruction of block.instructions) {
      used = union(used, union(reads(instruction), writes(instruction)));
    }
  }
  return used;
}

function writesFloatState({ row }: RegionInstruction): boolean {
  const { action } = row;
  return action.kind === 'setF' || (action.kind === 'load' && row.float.has('rd'));
}
