/** Files for tests: Linux Image headers and small ELF executables, made from their parts. */

export function makeImage(
  fields: { textOffset?: bigint; imageSize?: bigint; flags?: bigint } = {},
  size = 4096,
): Uint8Array {
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  view.setBigUint64(0x08, fields.textOffset ?? 2n << 20n, true);
  view.setBigUint64(0x10, fields.imageSize ?? BigInt(size), true);
  view.setBigUint64(0x18, fields.flags ?? 0n, true);
  view.setUint32(0x20, 2, true);
  view.setUint32(0x38, 0x05435352, true);
  return file;
}

export interface TestSegment {
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly data: Uint8Array;
  readonly memory: bigint;
}

/** st_shndx of a symbol that belongs to no section. */
const SHN_ABS = 0xfff1;

export function makeElf(parts: {
  entry: bigint;
  segments: readonly TestSegment[];
  symbols: Readonly<Record<string, bigint>>;
}): Uint8Array {
  const names = Object.keys(parts.symbols);
  const strings = new Uint8Array([0, ...names.flatMap((n) => [...ascii(n), 0])]);
  const headersEnd = 64 + 56 * parts.segments.length;
  const dataSize = parts.segments.reduce((sum, segment) => sum + segment.data.length, 0);
  const symbolsAt = (headersEnd + dataSize + 7) & ~7;
  const stringsAt = symbolsAt + 24 * names.length;
  const sectionsAt = (stringsAt + strings.length + 7) & ~7;
  const file = new Uint8Array(sectionsAt + 3 * 64);
  const view = new DataView(file.buffer);

  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, parts.entry, true);
  view.setBigUint64(32, 64n, true);
  view.setBigUint64(40, BigInt(sectionsAt), true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, parts.segments.length, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 3, true);

  let data = headersEnd;
  parts.segments.forEach((segment, i) => {
    const at = 64 + 56 * i;
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, 7, true);
    view.setBigUint64(at + 8, BigInt(data), true);
    view.setBigUint64(at + 16, segment.virtual, true);
    view.setBigUint64(at + 24, segment.physical, true);
    view.setBigUint64(at + 32, BigInt(segment.data.length), true);
    view.setBigUint64(at + 40, segment.memory, true);
    file.set(segment.data, data);
    data += segment.data.length;
  });

  let name = 1;
  names.forEach((symbol, i) => {
    view.setUint32(symbolsAt + 24 * i, name, true);
    view.setUint16(symbolsAt + 24 * i + 6, SHN_ABS, true);
    view.setBigUint64(symbolsAt + 24 * i + 8, parts.symbols[symbol] ?? 0n, true);
    name += symbol.length + 1;
  });
  file.set(strings, stringsAt);
  const section = (index: number, type: number, offset: number, size: number, link: number) => {
    const at = sectionsAt + 64 * index;
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setUint32(at + 40, link, true);
  };
  section(1, 2, symbolsAt, 24 * names.length, 2);
  section(2, 3, stringsAt, strings.length, 0);
  return file;
}

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
