/**
 * `--trace`: each instruction on stderr before it runs, with its address and encoding. Slow by
 * nature; reads the guest as the hart itself fetches, page tables included.
 */
import { instructionLength } from '../isa/codec.ts';
import { disassemble } from '../isa/disassemble.ts';
import type { Board } from '../machine/board.ts';

const FETCH = 2;
const HART = 0;
const PRIVILEGES = ['U', 'S', '?', 'M'];

export function traceLine({ core, hart, memory }: Board): string {
  const { pc } = hart;
  const half = (address: bigint): number | undefined => {
    const physical = core.exports.translate(HART, address, FETCH);
    const low = Number(physical & 0xffff_ffffn);
    const high = Number(BigInt.asUintN(64, physical) >> 32n);
    if (!memory.contains(low, high, 2)) return undefined;
    return memory.readU16(memory.locate(low, high, 2));
  };
  const where = `${PRIVILEGES[hart.u32('priv') & 3]} ${pc.toString(16).padStart(16, '0')}`;
  const first = half(pc);
  if (first === undefined) return `${where}  (cannot be fetched)\n`;
  let word = first;
  if (instructionLength(first) === 4) word = ((half(pc + 2n) ?? 0) << 16) | first;
  const code = (word >>> 0)
    .toString(16)
    .padStart(2 * instructionLength(word), '0')
    .padEnd(8);
  return `${where}  ${code}  ${disassemble(word, pc)}\n`;
}
