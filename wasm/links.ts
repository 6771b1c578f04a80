// Links between translated code: a table by target, in which a region finds the next one at once,
// without the fetch TLB and the decode page. It holds what those lead to; whatever drops something
// of theirs drops all links, by giving them another key. Entries: src/core/layout.ts.
import { LINK_INDEX, LINK_KEY, LINK_OFFSET, LINK_SIZE } from './generated/layout';

/** Low bits of a key: who fetches. The others count. */
const KEY_STEP: u32 = 4;

/** Links are those for fetches by this set of TLBs from now on. */
// @ts-ignore: decorator
@inline
export function chooseLinks(h: usize, set: u32): void {
  store<u32>(h, (load<u32>(h, LINK_KEY) & (0 - KEY_STEP)) | set, LINK_KEY);
}

/** Drops all links. */
export function forgetLinks(h: usize): void {
  const key = load<u32>(h, LINK_KEY) + KEY_STEP;
  store<u32>(h, key, LINK_KEY);
  // The count has begun anew: older links may have any key.
  if (key < KEY_STEP) clearLinks(h);
}

/** As forgetLinks, whatever key is next. */
export function clearLinks(h: usize): void {
  memory.fill(h + LINK_OFFSET, 0, LINK_SIZE);
}

/** Notes that code of a fetch at `target` is `found`: what a slot of translated code says. */
export function noteLink(h: usize, target: u64, found: u32): void {
  const link = h + LINK_OFFSET + (((<usize>target) << 3) & LINK_INDEX);
  store<u64>(link, target);
  store<u32>(link, load<u32>(h, LINK_KEY), 8);
  store<u32>(link, found, 12);
}
