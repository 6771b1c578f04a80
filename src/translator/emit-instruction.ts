/**
 * Emits instructions: loads and stores with their TLB test inline, atomics and system instructions
 * as calls of the core's helpers, all else as the table's expressions. Where an instruction does
 * not simply go on, `site` says which it was, and code that a function has once sorts it out.
 */
import { TLB_INDEX, TLB_WRITE } from '../core/layout.ts';
import type { Action, LoadKind, StoreSize } from '../isa/expression.ts';
import { emitExpression } from './emit-expression.ts';
import { asksForMode, emitMode } from './emit-float.ts';
import { at, type Frame, HART, Local } from './frame.ts';
import type { RegionInstruction } from './region.ts';
import { writes } from './registers.ts';
import type { Scope } from './scope.ts';
import { Op, Type } from './wasm-writer.ts';

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

const DYNAMIC = 7;

/** What a system helper returns when the next instruction is the interpreter's (wasm/events.ts). */
const NEXT_OUTER = 1;

/** `left`: instructions of the block from this one on. */
export function scopeOf(frame: Frame, instruction: RegionInstruction, left: number): Scope {
  const { operands, offset, length } = instruction;
  return {
    frame,
    operands,
    offset,
    next: offset + length,
    site: siteOf(instruction, left + 1, 0),
    emit: emitExpression,
  };
}

/** `left`: instructions of the block from this one on, to be given back at a fault. */
export function emitInstruction(frame: Frame, instruction: RegionInstruction, left: number): void {
  const { code } = frame;
  frame.notes.instructions.push([code.length, instruction]);
  const scope = scopeOf(frame, instruction, left);
  const { operands, row } = instruction;
  const { action } = row;
  if (operands.rm === DYNAMIC && !asksForModeItself(action)) emitMode(scope);
  switch (action.kind) {
    case 'setX':
      if ((operands.rd ?? 0) === 0) {
        if (action.value.kind !== 'call') return;
        emitExpression(action.value, scope);
        code.op(Op.drop);
        return;
      }
      emitExpression(action.value, scope);
      code.set(frame.x(operands.rd ?? 0));
      return;
    case 'setF':
      emitExpression(action.value, scope);
      if (action.width === 32) code.op(Op.i64_extend_i32_u).i64(NAN_BOX).op(Op.i64_or);
      code.set(frame.f(operands.rd ?? 0));
      return;
    case 'load':
      emitLoad(frame, action, instruction, left, scope);
      return;
    case 'store':
      emitStore(frame, action, instruction, left, scope);
      return;
    case 'jump':
      emitExpression(action.target, scope);
      code.set(Local.target);
      if (operands.rd) {
        frame.address(scope.next).set(frame.x(operands.rd));
      }
      return;
    case 'system':
      emitSystem(frame, action.helper, instruction, left);
      return;
    case 'atomic':
      code.i32(HART);
      emitExpression({ kind: 'x', type: 'i64', operand: 'rs1' }, scope);
      emitExpression({ kind: 'x', type: 'i64', operand: 'rs2' }, scope);
      code.call(frame.module.helper(action.helper, ['i32', 'i64', 'i64'], 'i64')).set(Local.value);
      code.i32(siteOf(instruction, left)).set(Local.site);
      code.i32(0).memory(Op.i32_load, at('fault')).brIf(frame.event);
      if (operands.rd) code.get(Local.value).set(frame.x(operands.rd));
      // It is done when the event is looked at.
      if (!frame.loop) frame.store(writes(instruction));
      code.i32(0).memory(Op.i32_load, at('event')).brIf(frame.event);
      return;
  }
}

/**
 * Calls the core's helper of a system instruction, which finds and leaves registers in memory.
 * Where it does not simply go on with the next instruction, the interpreter looks.
 */
function emitSystem(
  frame: Frame,
  helper: string,
  instruction: RegionInstruction,
  left: number,
): void {
  const { code } = frame;
  const { operands, offset, length } = instruction;
  const rd = operands.rd ?? 0;
  const rs1 = operands.rs1 ?? 0;
  if (frame.loop) {
    const { x } = frame.loop.written;
    frame.store({ x: x & ((1 << rd) | (1 << rs1)), f: 0 });
  }
  code.i32(0);
  frame.address(offset).memory(Op.i64_store, at('pc'));
  code
    .i32(HART)
    .i32((rd << 9) | (rs1 << 15))
    .i32(operands.imm ?? 0);
  code.call(frame.module.helper(`sys_${helper}`, ['i32', 'i32', 'i32'], 'i32')).set(Local.i32Temp);
  // It may have been frm or fflags.
  frame.hostKnown = false;
  if (rd !== 0) frame.load({ x: 1 << rd, f: 0 });
  code.get(Local.i32Temp);
  frame.open(Op.if, 'if');
  code.i32(0).i32(1).memory(Op.i32_store, at('event'));
  code.get(Local.i32Temp).i32(NEXT_OUTER).op(Op.i32_eq, Op.if, Type.void);
  frame.address(offset + length).set(Local.target);
  code
    .get(Local.n)
    .i32(left - 1)
    .op(Op.i32_add)
    .set(Local.n);
  code.op(Op.else);
  code.i32(0).memory(Op.i64_load, at('pc')).set(Local.target);
  code.get(Local.n).i32(left).op(Op.i32_add).set(Local.n);
  code.op(Op.end);
  code.i32(0).set(Local.slot).br(frame.out);
  frame.close();
}

