/**
 * The extensions that a hart implements: the one list from which misa, the device tree and the
 * instruction table's completeness check come.
 */

/** Single-letter extensions, in canonical order (unprivileged ISA, 'ISA Extension Naming'). */
export const BASE_EXTENSIONS = ['i', 'm', 'a', 'f', 'd', 'c'] as const;

/** Multi-letter extensions, in canonical order: Z by category, then S. */
export const NAMED_EXTENSIONS = [
  'zicbom',
  'zicbop',
  'zicboz',
  'zicntr',
  'zicond',
  'zicsr',
  'zifencei',
  'zihintpause',
  'zihpm',
  'zawrs',
  'zba',
  'zbb',
  'zbs',
  'sstc',
  'svadu',
  'svinval',
  'svnapot',
] as const;

/** For the device tree's `riscv,isa`. */
export const ISA_STRING = `rv64${BASE_EXTENSIONS.join('')}_${NAMED_EXTENSIONS.join('_')}`;

/** For the device tree's `riscv,isa-extensions`. */
export const ISA_EXTENSIONS: readonly string[] = [...BASE_EXTENSIONS, ...NAMED_EXTENSIONS];

/** misa: MXL = 2 (64 bits), the letters above, S and U. */
export const MISA =
  (2n << 62n) |
  [...BASE_EXTENSIONS, 's', 'u'].reduce(
    (bits, letter) => bits | (1n << BigInt(letter.charCodeAt(0) - 97)),
    0n,
  );
