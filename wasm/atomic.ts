// The A extension over Wasm's atomics, right for several harts on one memory (unprivileged ISA
// 'A'). A reservation is the bytes that LR read, as their physical address, size and value; SC to
// exactly these bytes exchanges when they still hold that value, any other SC fails. The
// specification wants failure where SC's bytes are not all in the reservation set (sc.d after lr.w)
// and leaves sc.w after lr.d open ('Load-Reserved/Store-Conditional Instructions'; only equal sizes
// are promised success). QEMU 10 compares address and value alone, so there both succeed where the
// doubleword is the word with its sign extended.
import { RAM_BASE, RES_ADDR, RES_VALUE } from './generated/layout';
import { resolveAtomic } from './access';
import { LOAD, NOWHERE, ramAt, STORE } from './mmu';
import { noteStore } from './pages';
import {
  compareExchange,
  exchange,
  fetchAdd,
  fetchAnd,
  fetchOr,
  fetchXor,
  loadShared,
} from './shared';

/** Address and size as one: addresses are multiples of 4, bit 0 says that it is a doubleword. */
// @ts-ignore: decorator
@inline
function reservationOf<T>(physical: u64): u64 {
  return sizeof<T>() == 8 ? physical | 1 : physical;
}

function reserved<T>(h: usize, address: u64): i64 {
  const physical = resolveAtomic(h, address, sizeof<T>(), LOAD);
  if (physical == NOWHERE) return 0;
  const value = loadShared<T>(ramAt(physical));
  store<u64>(h, reservationOf<T>(physical), RES_ADDR);
  store<u64>(h, <u64>value, RES_VALUE);
  return <i64>value;
}

function conditional<T>(h: usize, address: u64, value: T): i64 {
  const physical = resolveAtomic(h, address, sizeof<T>(), STORE);
  if (physical == NOWHERE) return 0;
  const held = load<u64>(h, RES_ADDR) == reservationOf<T>(physical);
  store<u64>(h, -1, RES_ADDR);
  if (!held) return 1;
  const expected = <T>load<u64>(h, RES_VALUE);
  if (compareExchange<T>(ramAt(physical), expected, value) != expected) return 1;
  noteStore(h, <u32>(physical - RAM_BASE), sizeof<T>());
  return 0;
}

const SWAP = 0;
const ADD = 1;
const XOR = 2;
const AND = 3;
const OR = 4;
const MIN = 5;
const MAX = 6;
const MINU = 7;
const MAXU = 8;

/** T: i32 or i64; U: the same, unsigned. */
// @ts-ignore: decorator
@inline
function modify<T, U>(h: usize, address: u64, value: T, operation: i32): i64 {
  const physical = resolveAtomic(h, address, sizeof<T>(), STORE);
  if (physical == NOWHERE) return 0;
  const at = ramAt(physical);
  let old: T;
  if (operation == SWAP) old = exchange<T>(at, value);
  else if (operation == ADD) old = fetchAdd<T>(at, value);
  else if (operation == XOR) old = fetchXor<T>(at, value);
  else if (operation == AND) old = fetchAnd<T>(at, value);
  else if (operation == OR) old = fetchOr<T>(at, value);
  else {
    while (true) {
      old = loadShared<T>(at);
      let result = value;
      if (operation == MIN) result = old < value ? old : value;
      else if (operation == MAX) result = old > value ? old : value;
      else if (operation == MINU) result = <U>old < <U>value ? old : value;
      else result = <U>old > <U>value ? old : value;
      if (compareExchange<T>(at, old, result) == old) break;
    }
  }
  noteStore(h, <u32>(physical - RAM_BASE), sizeof<T>());
  return <i64>old;
}

export function lr_w(h: usize, address: u64, _value: i64): i64 {
  return reserved<i32>(h, address);
}

export function sc_w(h: usize, address: u64, value: i64): i64 {
  return conditional<i32>(h, address, <i32>value);
}

export function amoswap_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, SWAP);
}

export function amoadd_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, ADD);
}

export function amoxor_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, XOR);
}

export function amoand_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, AND);
}

export function amoor_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, OR);
}

export function amomin_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, MIN);
}

export function amomax_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, MAX);
}

export function amominu_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, MINU);
}

export function amomaxu_w(h: usize, address: u64, value: i64): i64 {
  return modify<i32, u32>(h, address, <i32>value, MAXU);
}

export function lr_d(h: usize, address: u64, _value: i64): i64 {
  return reserved<i64>(h, address);
}

export function sc_d(h: usize, address: u64, value: i64): i64 {
  return conditional<i64>(h, address, <i64>value);
}

export function amoswap_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, SWAP);
}

export function amoadd_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, ADD);
}

export function amoxor_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, XOR);
}

export function amoand_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, AND);
}

export function amoor_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, OR);
}

export function amomin_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, MIN);
}

export function amomax_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, MAX);
}

export function amominu_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, MINU);
}

export function amomaxu_d(h: usize, address: u64, value: i64): i64 {
  return modify<i64, u64>(h, address, <i64>value, MAXU);
}
