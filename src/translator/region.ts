/**
 * Finds what is translated together: the basic blocks of one page of guest RAM that are reached
 * from a hot address along branches, jumps and returns from calls. A region never leaves its page,
 * so it holds for every virtual address at which the page is mapped, and a store to the page
 * invalidates whole regions.
 */
import { decode } from '../isa/codec.ts';
import type { Instruction, OperandName } from '../isa/instruction.ts';

export interface RegionInstruction {
  /** Offset in the page. */
  readonly offset: number;
  readonly length: 2 | 4;
  readonly row: Instruction;
  readonly operands: Readonly<Partial<Record<OperandName, number>>>;
}

/** How a block ends. Targets are page offsets; `undefined`: outside the page or the region. */
export type Terminator =
  /** Taken when the last instruction's condition holds. */
  | { readonly kind: 'branch'; readonly taken: number; readonly next: number }
  /** jal, or falling into the next block. */
  | { readonly kind: 'goto'; readonly target: number }
  /** jalr: the address is known only at run time. */
  | { readonly kind: 'indirect' }
  /** The interpreter goes on at this page offset (system instructions, page ends). */
  | { readonly kind: 'leave'; readonly at: number };

export interface Block {
  readonly start: number;
  readonly instructions: readonly RegionInstruction[];
  readonly end: Terminator;
  /** Reached from outside: the region's start, returns from calls, after system instructions. */
  entry: boolean;
}

export interface Region {
  /** By start offset, in the order of addresses. */
  readonly blocks: ReadonlyMap<number, Block>;
  readonly instructions: number;
}

/** Bounds of a region: larger functions make V8's optimizer slow. */
export const REGION_BLOCKS = 48;
export const REGION_INSTRUCTIONS = 400;
const BLOCK_INSTRUCTIONS = 64;

type Decoded = ReturnType<typeof decode>;
const memo = new Map<number, Decoded>();
const MEMO_WORDS = 65536;

function decodeWord(word: number): Decoded {
  let decoded = memo.get(word);
  if (decoded === undefined && !memo.has(word)) {
    if (memo.size >= MEMO_WORDS) memo.clear();
    decoded = decode(word);
    memo.set(word, decoded);
  }
  return decoded;
}

/** The instruction at a page offset; undefined where it is illegal or runs into the next page. */
function instructionAt(page: DataView, offset: number): RegionInstruction | undefined {
  const half = page.getUint16(offset, true);
  if ((half & 3) !== 3) {
    const decoded = decodeWord(half);
    return decoded && { offset, length: 2, row: decoded.row, operands: decoded.operands };
  }
  if (offset > 0xffc) return undefined;
  const decoded = decodeWord(page.getUint32(offset, true));
  return decoded && { offset, length: 4, row: decoded.row, operands: decoded.operands };
}

/** Counters: what they read is the interpreter's own count. */
const COUNTERS: ReadonlySet<number> = new Set([0xb00, 0xb02, 0xc00, 0xc02]);

/**
 * System instructions end a block and are left to the interpreter, but for those that go on with
 * the next instruction and keep the address space: CSR accesses and cache-block operations.
 */
function isForInterpreter({ row, operands }: RegionInstruction): boolean {
  if (row.action.kind !== 'system') return false;
  if (row.extension === 'zicsr') return COUNTERS.has(operands.imm ?? 0);
  return row.extension !== 'zicboz' && row.extension !== 'zicbom';
}

/** Where a branch or jal goes, relative to the page. */
function targetOf(instruction: RegionInstruction): number {
  return instruction.offset + (instruction.operands.imm ?? 0);
}

function inPage(offset: number): boolean {
  return offset >= 0 && offset < 4096;
}

