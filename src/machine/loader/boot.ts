/**
 * What a boot puts where in RAM, and how the hart starts: for a Linux kernel under the machine's own
 * SBI, for firmware in M-mode with or without a kernel behind it, for a bare-metal ELF file. Relies
 * on the parsers beside it; guarantees that the parts lie inside RAM and do not overlap, or refuses
 * with a sentence. Nothing here touches memory: the plan is data.
 */
import { UserError } from '../errors.ts';
import { encodeFdtValue } from '../fdt.ts';
import { MEMORY_MIN_LINUX, MIB, RAM_BASE } from '../memory-map.ts';
import { type ElfFile, isElf, parseElf } from './elf.ts';
import { KERNEL_ALIGNMENT, parseLinuxImage } from './image.ts';

export type BootConfig =
  | {
      readonly kind: 'linux';
      readonly kernel: Uint8Array;
      readonly initrd?: Uint8Array;
      readonly append: string;
    }
  | {
      readonly kind: 'firmware';
      readonly firmware: Uint8Array;
      readonly kernel?: Uint8Array;
      readonly initrd?: Uint8Array;
      readonly append: string;
    }
  | { readonly kind: 'elf'; readonly elf: Uint8Array };

/** A range of RAM, as an offset from its start. */
export interface Range {
  readonly offset: number;
  readonly size: number;
}

export interface Htif {
  /** Guest-physical addresses. */
  readonly tohost: number;
  readonly fromhost?: number;
}

export interface BootPlan {
  readonly mode: 'machine' | 'supervisor';
  /** Guest-physical address of the first instruction. */
  readonly entry: number;
  /** What to copy into RAM, apart from the device tree. */
  readonly writes: readonly { readonly offset: number; readonly data: Uint8Array }[];
  /** Room for the device tree. */
  readonly fdt: Range;
  readonly initrd?: Range;
  readonly append: string;
  readonly htif?: Htif;
  /** Offset of OpenSBI's fw_dynamic information, which a2 points to. */
  readonly dynamicInfo?: Range & { readonly data: Uint8Array };
}

/** Linux's COMMAND_LINE_SIZE on RISC-V (1024 since 6.4) without the zero that ends it. */
const APPEND_MAX = 1023;
/** A large page: the device tree and the initrd get such boundaries, so any kernel can map them. */
const LARGE_PAGE = 2 * MIB;
/** A device tree has some 5 KB; the kernel takes at most 1 MB. */
const FDT_ROOM_SMALL = 16 * 1024;
const PAGE = 4096;
/** fw_dynamic's structure (OpenSBI docs/firmware/fw_dynamic.md): six words of 64 bits. */
const DYNAMIC_INFO_BYTES = 48;
const DYNAMIC_INFO_MAGIC = 0x4942534fn;
const DYNAMIC_INFO_VERSION = 2n;
const NEXT_MODE_SUPERVISOR = 1n;

export function planBoot(boot: BootConfig, memory: number): BootPlan {
  if (boot.kind !== 'elf') checkAppend(boot.append);
  switch (boot.kind) {
    case 'linux':
      return planLinux(boot, memory);
    case 'firmware':
      return planFirmware(boot, memory);
    case 'elf':
      return planElf(boot.elf, memory);
  }
}

/** Lets nothing through that the kernel would silently cut: the end may matter most. */
function checkAppend(append: string): void {
  const length = encodeFdtValue(append).length - 1;
  if (length > APPEND_MAX) {
    throw new UserError(
      `The kernel's command line has ${length} bytes; Linux takes ${APPEND_MAX} at most. Shorten it.`,
    );
  }
  if (append.includes('\0')) {
    throw new UserError("The kernel's command line holds a zero byte, which ends it. Remove it.");
  }
}

