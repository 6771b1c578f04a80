/**
 * The file given as firmware: looks, before a machine starts, for what cannot be RISC-V code. Relies
 * on src/isa knowing all that the core runs; guarantees nothing for what only looks like code.
 */
import { disassemble } from '../isa/disassemble.ts';
import { UserError } from '../machine/errors.ts';
import { isElf, parseElf } from '../machine/loader/elf.ts';

/** Bytes that tell text from code. */
const SAMPLE = 4096;

export function checkFirmware(file: Uint8Array, path: string): void {
  const name = `The firmware ${path}`;
  if (file.length === 0) throw new UserError(`${name} is empty. Check the path.`);
  if (isElf(file)) {
    parseElf(file, [], name);
    return;
  }
  const why = isText(file)
    ? 'it is text'
    : startsWithCode(file)
      ? undefined
      : 'its first bytes are no instruction';
  if (why !== undefined) {
    throw new UserError(
      `${name} is no RISC-V code: ${why}. Give a plain binary or an ELF file for riscv64.`,
    );
  }
}

/** UTF-8 without control characters other than white space. */
function isText(file: Uint8Array): boolean {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const text = decoder.decode(file.subarray(0, SAMPLE), { stream: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    return !/[\0-\x08\x0e-\x1f\x7f]/.test(text);
  } catch {
    return false;
  }
}

/** Whether the first instruction exists: it is where the machine starts. */
function startsWithCode(file: Uint8Array): boolean {
  const byte = (i: number) => file[i] ?? 0;
  const word = (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0;
  return !disassemble(word, 0n).startsWith('.');
}
