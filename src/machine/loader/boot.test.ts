import { describe, expect, it } from 'vitest';
import { UserError } from '../errors.ts';
import { MIB, RAM_BASE } from '../memory-map.ts';
import { type BootConfig, planBoot } from './boot.ts';
import { makeElf, makeImage } from './testing.ts';

const kernel = makeImage({ imageSize: BigInt(33 * MIB) });
const initrd = new Uint8Array(3 * MIB).fill(7);
const linux: BootConfig = { kind: 'linux', kernel, initrd, append: 'quiet' };

describe('where a boot puts things', () => {
  for (const memory of [96, 97, 128, 2048]) {
    it(`Linux in ${memory} MB: kernel at 2 MB, the rest high, aligned and apart`, () => {
      const plan = planBoot(linux, memory * MIB);
      expect(plan.mode).toBe('supervisor');
      expect(plan.entry).toBe(RAM_BASE + 2 * MIB);
      expect(plan.writes.map(({ offset }) => offset)).toEqual([2 * MIB, plan.initrd?.offset]);
      expect(plan.initrd?.size).toBe(initrd.length);
      for (const { offset, size } of [plan.fdt, plan.initrd!]) {
        expect(offset % (2 * MIB)).toBe(0);
        expect(offset).toBeGreaterThanOrEqual(35 * MIB);
        expect(offset + size).toBeLessThanOrEqual(memory * MIB);
      }
      expect(plan.initrd!.offset + plan.initrd!.size).toBeLessThanOrEqual(plan.fdt.offset);
    });
  }

  it('refuses Linux below 96 MB, and what does not fit, with sentences', () => {
    expect(() => planBoot(linux, 95 * MIB)).toThrow(/needs 96 MB .* has 95 MB/);
    const large = { ...linux, kernel: makeImage({ imageSize: BigInt(200 * MIB) }) };
    expect(() => planBoot(large, 128 * MIB)).toThrow(/need 211 MB/);
  });

  it('refuses a command line that the kernel would cut', () => {
    const append = (text: string) => () => planBoot({ ...linux, append: text }, 128 * MIB);
    expect(append('x'.repeat(1023))().append.length).toBe(1023);
    expect(append('x'.repeat(1024))).toThrow(/has 1024 bytes; Linux takes 1023 at most/);
    expect(append('é'.repeat(512))).toThrow(/has 1024 bytes/);
    expect(append('quiet\0 more')).toThrow(/holds a zero byte/);
  });

  it('firmware: at the start of RAM in M-mode, told of the kernel behind it', () => {
    const firmware = new Uint8Array(300_000).fill(1);
    const plan = planBoot({ ...linux, kind: 'firmware', firmware }, 128 * MIB);
    expect(plan.mode).toBe('machine');
    expect(plan.entry).toBe(RAM_BASE);
    expect(plan.writes.map(({ offset }) => offset)).toEqual([0, 2 * MIB, plan.initrd?.offset]);
    const info = plan.dynamicInfo!;
    const view = new DataView(info.data.buffer);
    const words = [0, 1, 2, 3, 4, 5].map((i) => view.getBigUint64(8 * i, true));
    expect(words).toEqual([0x4942534fn, 2n, 0x8020_0000n, 1n, 0n, 0n]);
    expect(info.offset).toBeGreaterThanOrEqual(plan.fdt.offset + plan.fdt.size);
    expect(info.offset + info.size).toBeLessThanOrEqual(128 * MIB);
  });

  it('firmware alone, and firmware too large for the kernel behind it', () => {
    const firmware = new Uint8Array(3 * MIB);
    const alone = planBoot({ kind: 'firmware', firmware, append: '' }, 8 * MIB);
    expect(new DataView(alone.dynamicInfo!.data.buffer).getBigUint64(16, true)).toBe(0n);
    const both = planBoot({ kind: 'firmware', firmware, kernel, append: '' }, 128 * MIB);
    expect(new DataView(both.dynamicInfo!.data.buffer).getBigUint64(16, true)).toBe(0x8040_0000n);
    expect(() =>
      planBoot({ kind: 'firmware', firmware: new Uint8Array(0), append: '' }, 8 * MIB),
    ).toThrow(/empty/);
  });

  const elf = (at: bigint, memory: bigint, symbols: Record<string, bigint> = {}, entry = at) =>
    makeElf({
      entry,
      segments: [{ virtual: at, physical: at, data: Uint8Array.of(1), memory }],
      symbols,
    });

  it('ELF: M-mode at its entry, in 1 MB, the device tree where the program is not', () => {
    const low = planBoot({ kind: 'elf', elf: elf(0x8000_0000n, 4096n) }, MIB);
    expect(low).toMatchObject({ mode: 'machine', entry: RAM_BASE, fdt: { offset: 0xfc000 } });
    expect(low.htif).toBeUndefined();
    const high = planBoot({ kind: 'elf', elf: elf(0x800f_e000n, 4096n) }, MIB);
    expect(high.fdt.offset).toBe(0xfa000);
  });

  it('ELF: finds the host interface', () => {
    const symbols = { tohost: 0x8000_0100n, fromhost: 0x8000_0140n };
    const plan = planBoot({ kind: 'elf', elf: elf(0x8000_0000n, 4096n, symbols) }, MIB);
    expect(plan.htif).toEqual({ tohost: 0x8000_0100, fromhost: 0x8000_0140 });
  });

  it.each([
    ['outside memory', elf(0x1000n, 16n), /No memory is where the ELF file's segment 0/],
    ['larger than memory', elf(0x8000_0000n, 0x10_0001n), /No memory/],
    ['starting outside memory', elf(0x8000_0000n, 16n, {}, 0x9000_0000n), /starts at 0x90000000/],
    ['with tohost outside', elf(0x8000_0000n, 16n, { tohost: 8n }), /tohost is at 0x8/],
    ['with crooked tohost', elf(0x8000_0000n, 16n, { tohost: 0x8000_0004n }), /multiple of 8/],
    ['that fills memory', elf(0x8000_0000n, 0x10_0000n), /No room .* device tree/],
  ])('refuses an ELF file %s', (_name, file, sentence) => {
    expect(() => planBoot({ kind: 'elf', elf: file }, MIB)).toThrow(UserError);
    expect(() => planBoot({ kind: 'elf', elf: file }, MIB)).toThrow(sentence);
  });

  it('refuses overlapping segments', () => {
    const segment = (at: bigint) => ({
      virtual: at,
      physical: at,
      data: Uint8Array.of(1),
      memory: 64n,
    });
    const file = makeElf({
      entry: 0x8000_0000n,
      segments: [segment(0x8000_0000n), segment(0x8000_0020n)],
      symbols: {},
    });
    expect(() => planBoot({ kind: 'elf', elf: file }, MIB)).toThrow(/segment 1 would overlap/);
  });
});
