// Physical memory protection: 16 entries (privileged ISA, 'Machine-Level ISA', §Physical Memory
// Protection). With no entry in force machine mode may do everything, the others nothing.
import { PMPADDR, PMPCFG } from './generated/layout';
import { LOAD, STORE } from './mmu';
import { MACHINE } from './hart';

export const PMP_ENTRIES: u32 = 16;
const LOCKED: u32 = 0x80;

// @ts-ignore: decorator
@inline
export function pmpConfig(h: usize, entry: u32): u32 {
  return load<u8>(h + entry, PMPCFG);
}

// @ts-ignore: decorator
@inline
function addressOf(h: usize, entry: u32): u64 {
  return load<u64>(h + (entry << 3), PMPADDR);
}

/** First byte of an entry's range. */
function rangeStart(h: usize, entry: u32): u64 {
  const kind = (pmpConfig(h, entry) >> 3) & 3;
  const address = addressOf(h, entry);
  if (kind == 1) return entry == 0 ? 0 : addressOf(h, entry - 1) << 2;
  if (kind == 2) return address << 2;
  // NAPOT: the trailing ones are size.
  return (address & (address + 1)) << 2;
}

/** Last byte of an entry's range; below its start: empty. */
function rangeLast(h: usize, entry: u32): u64 {
  const kind = (pmpConfig(h, entry) >> 3) & 3;
  const address = addressOf(h, entry);
  if (kind == 1) return (address << 2) - 1;
  if (kind == 2) return (address << 2) + 3;
  return ((address | (address + 1)) << 2) + 3;
}

/** Whether `size` bytes at `physical` may be accessed with privilege `priv`. */
export function pmpAllows(h: usize, physical: u64, size: u64, access: u32, priv: u32): bool {
  if ((load<u64>(h, PMPCFG) | load<u64>(h, PMPCFG + 8)) == 0) return priv == MACHINE;
  const last = physical + size - 1;
  for (let entry: u32 = 0; entry < PMP_ENTRIES; entry++) {
    const config = pmpConfig(h, entry);
    if ((config & 0x18) == 0) continue;
    const from = rangeStart(h, entry);
    const to = rangeLast(h, entry);
    // An empty top-of-range entry matches nothing.
    if (
      ((config >> 3) & 3) == 1 &&
      addressOf(h, entry) <= (entry == 0 ? 0 : addressOf(h, entry - 1))
    ) {
      continue;
    }
    if (last < from || physical > to) continue;
    // Partly inside: fails whatever the permissions.
    if (physical < from || last > to) return false;
    if (priv == MACHINE && (config & LOCKED) == 0) return true;
    const bit: u32 = access == LOAD ? 1 : access == STORE ? 2 : 4;
    return (config & bit) != 0;
  }
  return priv == MACHINE;
}

/** Whether the answer is the same, yes, for every byte of the page of `physical`. */
export function pmpAllowsPage(h: usize, physical: u64, access: u32, priv: u32): bool {
  return pmpAllows(h, physical & ~(<u64>0xfff), 4096, access, priv);
}
