import { describe, expect, it } from 'vitest';
import type { FdtNode } from './device.ts';
import { buildFdt, encodeFdtValue } from './fdt.ts';

/** Reads a blob back, by the specification and independently of the writer. */
function parse(blob: Uint8Array): FdtNode {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  expect(view.getUint32(0)).toBe(0xd00dfeed);
  expect(view.getUint32(4)).toBe(blob.length);
  expect(view.getUint32(20)).toBe(17);
  const structure = view.getUint32(8);
  const strings = view.getUint32(12);
  expect(structure % 4).toBe(0);
  expect(view.getUint32(16) % 8).toBe(0);
  expect(structure + view.getUint32(36)).toBe(strings);
  expect(strings + view.getUint32(32)).toBe(blob.length);
  let at = structure;
  const cstring = (from: number): string => {
    const end = blob.indexOf(0, from);
    return new TextDecoder().decode(blob.subarray(from, end));
  };
  const token = (): number => {
    at += 4;
    return view.getUint32(at - 4);
  };
  const node = (): FdtNode => {
    const name = cstring(at);
    at += (new TextEncoder().encode(name).length + 1 + 3) & ~3;
    const properties: Record<string, Uint8Array> = {};
    const children: FdtNode[] = [];
    for (;;) {
      switch (token()) {
        case 1:
          children.push(node());
          break;
        case 2:
          return { name, properties, children };
        case 3: {
          const length = token();
          properties[cstring(strings + token())] = blob.slice(at, at + length);
          at += (length + 3) & ~3;
          break;
        }
        default:
          throw new Error(`token at ${at - 4}`);
      }
    }
  };
  expect(token()).toBe(1);
  const root = node();
  expect(token()).toBe(9);
  expect(at).toBe(strings);
  return root;
}

describe('flattened device tree', () => {
  it('encodes each kind of value', () => {
    expect([...encodeFdtValue(true)]).toEqual([]);
    expect([...encodeFdtValue(0x12345678)]).toEqual([0x12, 0x34, 0x56, 0x78]);
    expect([...encodeFdtValue(0x80000000n)]).toEqual([0, 0, 0, 0, 0x80, 0, 0, 0]);
    expect([...encodeFdtValue([1, 2n])]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    expect([...encodeFdtValue('ab')]).toEqual([97, 98, 0]);
    expect([...encodeFdtValue(['a', 'b'])]).toEqual([97, 0, 98, 0]);
    expect([...encodeFdtValue(Uint8Array.of(5))]).toEqual([5]);
    expect([...encodeFdtValue('é€😀')]).toEqual([...new TextEncoder().encode('é€😀'), 0]);
  });

  it('reads back as it was written, with each name once and phandles as properties', () => {
    const blob = buildFdt({
      name: '',
      properties: { '#address-cells': 2, compatible: ['a', 'b'] },
      children: [
        { name: 'cpu@0', properties: { reg: 0, empty: true }, phandle: 7 },
        {
          name: 'soc',
          properties: { reg: [0n, 4096n] },
          children: [{ name: 'x@1', properties: { odd: Uint8Array.of(1, 2, 3) } }],
        },
      ],
    });
    expect(parse(blob)).toEqual({
      name: '',
      properties: {
        '#address-cells': Uint8Array.of(0, 0, 0, 2),
        compatible: Uint8Array.of(97, 0, 98, 0),
      },
      children: [
        {
          name: 'cpu@0',
          properties: {
            reg: new Uint8Array(4),
            empty: new Uint8Array(0),
            phandle: Uint8Array.of(0, 0, 0, 7),
          },
          children: [],
        },
        {
          name: 'soc',
          properties: { reg: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0) },
          children: [{ name: 'x@1', properties: { odd: Uint8Array.of(1, 2, 3) }, children: [] }],
        },
      ],
    });
    const all = new TextDecoder('latin1').decode(blob);
    expect(all.split('\0reg\0').length).toBe(2);
  });

  it('grows past its first buffer', () => {
    const children = Array.from({ length: 200 }, (_, i) => ({
      name: `node@${i}`,
      properties: { text: 'x'.repeat(i) },
    }));
    expect(parse(buildFdt({ name: '', properties: {}, children })).children).toHaveLength(200);
  });
});
