import { expect, test } from 'vitest';
import { assemble } from '../isa/assemble.ts';
import { readElfCode } from './elf-code.ts';

const ET_REL = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const CODE = assemble('addi a0, a0, 1\nret', { base: 0n }).bytes;
const DATA = Uint8Array.of(1, 2, 3, 4);

interface Part {
  readonly name: string;
  readonly address: bigint;
  readonly flags: bigint;
  readonly data: Uint8Array;
}

/** An ELF file of any type: one segment for each part, or one section for each and their names. */
function makeFile(type: number, parts: readonly Part[], by: 'sections' | 'segments'): Uint8Array {
  const all = [...parts];
  if (by === 'sections') {
    const names = Buffer.from(parts.map(({ name }) => `${name}\0`).join(''));
    all.push({ name: '.shstrtab', address: 0n, flags: 0n, data: names });
  }
  const dataSize = all.reduce((sum, { data }) => sum + data.length, 0);
  const table = (64 + dataSize + 7) & ~7;
  const file = new Uint8Array(table + 64 * (all.length + 1));
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setUint16(18, 243, true);
  if (by === 'sections') {
    view.setBigUint64(40, BigInt(table), true);
    view.setUint16(58, 64, true);
    view.setUint16(60, all.length + 1, true);
    view.setUint16(62, all.length, true);
  } else {
    view.setBigUint64(32, BigInt(table), true);
    view.setUint16(54, 56, true);
    view.setUint16(56, all.length, true);
  }
  let data = 64;
  let name = 0;
  all.forEach((part, i) => {
    file.set(part.data, data);
    if (by === 'sections') {
      const at = table + 64 * (i + 1);
      view.setUint32(at, name, true);
      view.setUint32(at + 4, 1, true);
      view.setBigUint64(at + 8, part.flags, true);
      view.setBigUint64(at + 16, part.address, true);
      view.setBigUint64(at + 24, BigInt(data), true);
      view.setBigUint64(at + 32, BigInt(part.data.length), true);
    } else {
      const at = table + 56 * i;
      view.setUint32(at, 1, true);
      view.setUint32(at + 4, Number(part.flags), true);
      view.setBigUint64(at + 8, BigInt(data), true);
      view.setBigUint64(at + 16, part.address, true);
      view.setBigUint64(at + 32, BigInt(part.data.length), true);
    }
    data += part.data.length;
    name += part.name.length + 1;
  });
  return file;
}

const sections: readonly Part[] = [
  { name: '.init.text', address: 0x10n, flags: 6n, data: CODE },
  { name: '.data', address: 0x2000n, flags: 3n, data: DATA },
  { name: '.text', address: 0xffff_ffff_8000_0000n, flags: 6n, data: CODE },
];

test.each([ET_REL, ET_EXEC, ET_DYN])('type %i: the executable sections', (type) => {
  expect(readElfCode(makeFile(type, sections, 'sections'), 'F')).toEqual([
    { title: 'section .init.text', address: 0x10n, data: CODE },
    { title: 'section .text', address: 0xffff_ffff_8000_0000n, data: CODE },
  ]);
});

test('a section count that does not fit the header is in the first section', () => {
  const file = makeFile(ET_REL, sections, 'sections');
  const view = new DataView(file.buffer);
  const first = Number(view.getBigUint64(40, true));
  view.setBigUint64(first + 32, BigInt(view.getUint16(60, true)), true);
  view.setUint32(first + 40, view.getUint16(62, true), true);
  view.setUint16(60, 0, true);
  view.setUint16(62, 0xffff, true);
  expect(readElfCode(file, 'F').map(({ title }) => title)).toEqual([
    'section .init.text',
    'section .text',
  ]);
});

test('executable segments where there are no sections', () => {
  const segments = [
    { name: '', address: 0x1000n, flags: 6n, data: DATA },
    { name: '', address: 0x4000n, flags: 5n, data: CODE },
  ];
  expect(readElfCode(makeFile(ET_DYN, segments, 'segments'), 'F')).toEqual([
    { title: 'segment', address: 0x4000n, data: CODE },
  ]);
});

test('a damaged file has less code and is read nowhere outside', () => {
  const file = makeFile(ET_REL, sections, 'sections');
  const table = Number(new DataView(file.buffer).getBigUint64(40, true));
  const headers = [...Array(64).keys(), ...Array(file.length - table).keys()].map((at, i) =>
    i < 64 ? at : table + at,
  );
  for (const at of headers.filter((one) => one > 19)) {
    for (const value of [0, 0x7f, 0xff]) {
      for (const { data } of readElfCode(file.with(at, value), 'F')) {
        expect(data.length).toBeLessThanOrEqual(file.length);
      }
    }
  }
  for (let size = 64; size < file.length; size++) {
    expect(readElfCode(file.slice(0, size), 'F').length).toBeLessThanOrEqual(2);
  }
});
