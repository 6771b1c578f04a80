/**
 * Atoms that access memory around boundaries of pages: a pointer register is known to stand near
 * one, and the address is chosen within the windows that the harness sets and hashes.
 */
import { decode } from '../../src/isa/codec.ts';
import type { Instruction } from '../../src/isa/instruction.ts';
import type { Atom } from './block.ts';
import {
  atomicRows,
  fit,
  integerRows,
  loadStoreRows,
  POINTERS,
  randomOf,
  scratch,
  word,
} from './instructions.ts';
import { WINDOW } from './layout.ts';
import type { Random } from './random.ts';

/** A pointer register: the value that it holds, and the boundary near which it stands. */
export interface Pointer {
  readonly register: number;
  readonly value: bigint;
  readonly boundary: bigint;
}

/** Gives each pointer register a value near one of the boundaries. */
export function pointers(random: Random, boundary: () => bigint): Pointer[] {
  return POINTERS.map((register) => {
    const edge = boundary();
    const aligned = random.chance(0.6);
    const offset = random.between(-WINDOW / 2, WINDOW / 2 - 8) & (aligned ? ~7 : ~0);
    // Compressed accesses only add to their base.
    const back = random.chance(0.5) ? -WINDOW / 2 : 0;
    return { register, value: BigInt.asUintN(64, edge + BigInt(offset + back)), boundary: edge };
  });
}

export interface MemoryOptions {
  readonly pointers: readonly Pointer[];
  readonly without: ReadonlySet<string>;
  /** Natural alignment only. */
  readonly aligned: boolean;
  /** Only loads: the code may be entered anywhere, and the pool is code. */
  readonly plain: boolean;
  /** Instructions that make the block's first status, where accesses depend on one. */
  readonly before: Atom;
  /** The number of mstatus or sstatus: the block may change it. 0: it may not. */
  readonly status: number;
}

function sizeOf({ action }: Instruction): number {
  if (action.kind === 'store') return action.size;
  if (action.kind !== 'load') return 8;
  return Number(action.load.slice(1)) / 8;
}

const loadRows = loadStoreRows.filter(({ action }) => action.kind === 'load');

function loadOrStore(random: Random, { pointers: from, aligned, plain }: MemoryOptions): number {
  for (;;) {
    const row = random.pick(plain ? loadRows : loadStoreRows);
    const pointer = random.pick(from);
    const size = sizeOf(row);
    let target = random.between(-WINDOW, WINDOW - size);
    const crossing = !aligned && random.chance(0.3);
    if (crossing && size > 1) target = -random.between(1, size - 1);
    else if (aligned || random.chance(0.4)) target &= -size;
    const imm = Number(BigInt.asIntN(64, pointer.boundary - pointer.value)) + target;
    const found = fit(random, row, { rs1: pointer.register, imm });
    if (found !== undefined) return found;
  }
}

/** addi that makes `rd` an address in the window of a pointer, mostly aligned to `size`. */
function address(
  random: Random,
  pointer: Pointer,
  rd: number,
  size: number,
  aligned = 0.8,
): number {
  const delta = Number(BigInt.asIntN(64, pointer.boundary - pointer.value));
  let target = random.between(-WINDOW, WINDOW - size);
  if (random.chance(aligned)) target &= -size;
  return word('addi', { rd, rs1: pointer.register, imm: delta + target });
}

function atomicAccess(random: Random, from: readonly Pointer[]): Atom {
  const rows = atomicRows.filter(({ name }) => !name.startsWith('sc'));
  const row = random.pick(rows);
  const at = scratch(random);
  const size = row.name.endsWith('.w') ? 4 : 8;
  const rd = scratch(random, at);
  const rs2 = random.between(0, 31);
  const access = fit(random, row, { rd, rs1: at, rs2 });
  return access === undefined ? [] : [address(random, random.pick(from), at, size), access];
}

