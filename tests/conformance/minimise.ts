/**
 * Makes a block on which the sides disagree as small as it goes: leaves out atoms, then turns
 * single instructions into nothing, then clears what the block's first state does not need. All
 * variants of a round run in one start of each side.
 */
import { type Atom, instructionBytes, type TestBlock } from './block.ts';
import { KEPT, NOP, POINTERS } from './instructions.ts';
import { complaintOf, failing, type Sides } from './run.ts';

const scratchRegisters = Array.from({ length: 31 }, (_, i) => i + 1).filter(
  (register) => ![...POINTERS, ...KEPT].includes(register),
);

/** Which of some variants still show the disagreement. */
type Check = (variants: readonly TestBlock[]) => Promise<boolean[]>;

const SHORT_NOP = 0x0001;

/** Variants without one part each, the parts being about `size` long. */
function withoutParts<T>(list: readonly T[], size: number): T[][] {
  const variants: T[][] = [];
  for (let from = 0; from < list.length; from += size) {
    variants.push([...list.slice(0, from), ...list.slice(from + size)]);
  }
  return variants;
}

async function firstFailing(
  check: Check,
  variants: readonly TestBlock[],
): Promise<TestBlock | undefined> {
  const fails = await check(variants);
  return variants.find((_, i) => fails[i]);
}

async function shortenAtoms(check: Check, block: TestBlock): Promise<TestBlock> {
  let current = block;
  let size = Math.ceil(current.atoms.length / 2);
  while (current.atoms.length > 0) {
    const variants = withoutParts(current.atoms, size).map((atoms) => ({ ...current, atoms }));
    const found = await firstFailing(check, variants);
    if (found) current = found;
    else if (size === 1) break;
    else size = Math.ceil(size / 2);
  }
  return current;
}

const isSystem = (word: number) => (word & 0x7f) === 0x73;
const isNop = (word: number) => word === NOP || word === SHORT_NOP;

/** Instructions within atoms become nops of their length: offsets stay right. */
async function emptyAtoms(check: Check, block: TestBlock): Promise<TestBlock> {
  let current = block;
  for (let round = 0; round < 40; round++) {
    const variants: TestBlock[] = [];
    current.atoms.forEach((atom, i) => {
      // A value made for a CSR must stay whole: another one may be one that nobody compares.
      if (atom.some(isSystem)) return;
      atom.forEach((word, j) => {
        if (isNop(word)) return;
        const nop = instructionBytes(word) === 4 ? NOP : SHORT_NOP;
        const changed: Atom = atom.map((other, k) => (k === j ? nop : other));
        variants.push({ ...current, atoms: current.atoms.map((a, k) => (k === i ? changed : a)) });
      });
    });
    const found = variants.length > 0 ? await firstFailing(check, variants) : undefined;
    if (!found) return current;
    current = found;
  }
  return current;
}

/** Clears registers and settings one by one, as long as the sides still disagree. */
async function simplifyState(check: Check, block: TestBlock): Promise<TestBlock> {
  type Change = (from: TestBlock) => TestBlock;
  const changes: Change[] = [
    (from) => ({ ...from, ptes: undefined, csrs: { ...from.csrs, satp: 0n } }),
    (from) => ({ ...from, patches: [] }),
    (from) => ({ ...from, pmpaddr: [0n, 0n, 0n, ...from.pmpaddr.slice(3)] }),
    ...(['mie', 'mip', 'medeleg', 'mideleg', 'menvcfg', 'senvcfg', 'fcsr'] as const).map(
      (name): Change =>
        (from) => ({ ...from, csrs: { ...from.csrs, [name]: 0n } }),
    ),
    // Pointers and status values stay: without them the code leads where nobody compares.
    ...scratchRegisters.map(
      (register): Change =>
        (from) => ({
          ...from,
          x: from.x.map((value, j) => (j === register ? 0n : value)),
        }),
    ),
    ...Array.from(
      { length: 32 },
      (_, i): Change =>
        (from) => ({
          ...from,
          f: from.f.map((value, j) => (j === i ? 0n : value)),
        }),
    ),
  ];
  const fails = await check(changes.map((change) => change(block)));
  const harmless = changes.filter((_, i) => fails[i]);
  // Together they may be too much: then only those before the first that spoils it.
  const steps = harmless.map((_, i) =>
    harmless.slice(0, i + 1).reduce((from, change) => change(from), block),
  );
  const together = steps.length > 0 ? await check(steps) : [];
  const spoiled = together.indexOf(false);
  return (spoiled < 0 ? steps.at(-1) : steps[spoiled - 1]) ?? block;
}

export async function minimise(sides: Sides, block: TestBlock): Promise<TestBlock> {
  const about = await complaintOf(sides, block);
  const check: Check = (variants) => failing(sides, variants, about);
  return simplifyState(check, await emptyAtoms(check, await shortenAtoms(check, block)));
}
