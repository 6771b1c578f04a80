/**
 * A block: the state in which the harness enters it, and its code as atoms (short sequences that
 * stand for themselves, so that any of them can be left out). Relies on the layout; `write` puts
 * it into a RAM image, `Outcome` reads what the harness left.
 */
import {
  Block as At,
  FETCHES,
  PATCHES,
  PTES,
  RAM_BASE,
  RECORDED_CSRS,
  Result,
  TRAP_SIZE,
  TRAPS,
} from './layout.ts';

/** Instruction words, those with low bits other than 11 of two bytes. */
export type Atom = readonly number[];

/** CSRs of which a block begins with its own values. */
export interface BlockCsrs {
  mstatus: bigint;
  satp: bigint;
  medeleg: bigint;
  mideleg: bigint;
  mie: bigint;
  mip: bigint;
  menvcfg: bigint;
  senvcfg: bigint;
  mcounteren: bigint;
  scounteren: bigint;
  pmpcfg: bigint;
  stvec: bigint;
  fcsr: bigint;
}

export interface TestBlock {
  readonly kind: string;
  readonly csrs: BlockCsrs;
  /** pmpaddr1 to pmpaddr5. */
  readonly pmpaddr: readonly bigint[];
  readonly seed: bigint;
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  /** Undefined: the block runs without the playground's page tables. */
  readonly ptes: readonly bigint[] | undefined;
  /** Doublewords of the pool with values of their own. */
  readonly patches: readonly (readonly [address: number, value: bigint])[];
  readonly atoms: readonly Atom[];
}

export function instructionBytes(word: number): 2 | 4 {
  return (word & 3) === 3 ? 4 : 2;
}

export function codeBytes(atoms: readonly Atom[]): number {
  return atoms.flat().reduce((sum, word) => sum + instructionBytes(word), 0);
}

export function instructionCount(block: TestBlock): number {
  return block.atoms.reduce((sum, atom) => sum + atom.length, 0);
}

/** Bytes that a block takes in the image. */
export function blockBytes(block: TestBlock): number {
  return (At.code + codeBytes(block.atoms) + 2 + 7) & ~7;
}

/** Writes the block at `address`; its result goes to `result`, the next block lies at `next`. */
export function writeBlock(
  image: DataView,
  block: TestBlock,
  { address, result, next }: { address: number; result: number; next: number },
): void {
  const base = address - RAM_BASE;
  const set = (offset: number, value: bigint) =>
    image.setBigUint64(base + offset, BigInt.asUintN(64, value), true);
  const { csrs } = block;
  set(At.next, BigInt(next));
  set(At.start, BigInt(address + At.code));
  set(At.result, BigInt(result));
  set(At.mstatus, csrs.mstatus);
  set(At.satp, csrs.satp);
  set(At.medeleg, csrs.medeleg);
  set(At.mideleg, csrs.mideleg);
  set(At.mie, csrs.mie);
  set(At.mip, csrs.mip);
  set(At.menvcfg, csrs.menvcfg);
  set(At.senvcfg, csrs.senvcfg);
  set(At.mcounteren, csrs.mcounteren);
  set(At.scounteren, csrs.scounteren);
  set(At.pmpcfg, csrs.pmpcfg);
  set(At.stvec, csrs.stvec);
  set(At.fcsr, csrs.fcsr);
  set(At.seed, block.seed);
  set(At.translates, block.kind === 'fetch' ? BigInt(FETCHES) : block.ptes ? 1n : 0n);
  block.pmpaddr.forEach((value, i) => {
    set(At.pmpaddr + 8 * i, value);
  });
  for (let i = 0; i < PATCHES; i++) {
    const [at, value] = block.patches[i] ?? [0, 0n];
    set(At.patches + 16 * i, BigInt(at));
    set(At.patches + 16 * i + 8, value);
  }
  for (let i = 0; i < 32; i++) {
    set(At.x + 8 * i, block.x[i] ?? 0n);
    set(At.f + 8 * i, block.f[i] ?? 0n);
  }
  for (let i = 0; i < PTES; i++) set(At.ptes + 8 * i, block.ptes?.[i] ?? 0n);
  let offset = base + At.code;
  for (const atom of block.atoms) {
    for (const word of atom) {
      if (instructionBytes(word) === 4) image.setUint32(offset, word, true);
      else image.setUint16(offset, word, true);
      offset += instructionBytes(word);
    }
  }
  image.setUint16(offset, 0, true);
  set(At.end, BigInt(RAM_BASE + offset));
}

/** What a block left behind, by name. */
export function outcome(image: DataView, result: number): Map<string, bigint> {
  const base = result - RAM_BASE;
  const get = (offset: number) => image.getBigUint64(base + offset, true);
  const found = new Map<string, bigint>([['pc at the end', get(Result.pc)]]);
  for (let i = 1; i < 32; i++) found.set(`x${i}`, get(Result.x + 8 * i));
  for (let i = 0; i < 32; i++) found.set(`f${i}`, get(Result.f + 8 * i));
  RECORDED_CSRS.forEach((name, i) => {
    found.set(name, get(Result.csrs + 8 * i));
  });
  found.set('memory (hash)', get(Result.hash));
  for (let i = 0; i < PTES; i++) found.set(`pte ${i}`, get(Result.ptes + 8 * i));
  for (let i = 0; i <= TRAPS; i++) {
    for (const [j, name] of ['cause', 'epc', 'tval', 'status'].entries()) {
      found.set(`trap ${i} ${name}`, get(Result.log + TRAP_SIZE * i + 8 * j));
    }
  }
  return found;
}