function planLinux(boot: BootConfig & { kind: 'linux' }, memory: number): BootPlan {
  const layout = new Layout(memory);
  const kernel = addKernel(layout, boot.kernel, boot.initrd?.length ?? 0);
  const fdt = layout.high('the device tree', LARGE_PAGE, LARGE_PAGE);
  const initrd = addInitrd(layout, boot.initrd);
  return {
    mode: 'supervisor',
    entry: RAM_BASE + kernel,
    writes: layout.writes,
    fdt,
    initrd,
    append: boot.append,
  };
}

function planFirmware(boot: BootConfig & { kind: 'firmware' }, memory: number): BootPlan {
  const layout = new Layout(memory);
  let entry = RAM_BASE;
  if (isElf(boot.firmware)) {
    entry = addElf(layout, boot.firmware, 'The firmware').entry;
  } else {
    if (boot.firmware.length === 0) throw new UserError('The firmware is empty. Check the path.');
    layout.put('the firmware', 0, boot.firmware.length, boot.firmware);
  }
  const next = boot.kernel && addKernel(layout, boot.kernel, boot.initrd?.length ?? 0);
  const slot = layout.high('the device tree', LARGE_PAGE, LARGE_PAGE);
  const initrd = addInitrd(layout, boot.initrd);
  // The last page of the slot: the device tree never gets that large.
  const info = { offset: slot.offset + slot.size - PAGE, size: DYNAMIC_INFO_BYTES };
  return {
    mode: 'machine',
    entry,
    writes: layout.writes,
    fdt: { offset: slot.offset, size: slot.size - PAGE },
    initrd,
    append: boot.append,
    dynamicInfo: { ...info, data: dynamicInfo(next) },
  };
}

function planElf(file: Uint8Array, memory: number): BootPlan {
  const layout = new Layout(memory);
  const elf = addElf(layout, file, 'The ELF file');
  const large = memory >= 8 * LARGE_PAGE;
  const fdt = large
    ? layout.high('the device tree', LARGE_PAGE, LARGE_PAGE)
    : layout.high('the device tree', FDT_ROOM_SMALL, PAGE);
  const tohost = elf.symbols.get('tohost');
  return {
    mode: 'machine',
    entry: elf.entry,
    writes: layout.writes,
    fdt,
    append: '',
    htif:
      tohost === undefined
        ? undefined
        : {
            tohost: checkHtif(layout, 'tohost', tohost),
            fromhost: checkFromhost(layout, elf.symbols.get('fromhost')),
          },
  };
}

function addKernel(layout: Layout, kernel: Uint8Array, initrdSize: number): number {
  const { textOffset, imageSize } = parseLinuxImage(kernel);
  if (layout.memory < MEMORY_MIN_LINUX) {
    throw new UserError(
      `A Linux kernel needs ${MEMORY_MIN_LINUX / MIB} MB of memory at least; this machine has ` +
        `${Math.floor(layout.memory / MIB)} MB. Give it more.`,
    );
  }
  const needed = textOffset + imageSize + initrdSize + 3 * LARGE_PAGE;
  if (needed > layout.memory) {
    throw new UserError(
      `The kernel and its initrd need ${Math.ceil(needed / MIB)} MB of memory; this machine has ` +
        `${Math.floor(layout.memory / MIB)} MB. Give it more.`,
    );
  }
  // With firmware below it an image that asks for offset 0 goes to the next boundary.
  const offset = Math.max(textOffset, layout.end, 0);
  const at = Math.ceil(offset / KERNEL_ALIGNMENT) * KERNEL_ALIGNMENT;
  layout.put('the kernel', at, imageSize, kernel);
  return at;
}

function addInitrd(layout: Layout, initrd: Uint8Array | undefined): Range | undefined {
  if (!initrd || initrd.length === 0) return undefined;
  const range = layout.high('the initrd', initrd.length, LARGE_PAGE);
  layout.writes.push({ offset: range.offset, data: initrd });
  return range;
}