function asksForModeItself(action: Action): boolean {
  const value = action.kind === 'setF' || action.kind === 'setX' ? action.value : undefined;
  return value?.kind === 'call' && asksForMode(value);
}

/** An instruction for `#emitEvent`: page offset, instructions to give back, length. */
function siteOf(
  { offset, length }: RegionInstruction,
  left: number,
  step: number = length,
): number {
  return offset | (left << 12) | (step << 24);
}

/** Leaves on the stack whether the Local.tlb maps Local.address for an aligned access of this size. */
function emitTlbTest(frame: Frame, size: number, tlb: number): void {
  const { code } = frame;
  code.get(Local.address).i64(8n).op(Op.i64_shr_u, Op.i32_wrap_i64).i32(TLB_INDEX).op(Op.i32_and);
  code.get(Local.tlb).op(Op.i32_add).tee(Local.slot).memory(Op.i64_load, tlb);
  code
    .get(Local.address)
    .i64(PAGE_MASK | BigInt(size - 1))
    .op(Op.i64_and, Op.i64_eq);
}

/** The offset in the memory, after a Local.tlb test that held. */
function emitHostAddress(frame: Frame, tlb: number): void {
  frame.code.get(Local.slot).memory(Op.i32_load, tlb + 8);
  frame.code.get(Local.address).op(Op.i32_wrap_i64, Op.i32_add);
}

function emitLoad(
  frame: Frame,
  action: Extract<Action, { kind: 'load' }>,
  instruction: RegionInstruction,
  left: number,
  scope: Scope,
): void {
  const { code } = frame;
  const [opcode, size] = LOADS[action.load];
  const float = action.load === 'f32' || action.load === 'f64';
  emitExpression(action.address, scope);
  code.set(Local.address);
  emitTlbTest(frame, size, 0);
  frame.open(Op.if, 'if', Type.i64);
  emitHostAddress(frame, 0);
  code.memory(opcode, 0).op(Op.else);
  code.i32(siteOf(instruction, left)).set(Local.site);
  code.i32(HART).get(Local.address).i32(size);
  code.call(frame.module.helper('loadSlow', ['i32', 'i64', 'i32'], 'i64'));
  const extension = EXTENSIONS[action.load];
  if (extension !== undefined) code.op(extension);
  code.i32(0).memory(Op.i32_load, at('fault')).brIf(frame.event);
  frame.close();
  const rd = instruction.operands.rd ?? 0;
  if (action.load === 'f32') code.i64(NAN_BOX).op(Op.i64_or);
  if (float) code.set(frame.f(rd));
  else if (rd === 0) code.op(Op.drop);
  else code.set(frame.x(rd));
}

function emitStore(
  frame: Frame,
  action: Extract<Action, { kind: 'store' }>,
  instruction: RegionInstruction,
  left: number,
  scope: Scope,
): void {
  const { code } = frame;
  emitExpression(action.address, scope);
  code.set(Local.address);
  emitTlbTest(frame, action.size, TLB_WRITE);
  frame.open(Op.if, 'if');
  emitHostAddress(frame, TLB_WRITE);
  emitExpression(action.value, scope);
  code.memory(STORES[action.size], 0).op(Op.else);
  code.i32(siteOf(instruction, left)).set(Local.site);
  code.i32(HART).get(Local.address).i32(action.size);
  emitExpression(action.value, scope);
  code.call(frame.module.helper('storeSlow', ['i32', 'i64', 'i32', 'i64'], undefined));
  code.i32(0).memory(Op.i32_load, at('event')).brIf(frame.event);
  frame.close();
}

/** Something happened at the instruction in Local.site: a fault, or what the outer loop must see. */
export function emitEvent(frame: Frame): void {
  const { code } = frame;
  code
    .get(Local.base)
    .get(Local.site)
    .i32(0xfff)
    .op(Op.i32_and, Op.i64_extend_i32_u, Op.i64_add)
    .set(Local.target);
  code
    .get(Local.n)
    .get(Local.site)
    .i32(12)
    .op(Op.i32_shr_u)
    .i32(0xfff)
    .op(Op.i32_and, Op.i32_add)
    .set(Local.n);
  code.i32(0).memory(Op.i32_load, at('fault')).op(Op.i32_eqz, Op.if, Type.void);
  // It was done: it counts, and the next one is to come.
  code.get(Local.target).get(Local.site).i32(24).op(Op.i32_shr_u, Op.i64_extend_i32_u, Op.i64_add);
  code.set(Local.target).get(Local.n).i32(1).op(Op.i32_sub).set(Local.n).op(Op.end);
  code.i32(0).set(Local.slot);
}