/** Reads one block from `start`; `stops` says which offsets begin another. */
function readBlock(page: DataView, start: number, stops: ReadonlySet<number>): Block {
  const instructions: RegionInstruction[] = [];
  let offset = start;
  for (;;) {
    if (offset > 4094)
      return { start, instructions, entry: false, end: { kind: 'leave', at: offset } };
    if (offset !== start && (stops.has(offset) || instructions.length >= BLOCK_INSTRUCTIONS)) {
      return { start, instructions, entry: false, end: { kind: 'goto', target: offset } };
    }
    const instruction = instructionAt(page, offset);
    if (!instruction || isForInterpreter(instruction)) {
      return { start, instructions, entry: false, end: { kind: 'leave', at: offset } };
    }
    instructions.push(instruction);
    const next = offset + instruction.length;
    switch (instruction.row.action.kind) {
      case 'branch':
        return {
          start,
          instructions,
          entry: false,
          end: { kind: 'branch', taken: targetOf(instruction), next },
        };
      case 'jump':
        return {
          start,
          instructions,
          entry: false,
          end:
            (instruction.row.expands ?? instruction.row.name) === 'jal'
              ? { kind: 'goto', target: targetOf(instruction) }
              : { kind: 'indirect' },
        };
    }
    offset = next;
  }
}

function isCall(block: Block): boolean {
  const last = block.instructions.at(-1);
  return last?.row.action.kind === 'jump' && (last.operands.rd ?? 0) !== 0;
}

/**
 * The region around `entry`. `page`: the 4096 bytes of the guest's page; `translated`: which offsets
 * are entries of other regions, where this one ends. Blocks are cut where others jump into them;
 * what does not fit the bounds stays outside.
 */
export function findRegion(
  page: DataView,
  entry: number,
  translated: (offset: number) => boolean,
): Region {
  // First which offsets begin blocks, then the blocks cut there.
  const starts = new Set<number>([entry]);
  const entries = new Set<number>([entry]);
  const pending = [entry];
  let instructions = 0;
  while (pending.length > 0) {
    const start = pending.shift();
    if (start === undefined) break;
    const block = readBlock(page, start, starts);
    instructions += block.instructions.length;
    const visit = (offset: number, isEntry: boolean): void => {
      if (!inPage(offset)) return;
      if (!starts.has(offset)) {
        if (translated(offset)) return;
        if (starts.size >= REGION_BLOCKS || instructions >= REGION_INSTRUCTIONS) return;
        starts.add(offset);
        pending.push(offset);
      }
      if (isEntry) entries.add(offset);
    };
    const last = block.instructions.at(-1);
    const after = last ? last.offset + last.length : start;
    switch (block.end.kind) {
      case 'branch':
        visit(block.end.taken, false);
        visit(block.end.next, false);
        break;
      case 'goto':
        // A call's target is a function of its own; where it returns to is this one.
        if (isCall(block)) visit(after, true);
        else visit(block.end.target, false);
        break;
      case 'indirect':
        if (isCall(block)) visit(after, true);
        break;
      case 'leave': {
        // After the interpreter has done what is not translated.
        const skipped = inPage(block.end.at) && instructionAt(page, block.end.at);
        if (skipped && isForInterpreter(skipped) && !endsFlow(skipped)) {
          visit(block.end.at + skipped.length, true);
        }
      }
    }
  }
  const blocks = new Map<number, Block>();
  let total = 0;
  for (const start of [...starts].sort((a, b) => a - b)) {
    const block = readBlock(page, start, starts);
    total += block.instructions.length;
    block.entry = entries.has(start);
    blocks.set(start, block);
  }
  return { blocks, instructions: total };
}

function endsFlow(instruction: RegionInstruction): boolean {
  const name = instruction.row.expands ?? instruction.row.name;
  return name === 'mret' || name === 'sret' || name === 'ebreak';
}

/** Offsets of the blocks of the region that may follow this one. */
export function successors(region: Region, block: Block): number[] {
  const { end } = block;
  const candidates =
    end.kind === 'branch'
      ? [end.taken, end.next]
      : end.kind === 'goto' && !isCall(block)
        ? [end.target]
        : [];
  return [...new Set(candidates.filter((offset) => region.blocks.has(offset)))];
}