function addElf(layout: Layout, file: Uint8Array, name: string): ElfFile {
  const elf = parseElf(file, ['tohost', 'fromhost'], name);
  for (const [i, { physical, data, memorySize }] of elf.segments.entries()) {
    layout.put(`${name.replace(/^T/, 't')}'s segment ${i}`, physical - RAM_BASE, memorySize, data);
  }
  const entry = elf.entry - RAM_BASE;
  if (entry < 0 || entry >= layout.memory || entry % 2 !== 0) {
    throw new UserError(
      `${name} starts at 0x${elf.entry.toString(16)}, which is not in memory. ` +
        'Link it for 0x80000000.',
    );
  }
  return elf;
}

function checkHtif(layout: Layout, symbol: string, address: number): number {
  const offset = address - RAM_BASE;
  if (offset < 0 || offset + 8 > layout.memory || offset % 8 !== 0) {
    throw new UserError(
      `The symbol ${symbol} is at 0x${address.toString(16)}: it must be 8 bytes in memory, ` +
        'on a multiple of 8.',
    );
  }
  return address;
}

function checkFromhost(layout: Layout, address: number | undefined): number | undefined {
  return address === undefined ? undefined : checkHtif(layout, 'fromhost', address);
}

function dynamicInfo(kernelOffset: number | undefined): Uint8Array {
  const info = new Uint8Array(DYNAMIC_INFO_BYTES);
  const view = new DataView(info.buffer);
  const next = kernelOffset === undefined ? 0n : BigInt(RAM_BASE + kernelOffset);
  const words = [DYNAMIC_INFO_MAGIC, DYNAMIC_INFO_VERSION, next, NEXT_MODE_SUPERVISOR, 0n, 0n];
  for (const [i, word] of words.entries()) view.setBigUint64(8 * i, word, true);
  return info;
}

/** Which ranges of RAM are taken. */
class Layout {
  readonly memory: number;
  readonly writes: { offset: number; data: Uint8Array }[] = [];
  readonly #taken: (Range & { readonly name: string })[] = [];

  constructor(memory: number) {
    this.memory = memory;
  }

  /** End of the highest range that is taken. */
  get end(): number {
    return this.#taken.reduce((end, range) => Math.max(end, range.offset + range.size), 0);
  }

  /** Takes a range that must be free, and fills its beginning with `data`. */
  put(name: string, offset: number, size: number, data: Uint8Array): void {
    if (offset < 0 || offset + size > this.memory) {
      const first = (RAM_BASE + offset).toString(16);
      throw new UserError(
        `No memory is where ${name} wants to be: ${size} bytes at 0x${first}; memory is ` +
          `${Math.floor(this.memory / MIB)} MB at 0x80000000. Give the machine more memory, or ` +
          'link the program for these addresses.',
      );
    }
    const other = this.#conflict(offset, size);
    if (other) {
      throw new UserError(`In memory ${name} would overlap ${other.name}. Link it elsewhere.`);
    }
    this.#taken.push({ name, offset, size });
    this.writes.push({ offset, data });
  }

  /** The highest free range of `size` bytes on a multiple of `alignment`. */
  high(name: string, size: number, alignment: number): Range {
    let offset = Math.floor((this.memory - size) / alignment) * alignment;
    for (let other = this.#conflict(offset, size); other && offset >= 0; ) {
      offset = Math.floor((other.offset - size) / alignment) * alignment;
      other = this.#conflict(offset, size);
    }
    if (offset < 0) {
      throw new UserError(
        `No room is left in ${Math.floor(this.memory / MIB)} MB of memory for ${name}. ` +
          'Give the machine more memory.',
      );
    }
    this.#taken.push({ name, offset, size });
    return { offset, size };
  }

  #conflict(offset: number, size: number): (Range & { readonly name: string }) | undefined {
    return this.#taken.find(
      (range) => offset < range.offset + range.size && range.offset < offset + size,
    );
  }
}
