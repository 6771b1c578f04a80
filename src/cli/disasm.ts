/**
 * `tabvisor disasm`: RISC-V code as text. Relies on `src/isa`; takes ELF files, plain code and
 * instruction words. Output is written in pieces and waits for its reader.
 */
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { instructionLength } from '../isa/codec.ts';
import { disassemble } from '../isa/disassemble.ts';
import { UserError } from '../machine/errors.ts';
import { isElf } from '../machine/loader/elf.ts';
import { readElfCode } from './elf-code.ts';
import { readInput } from './repository.ts';

const PIECE = 1 << 16;

export async function disasm(words: readonly string[], output: Writable): Promise<void> {
  if (words.length === 0) {
    throw new UserError('disasm needs a file or instruction words. See "tabvisor disasm --help".');
  }
  let address = 0n;
  for (const word of words) {
    if (existsSync(word)) {
      await disassembleFile(word, output);
      continue;
    }
    const match = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(word);
    if (!match) {
      throw new UserError(
        `"${word}" is neither a file nor an instruction word in hexadecimal. Check the path.`,
      );
    }
    const value = Number.parseInt(match[1] ?? '', 16);
    await print(output, line(address, value));
    address += BigInt(instructionLength(value));
  }
}

async function disassembleFile(path: string, output: Writable): Promise<void> {
  const file = await readInput(path, 'The file');
  if (!isElf(file)) {
    await disassembleBytes(file, 0n, output);
    return;
  }
  const parts = readElfCode(file, `The ELF file ${path}`);
  if (parts.length === 0) {
    throw new UserError(`The ELF file ${path} has no executable part. Give one with code.`);
  }
  for (const { title, address, data } of parts) {
    if (!(await print(output, `\n${title} at 0x${address.toString(16)}:\n`))) return;
    await disassembleBytes(data, address, output);
  }
}

async function disassembleBytes(data: Uint8Array, base: bigint, output: Writable): Promise<void> {
  let text = '';
  for (let at = 0; at < data.length; ) {
    const half = (i: number) => (data[at + i] ?? 0) | ((data[at + i + 1] ?? 0) << 8);
    const word = (half(0) | (half(2) << 16)) >>> 0;
    text += line(base + BigInt(at), word);
    at += instructionLength(word);
    if (text.length > PIECE) {
      if (!(await print(output, text))) return;
      text = '';
    }
  }
  await print(output, text);
}

/** One instruction with its address and encoding. */
export function line(address: bigint, word: number): string {
  const length = instructionLength(word);
  const bits = length === 4 ? word >>> 0 : word & 0xffff;
  const code = bits.toString(16).padStart(2 * length, '0');
  return `${address.toString(16).padStart(8, ' ')}:  ${code.padEnd(8)}  ${disassemble(word, address)}\n`;
}

/** Writes and waits for the reader; false when there is none any more. */
async function print(output: Writable, text: string): Promise<boolean> {
  if (output.destroyed) return false;
  if (!output.write(text)) {
    await new Promise<void>((resolve) => {
      output.once('drain', resolve);
      output.once('close', resolve);
    });
  }
  return !output.destroyed;
}
