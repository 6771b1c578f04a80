/**
 * How much of the blocks' code truly runs translated: counts, one instruction at a time, what the
 * blocks of an image execute that can be translated, and beside it what translated code ran.
 */
import { decode } from '../../src/isa/codec.ts';
import { Engine } from './engine.ts';
import type { Image } from './image.ts';
import { BLOCKS, POOL, RAM_BASE, RESULTS } from './layout.ts';
import { createTarget } from './target.ts';

const FETCH = 2;
/** Counters, whose values are the interpreter's own count. */
const COUNTERS: ReadonlySet<number> = new Set([0xb00, 0xb02, 0xc00, 0xc02]);

/** What translated code leaves to the interpreter: calls, returns, fences, waits. */
function isTranslatable(word: number): boolean {
  const decoded = decode(word);
  if (!decoded) return false;
  const { row, operands } = decoded;
  if (row.action.kind !== 'system') return true;
  if (row.extension === 'zicsr') return !COUNTERS.has(operands.imm ?? 0);
  return row.extension === 'zicbom' || row.extension === 'zicboz';
}

/** Instructions of blocks and pool that the program retires and that can be translated. */
function translatableOf(image: Uint8Array): number {
  const engine = new Engine(image);
  const view = new DataView(engine.ram.buffer, engine.ram.byteOffset, engine.ram.length);
  let count = 0;
  while (!engine.finished) {
    const { pc } = engine.hart;
    const physical = Number(engine.core.exports.translate(0, pc, FETCH));
    const isBlock = physical >= POOL && physical < RESULTS;
    let word = 0;
    if (isBlock) {
      const offset = physical - RAM_BASE;
      word = view.getUint32(offset, true);
      if ((word & 3) !== 3) word &= 0xffff;
      else if ((offset & 0xfff) === 0xffe && physical < BLOCKS) {
        // The other half is wherever the next page is.
        const next = Number(engine.core.exports.translate(0, pc + 2n, FETCH));
        const high = next >= RAM_BASE ? view.getUint16(next - RAM_BASE, true) : 0;
        word = ((word & 0xffff) | (high << 16)) >>> 0;
      }
    }
    const before = engine.instructions;
    engine.run(1);
    if (isBlock && engine.instructions > before && isTranslatable(word)) count++;
  }
  return count;
}

export function translatedShare({ bytes }: Image): number {
  return createTarget('translator')(bytes).translated / translatableOf(bytes);
}
