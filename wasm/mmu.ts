// Address translation: Sv39 and Sv48 with Svnapot and Svadu, and the rules of who may access what
// (privileged ISA, 'Supervisor-Level ISA', §Virtual Address Translation Process). Gives a physical
// address or notes a fault. Page tables are read and written in RAM only.
import { MENVCFG, MSTATUS, PRIV, RAM_BASE, RAM_OFFSET, RAM_SIZE, SATP } from './generated/layout';
import {
  CAUSE_FETCH_ACCESS,
  CAUSE_FETCH_PAGE,
  CAUSE_LOAD_ACCESS,
  CAUSE_LOAD_PAGE,
  CAUSE_STORE_ACCESS,
  CAUSE_STORE_PAGE,
  fault,
  MACHINE,
  MENVCFG_ADUE,
  MSTATUS_MPRV,
  MSTATUS_MXR,
  MSTATUS_SUM,
  SUPERVISOR,
  USER,
} from './hart';
import { beforeStore, isAbsent, noteStore } from './pages';
import { pmpAllows } from './pmp';
import { compareExchange, loadShared } from './shared';
import { noteSuperpage } from './tlb';

export const LOAD: u32 = 0;
export const STORE: u32 = 1;
export const FETCH: u32 = 2;

/** No address: the access faulted. */
export const NOWHERE: u64 = u64.MAX_VALUE;

const PTE_V: u64 = 1;
const PTE_R: u64 = 2;
const PTE_W: u64 = 4;
const PTE_X: u64 = 8;
const PTE_U: u64 = 16;
const PTE_A: u64 = 64;
const PTE_D: u64 = 128;
const PTE_N: u64 = 1 << 63;
/** Reserved bits, and Svpbmt's, which this hart does not have. */
const PTE_RESERVED: u64 = 0x7fc0000000000000;
const PPN_MASK: u64 = 0xfffffffffff;

/** Privilege that an access is checked with: mstatus.MPRV lends MPP's to loads and stores. */
export function effectivePrivilege(h: usize, access: u32): u32 {
  const priv = load<u32>(h, PRIV);
  const status = load<u64>(h, MSTATUS);
  if (priv == MACHINE && access != FETCH && (status & MSTATUS_MPRV) != 0) {
    return <u32>(status >> 11) & 3;
  }
  return priv;
}

/** Whether `size` bytes at a physical address are RAM. */
// @ts-ignore: decorator
@inline
export function isRam(h: usize, physical: u64, size: u32): bool {
  const offset = physical - RAM_BASE;
  const ram = <u64>load<u32>(h, RAM_SIZE);
  return offset < ram && offset + size <= ram;
}

/** Offset in the memory of a physical address that is RAM. */
// @ts-ignore: decorator
@inline
export function ramAt(physical: u64): usize {
  return <usize>(physical - RAM_BASE) + RAM_OFFSET;
}

function pageFault(h: usize, access: u32, address: u64): u64 {
  const cause =
    access == FETCH ? CAUSE_FETCH_PAGE : access == STORE ? CAUSE_STORE_PAGE : CAUSE_LOAD_PAGE;
  fault(h, cause, address);
  return NOWHERE;
}

export function accessFault(h: usize, access: u32, address: u64): u64 {
  const cause =
    access == FETCH ? CAUSE_FETCH_ACCESS : access == STORE ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS;
  fault(h, cause, address);
  return NOWHERE;
}

/** Physical address for an access, PMP not yet asked; NOWHERE with the fault noted. */
export function translateFor(h: usize, address: u64, access: u32): u64 {
  const priv = effectivePrivilege(h, access);
  const satp = load<u64>(h, SATP);
  const mode = <u32>(satp >> 60);
  if (priv == MACHINE || mode == 0) {
    // The last byte of all has the address that means none, and nothing is there.
    return address == NOWHERE ? accessFault(h, access, address) : address;
  }
  const levels: i32 = mode == 8 ? 3 : 4;
  // Bits above the top one must equal it.
  const unused = 64 - (12 + 9 * levels);
  if (<u64>(<i64>(address << unused) >> unused) != address) return pageFault(h, access, address);

  const status = load<u64>(h, MSTATUS);
  let table = (satp & PPN_MASK) << 12;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = 12 + 9 * level;
    const at = table + (((address >> shift) & 511) << 3);
    if (!isRam(h, at, 8) || !pmpAllows(h, at, 8, LOAD, SUPERVISOR)) {
      return accessFault(h, access, address);
    }
    if (isAbsent(h, <u32>(at - RAM_BASE))) return NOWHERE;
    const pte = loadShared<u64>(ramAt(at));
    if ((pte & PTE_V) == 0 || (pte & (PTE_R | PTE_W)) == PTE_W || (pte & PTE_RESERVED) != 0) {
      return pageFault(h, access, address);
    }
    const ppn = (pte >> 10) & PPN_MASK;
    if ((pte & (PTE_R | PTE_X)) == 0) {
      // A pointer to the next table has no A, D, U or N.
      if ((pte & (PTE_A | PTE_D | PTE_U | PTE_N)) != 0) return pageFault(h, access, address);
      table = ppn << 12;
      continue;
    }
    // A leaf.
    if ((pte & PTE_U) != 0) {
      if (priv == SUPERVISOR && (access == FETCH || (status & MSTATUS_SUM) == 0)) {
        return pageFault(h, access, address);
      }
    } else if (priv == USER) {
      return pageFault(h, access, address);
    }
    const readable = (pte & PTE_R) != 0 || ((status & MSTATUS_MXR) != 0 && (pte & PTE_X) != 0);
    if (access == FETCH ? (pte & PTE_X) == 0 : access == STORE ? (pte & PTE_W) == 0 : !readable) {
      return pageFault(h, access, address);
    }
    let offsetBits = shift;
    if ((pte & PTE_N) != 0) {
      // Svnapot: 64 KiB, of level 0 only.
      if (level != 0 || (ppn & 15) != 8) return pageFault(h, access, address);
      offsetBits = 16;
    } else if ((ppn & (((<u64>1) << (9 * level)) - 1)) != 0) {
      return pageFault(h, access, address);
    }
    const needed = access == STORE ? PTE_A | PTE_D : PTE_A;
    if ((pte & needed) != needed) {
      if ((load<u64>(h, MENVCFG) & MENVCFG_ADUE) == 0) return pageFault(h, access, address);
      if (!pmpAllows(h, at, 8, STORE, SUPERVISOR)) return accessFault(h, access, address);
      beforeStore(h, <u32>(at - RAM_BASE));
      // Another hart may have changed the entry: walk again from it.
      if (compareExchange<u64>(ramAt(at), pte, pte | needed) != pte) {
        level++;
        continue;
      }
      noteStore(h, <u32>(at - RAM_BASE), 8);
    }
    if (offsetBits > 12) noteSuperpage(h, address);
    const offsetMask = ((<u64>1) << offsetBits) - 1;
    return ((ppn << 12) & ~offsetMask) | (address & offsetMask);
  }
  return pageFault(h, access, address);
}
