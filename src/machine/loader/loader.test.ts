import { describe, expect, it } from 'vitest';
import { UserError } from '../errors.ts';
import { parseElf } from './elf.ts';
import { parseLinuxImage } from './image.ts';
import { makeElf, makeImage } from './testing.ts';

describe('Linux Image', () => {
  it('reads offset and size', () => {
    expect(parseLinuxImage(makeImage({ imageSize: 5000n }))).toEqual({
      textOffset: 2 << 20,
      imageSize: 5000,
    });
  });

  it('occupies at least its file', () => {
    expect(parseLinuxImage(makeImage({ imageSize: 0n })).imageSize).toBe(4096);
  });

  const raw = (...bytes: (number | string)[]): Uint8Array => {
    const file = new Uint8Array(1024);
    let at = 0;
    for (const part of bytes) {
      for (const byte of typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : [part])
        file[at++] = byte;
    }
    return file;
  };
  const at = (offset: number, text: string): Uint8Array => {
    const file = raw();
    [...text].forEach((c, i) => {
      file[offset + i] = c.charCodeAt(0);
    });
    return file;
  };

  it.each([
    ['an empty file', new Uint8Array(0), /empty/],
    ['a short file', new Uint8Array(10), /only 10 bytes/],
    ['gzip', raw(0x1f, 0x8b), /gzip.*gunzip/],
    ['zstd', raw(0x28, 0xb5, 0x2f, 0xfd), /zstd.*unzstd/],
    ['xz', raw(0xfd, '7zXZ', 0), /xz.*unxz/],
    ['ELF', raw('\x7fELF'), /ELF/],
    ['EFI', raw('MZ\0\0zimg'), /EFI/],
    ['arm64', at(0x38, 'ARM\x64'), /arm64/],
    ['x86', at(0x202, 'HdrS'), /x86/],
    ['text', raw('hello'), /RSC/],
    ['a huge size', makeImage({ imageSize: 1n << 63n }), /damaged/],
    ['a huge offset', makeImage({ textOffset: 1n << 40n }), /damaged/],
    ['a crooked offset', makeImage({ textOffset: 4096n }), /2 MB/],
    ['big-endian', makeImage({ flags: 1n }), /big-endian/],
  ])('refuses %s with a sentence that says so', (_name, file, sentence) => {
    expect(() => parseLinuxImage(file)).toThrow(UserError);
    expect(() => parseLinuxImage(file)).toThrow(sentence);
  });
});

describe('ELF', () => {
  const segments = [
    { virtual: 0x8000_0000n, physical: 0x8000_0000n, data: Uint8Array.of(1, 2, 3), memory: 16n },
    { virtual: 0xffff_8000n, physical: 0x8000_1000n, data: Uint8Array.of(9), memory: 1n },
  ];

  it('reads segments, entry and symbols as physical addresses', () => {
    const file = makeElf({
      entry: 0xffff_8000n,
      segments,
      symbols: { tohost: 0x8000_0008n, tohost2: 4n, high: 0xffff_8000n },
    });
    const elf = parseElf(file, ['tohost', 'fromhost', 'high']);
    expect(elf.entry).toBe(0x8000_1000);
    expect(
      elf.segments.map(({ physical, data, memorySize }) => [physical, [...data], memorySize]),
    ).toEqual([
      [0x8000_0000, [1, 2, 3], 16],
      [0x8000_1000, [9], 1],
    ]);
    expect([...elf.symbols]).toEqual([
      ['tohost', 0x8000_0008],
      ['high', 0x8000_1000],
    ]);
  });

  const patched = (patch: (view: DataView, file: Uint8Array) => void): Uint8Array => {
    const file = makeElf({ entry: 0x8000_0000n, segments, symbols: { tohost: 1n } });
    patch(new DataView(file.buffer), file);
    return file;
  };
  const PHDR = 64;

  it.each([
    ['text', new TextEncoder().encode('#!/bin/sh'), /ELF magic/],
    ['a cut header', makeElf({ entry: 0n, segments, symbols: {} }).slice(0, 40), /cut short/],
    ['32 bit', patched((_, file) => file.fill(1, 4, 5)), /64-bit/],
    ['x86', patched((view) => view.setUint16(18, 62, true)), /RISC-V/],
    ['a shared object', patched((view) => view.setUint16(16, 3, true)), /statically/],
    ['headers past the end', patched((view) => view.setBigUint64(32, 99999n, true)), /cut off/],
    ['headers beyond 2^53', patched((view) => view.setBigUint64(32, 1n << 60n, true)), /damaged/],
    ['thousands of headers', patched((view) => view.setUint16(56, 0xffff, true)), /headers/],
    ['tiny headers', patched((view) => view.setUint16(54, 8, true)), /short/],
    ['nothing to load', patched((view) => view.setUint16(56, 0, true)), /nothing to load/],
    ['data past the end', patched((view) => view.setBigUint64(PHDR + 8, 9999n, true)), /its end/],
    ['data larger than memory', patched((v) => v.setBigUint64(PHDR + 40, 1n, true)), /larger/],
  ])('refuses %s', (_name, file, sentence) => {
    expect(() => parseElf(file, ['tohost'])).toThrow(UserError);
    expect(() => parseElf(file, ['tohost'])).toThrow(sentence);
  });

  it('finds no symbols where the tables make no sense', () => {
    const tables = [
      patched((view) => view.setBigUint64(40, 1n << 63n, true)),
      patched((view) => view.setBigUint64(40, BigInt(view.byteLength - 10), true)),
      patched((view) => view.setUint16(58, 3, true)),
    ];
    for (const file of tables) expect(parseElf(file, ['tohost']).symbols.size).toBe(0);
  });

  it('ends on any single damaged byte', () => {
    const good = makeElf({ entry: 0x8000_0000n, segments, symbols: { tohost: 0x8000_0000n } });
    for (let i = 0; i < good.length; i++) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const file = good.slice();
        file[i] = value;
        try {
          const elf = parseElf(file, ['tohost']);
          for (const segment of elf.segments) {
            expect(segment.data.length).toBeLessThanOrEqual(segment.memorySize);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }
    }
  });
});