/**
 * LR, something that touches no memory, SC to the same address: it succeeds. Where LR faults, SC is
 * jumped over: on QEMU an SC without reservation neither checks its address nor its alignment,
 * which the core does (unprivileged ISA, 'Load-Reserved/Store-Conditional Instructions').
 */
function loadReserved(random: Random, from: readonly Pointer[]): Atom {
  const at = scratch(random);
  const old = scratch(random, at);
  const result = scratch(random, at, old);
  // One width: SC of another one fails here and sometimes succeeds in QEMU (wasm/atomic.ts).
  const width = random.pick(['w', 'd']);
  const conditional = () =>
    word(`sc.${width}`, { rd: result, rs1: at, rs2: old, imm: random.below(4) });
  const guarded = [
    ...(random.chance(0.5)
      ? [word('addi', { rd: old, rs1: old, imm: random.between(-99, 99) })]
      : []),
    conditional(),
    // Once more, without a reservation, where the first one succeeded.
    ...(random.chance(0.3) ? [word('bne', { rs1: result, rs2: 0, imm: 8 }), conditional()] : []),
  ];
  const mark = random.between(-2000, -1000);
  return [
    address(random, random.pick(from), at, width === 'w' ? 4 : 8),
    word('addi', { rd: old, rs1: 0, imm: mark }),
    word('addi', { rd: result, rs1: 0, imm: mark }),
    word(`lr.${width}`, { rd: old, rs1: at, imm: random.below(4) }),
    word('beq', { rs1: old, rs2: result, imm: 4 + 4 * guarded.length }),
    ...guarded,
  ];
}

/** Bits of mstatus and sstatus on which it depends what an access may do, as lui's immediate. */
const SUM = 0x4_0000;
const MXR = 0x8_0000;

/**
 * The same access before and after one of them changes: what the first one put into a TLB must not
 * serve the second one.
 */
function permissionChange(random: Random, options: MemoryOptions): Atom {
  const { before, status } = options;
  const access = loadOrStore(random, options);
  const bit = scratch(random, decode(access)?.operands.rd ?? 0);
  const change = (name: string) => word(name, { rd: 0, rs1: bit, imm: status });
  const [first, second] = random.chance(0.5) ? ['csrrs', 'csrrc'] : ['csrrc', 'csrrs'];
  const after = random.chance(0.5) ? access : loadOrStore(random, options);
  return [
    ...before,
    word('lui', { rd: bit, imm: random.pick([SUM, MXR, MXR, SUM | MXR]) }),
    change(first),
    access,
    // A trap in between takes MPRV away.
    ...before,
    change(second),
    after,
  ];
}

/**
 * Addresses are multiples of the block's 64 bytes: in tval QEMU gives the block's start, the
 * specification the address in rs1 (unprivileged ISA, 'CMO', traps).
 */
function cacheBlock(random: Random, from: readonly Pointer[]): Atom {
  const at = scratch(random);
  const name = random.pick(['cbo.zero', 'cbo.zero', 'cbo.clean', 'cbo.flush', 'cbo.inval']);
  return [address(random, random.pick(from), at, WINDOW, 1), word(name, { rs1: at })];
}

export function memoryAtom(random: Random, options: MemoryOptions): Atom {
  const { pointers: from, without, plain, aligned } = options;
  if (plain) return [loadOrStore(random, options)];
  // How much of a block's region PMP must allow is the implementation's choice.
  const cacheWeight = without.has('zicboz') || aligned ? 0 : 1;
  switch (
    random.weighted([
      [10, 'plain'],
      [3, 'atomic'],
      [2, 'reserved'],
      [cacheWeight, 'block'],
      [options.status === 0 ? 0 : 2, 'permissions'],
      [2, 'compute'],
    ])
  ) {
    case 'atomic':
      return atomicAccess(random, from);
    case 'reserved':
      return loadReserved(random, from);
    case 'block':
      return cacheBlock(random, from);
    case 'permissions':
      return permissionChange(random, options);
    case 'compute':
      return [randomOf(random, integerRows)];
    default:
      return [loadOrStore(random, options)];
  }
}
