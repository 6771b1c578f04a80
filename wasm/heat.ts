// Which code is hot: counts jumps to each decoded instruction, and tells the translator.
import { DECODE_PAGE_RAM, HEAT_MASK, HEAT_OFFSET, HEAT_THRESHOLD } from './generated/layout';
import { hot } from './host';
import { decodePageAt } from './pages';

/** A jump to `slot` of a decode page was taken. */
// @ts-ignore: decorator
@inline
export function heat(h: usize, page: usize, slot: usize): void {
  const counter = HEAT_OFFSET + ((slot >>> 2) & HEAT_MASK);
  const count = <u32>load<u16>(counter) + 1;
  store<u16>(counter, count);
  if (count == load<u32>(h, HEAT_THRESHOLD)) glow(page, slot);
}

function glow(page: usize, slot: usize): void {
  // Page 0 stands for others.
  if (page != decodePageAt(0)) hot(load<u32>(page, DECODE_PAGE_RAM), <u32>(slot - page) >>> 2);
}
