/**
 * Where the guest's registers live in a region. Outside loops a local only caches what memory
 * holds: read on first use, written through at once, so entering and leaving costs nothing. Inside
 * a loop all registers that it names are locals, read before the loop and written back when it is
 * left. Which registers a block finds cached is a forward analysis over the graph.
 */
import type { Block, RegionInstruction } from './region.ts';
import type { Graph } from './structure.ts';

/** Sets of registers: bit n is xn, fn. x0 is in no set. */
export interface Registers {
  x: number;
  f: number;
}

const NONE: Readonly<Registers> = { x: 0, f: 0 };

export function union(a: Registers, b: Registers): Registers {
  return { x: a.x | b.x, f: a.f | b.f };
}

/** The registers of `a` that are not in `b`. */
export function without(a: Registers, b: Registers): Registers {
  return { x: a.x & ~b.x, f: a.f & ~b.f };
}

const intersection = (a: Registers, b: Registers): Registers => ({ x: a.x & b.x, f: a.f & b.f });

/** The numbers in a set. */
export function* members(set: number): Generator<number> {
  for (let rest = set; rest !== 0; rest &= rest - 1) yield 31 - Math.clz32(rest & -rest);
}

function add(set: Registers, register: number | undefined, float: boolean): void {
  if (register === undefined) return;
  if (float) set.f |= 1 << register;
  else if (register !== 0) set.x |= 1 << register;
}

/** Registers that an instruction reads. */
export function reads({ row, operands }: RegionInstruction): Registers {
  const set = { x: 0, f: 0 };
  for (const name of ['rs1', 'rs2', 'rs3'] as const) {
    add(set, operands[name], row.float.has(name));
  }
  return set;
}

/** The register that an instruction writes. */
export function writes({ row, operands }: RegionInstruction): Registers {
  const set = { x: 0, f: 0 };
  add(set, operands.rd, row.float.has('rd'));
  return set;
}

/** May end the block early, so that memory must hold every register. */
function observes({ row, operands }: RegionInstruction): boolean {
  const { kind } = row.action;
  return (
    kind === 'load' ||
    kind === 'store' ||
    kind === 'atomic' ||
    kind === 'system' ||
    operands.rm === 7
  );
}

/** Instructions whose result a later one of the block replaces before anything can see it. */
export function unseenWrites(block: Block): ReadonlySet<RegionInstruction> {
  const unseen = new Set<RegionInstruction>();
  let replaced: Registers = { x: 0, f: 0 };
  for (let i = block.instructions.length - 1; i >= 0; i--) {
    const instruction = block.instructions[i];
    if (!instruction) break;
    const written = writes(instruction);
    if (((written.x & replaced.x) | (written.f & replaced.f)) !== 0) unseen.add(instruction);
    // A load's own result is written after it can no longer fault.
    replaced = observes(instruction) ? { x: 0, f: 0 } : union(replaced, written);
  }
  return unseen;
}

/** An outermost cycle of the graph. */
export interface Loop {
  /** The node at which it is entered. */
  readonly header: number;
  readonly used: Registers;
  readonly written: Registers;
}

export interface RegisterPlan {
  /** The loop that a node is part of. */
  readonly loops: ReadonlyMap<number, Loop>;
  /** Cached at the beginning of a node outside loops, or before a loop, by its header. */
  cached(node: number): Readonly<Registers>;
}

/**
 * Plans a reducible graph. `order`: nodes in reverse postorder; `components`: its cycles, outermost
 * ones only; `blockOf`: the block of a node, undefined for dispatchers.
 */
export function planRegisters(
  graph: Graph,
  order: readonly number[],
  components: readonly (readonly number[])[],
  blockOf: (node: number) => Block | undefined,
): RegisterPlan {
  const position = new Map(order.map((node, i) => [node, i]));
  const loops = new Map<number, Loop>();
  for (const component of components) {
    const header = component.reduce((a, b) =>
      (position.get(a) ?? 0) <= (position.get(b) ?? 0) ? a : b,
    );
    let used: Registers = NONE;
    let written: Registers = NONE;
    for (const node of component) {
      for (const instruction of blockOf(node)?.instructions ?? []) {
        const target = writes(instruction);
        used = union(used, union(reads(instruction), target));
        written = union(written, target);
      }
    }
    const loop = { header, used, written };
    for (const node of component) loops.set(node, loop);
  }
  // What is cached at the end of each node; a loop's nodes share one answer.
  const before = new Map<number, Registers>();
  const after = new Map<number, Registers>();
  const arrive = (to: number, registers: Registers): void => {
    const at = loops.get(to)?.header ?? to;
    const known = before.get(at);
    before.set(at, known ? intersection(known, registers) : registers);
  };
  arrive(order[0] ?? 0, NONE);
  for (const node of order) {
    const loop = loops.get(node);
    let registers = before.get(loop?.header ?? node) ?? NONE;
    if (loop) registers = union(registers, loop.used);
    else {
      for (const instruction of blockOf(node)?.instructions ?? []) {
        registers = union(registers, union(reads(instruction), writes(instruction)));
      }
    }
    after.set(node, registers);
    for (const to of graph.successors[node] ?? []) {
      if (loop && loops.get(to) === loop) continue;
      arrive(to, registers);
    }
  }
  return { loops, cached: (node) => before.get(node) ?? NONE };
}
