/**
 * Small static RISC-V programs for Linux, assembled from bench/programs: kinds of work that no
 * command of the guest does alone. Relies on the repository's own assembler; guarantees a file that
 * Linux starts, whose first instruction is `_start` of start.s and whose `heap` is zeroed memory.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assemble } from '../src/isa/assemble.ts';

const BASE = 0x10000n;
const HEADER = 64 + 56;
/** Bytes behind the program that are there without being in the file. */
const HEAP = 80 << 20;

export const PROGRAMS = [
  'blocks',
  'branches',
  'calls',
  'faults',
  'float',
  'indirect',
  'integer',
  'random',
  'stream',
  'switches',
  'text',
] as const;
export type Program = (typeof PROGRAMS)[number];

export function buildProgram(name: Program): Buffer {
  const [start, main] = ['start', name].map((part) =>
    readFileSync(fileURLToPath(new URL(`programs/${part}.s`, import.meta.url)), 'utf8'),
  );
  const { bytes } = assemble(`${start}\n${main}\n.balign 4096\nheap:\n`, {
    base: BASE + BigInt(HEADER),
  });
  return elf(bytes);
}

/** System V ABI, gABI 4.1, figures 4-3 and 5-1: one segment with everything in it. */
function elf(code: Uint8Array): Buffer {
  const size = HEADER + code.length;
  const file = Buffer.alloc(size);
  file.write('\x7fELF', 'latin1');
  file.set([2, 1, 1], 4); // 64 bits, little endian, version
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(243, 18); // RISC-V
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BASE + BigInt(HEADER), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt32LE(5, 48); // compressed code allowed, double-precision ABI
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // to be loaded
  file.writeUInt32LE(7, 68); // read, write, execute
  file.writeBigUInt64LE(BASE, 80);
  file.writeBigUInt64LE(BASE, 88);
  file.writeBigUInt64LE(BigInt(size), 96);
  file.writeBigUInt64LE(BigInt(size + HEAP), 104);
  file.writeBigUInt64LE(4096n, 112);
  file.set(code, HEADER);
  return file;
}
