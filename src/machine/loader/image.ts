/**
 * The RISC-V Linux `Image` header (Documentation/arch/riscv/boot-image-header.rst). Relies on
 * nothing but the file's bytes, which may be hostile; guarantees that what it returns fits the file
 * and that a refusal names what the file is instead, when that can be told.
 */
import { UserError } from '../errors.ts';

export interface LinuxImage {
  /** Where the image wants to be, from the start of RAM. */
  readonly textOffset: number;
  /** Bytes of memory that the kernel occupies from its first byte, .bss included. */
  readonly imageSize: number;
}

const HEADER_BYTES = 64;
const FLAG_BIG_ENDIAN = 1n;
/** The boot protocol wants a kernel on a boundary of 2 MB, the size of a large page. */
export const KERNEL_ALIGNMENT = 2 << 20;
/** No machine has more RAM; keeps every sum of sizes far below 2^53. */
const MAX_IMAGE_SIZE = 1n << 31n;

export function parseLinuxImage(file: Uint8Array, name = 'The kernel'): LinuxImage {
  if (!hasMagic(file, 0x38, 'RSC\x05')) {
    throw new UserError(`${name} is no RISC-V Linux Image: ${whatItIs(file)}`);
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const textOffset = view.getBigUint64(0x08, true);
  const imageSize = view.getBigUint64(0x10, true);
  const flags = view.getBigUint64(0x18, true);
  if (flags & FLAG_BIG_ENDIAN) {
    throw new UserError(`${name} is a big-endian RISC-V kernel. Give a little-endian one.`);
  }
  if (imageSize > MAX_IMAGE_SIZE || textOffset > MAX_IMAGE_SIZE) {
    throw new UserError(
      `${name} has a damaged header: it asks for ${imageSize} bytes at offset ${textOffset}. ` +
        'Fetch the file again.',
    );
  }
  if (textOffset % BigInt(KERNEL_ALIGNMENT) !== 0n) {
    throw new UserError(
      `${name} wants to be loaded at offset ${textOffset}, which is not a multiple of 2 MB. ` +
        'Give a kernel built for the RISC-V boot protocol.',
    );
  }
  return {
    textOffset: Number(textOffset),
    // A header of size 0 is from before the field existed (v0.1): then the file is all there is.
    imageSize: Math.max(Number(imageSize), file.length),
  };
}

/** What a file that is no Image looks like, and what to do about it. */
function whatItIs(file: Uint8Array): string {
  if (file.length === 0) return 'it is empty. Check the path.';
  if (file.length < HEADER_BYTES) {
    return `it has only ${file.length} bytes. Give the uncompressed "Image" file.`;
  }
  for (const [magic, format, command] of COMPRESSED) {
    if (hasMagic(file, 0, magic)) {
      return `it is compressed with ${format}. Unpack it first, for instance by "${command}".`;
    }
  }
  if (hasMagic(file, 0, '\x7fELF')) {
    return 'it is an ELF file. Give the "Image" file, or start a bare-metal program as ELF.';
  }
  if (hasMagic(file, 4, 'zimg')) {
    return 'it is an EFI application with a compressed kernel inside. Give the raw "Image" file.';
  }
  if (hasMagic(file, 0x38, 'ARM\x64')) return 'it is a kernel for arm64. Give one for riscv64.';
  if (hasMagic(file, 0x202, 'HdrS')) return 'it is a kernel for x86. Give one for riscv64.';
  return 'the magic "RSC\\x05" at offset 0x38 is missing. Give the uncompressed "Image" file.';
}

const COMPRESSED = [
  ['\x1f\x8b', 'gzip', 'gunzip'],
  ['\x28\xb5\x2f\xfd', 'zstd', 'unzstd'],
  ['\xfd7zXZ\0', 'xz', 'unxz'],
  ['BZh', 'bzip2', 'bunzip2'],
  ['\x02!L\x18', 'lz4', 'unlz4'],
] as const;

/** Whether `magic`, one character a byte, stands at `offset`. */
export function hasMagic(file: Uint8Array, offset: number, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) {
    if (file[offset + i] !== magic.charCodeAt(i)) return false;
  }
  return true;
}
