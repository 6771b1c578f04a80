/** A block as a person reads it: its code, the state in which it begins, what the sides say. */
import { disassemble } from '../../src/isa/disassemble.ts';
import { X_NAMES } from '../../src/isa/registers.ts';
import { instructionBytes, type TestBlock } from './block.ts';
import type { Difference } from './compare.ts';
import { NOP } from './instructions.ts';
import { BLOCKS, Block, pteAddress } from './layout.ts';

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

export function describeBlock(block: TestBlock, differences: readonly Difference[]): string {
  const lines: string[] = [`  ${block.kind} block, begins with`];
  const csrs = Object.entries(block.csrs).filter(([, value]) => value !== 0n);
  lines.push(`    ${csrs.map(([name, value]) => `${name} ${hex(value)}`).join(', ')}`);
  const x = block.x.flatMap((value, i) => (value === 0n ? [] : [`${X_NAMES[i]} ${hex(value)}`]));
  const f = block.f.flatMap((value, i) => (value === 0n ? [] : [`f${i} ${hex(value)}`]));
  if (x.length > 0) lines.push(`    ${x.join(', ')}`);
  if (f.length > 0) lines.push(`    ${f.join(', ')}`);
  lines.push(`    pmpaddr1… ${block.pmpaddr.map(hex).join(' ')}`);
  if (block.ptes) {
    lines.push(
      `    page tables: ${block.ptes.map((pte, i) => `[${hex(pteAddress(i))}] ${hex(pte)}`).join(', ')}`,
    );
  }
  lines.push('  runs');
  // Where the block lies when it runs alone.
  let pc = BLOCKS + Block.code;
  for (const word of block.atoms.flat()) {
    if (word !== NOP && word !== 1) {
      const digits = 2 * instructionBytes(word);
      const bits = word.toString(16).padStart(digits, '0').padStart(8);
      lines.push(`    ${pc.toString(16)}  ${bits}  ${disassemble(word, BigInt(pc))}`);
    }
    pc += instructionBytes(word);
  }
  lines.push(
    `    ${pc.toString(16)}      0000  (end)`,
    '  and differs in          expected    found',
  );
  for (const { what, expected, found } of differences) {
    lines.push(`    ${what.padEnd(18)}  ${hex(expected)}  ${hex(found)}`);
  }
  return lines.join('\n');
}
