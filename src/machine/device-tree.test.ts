import { describe, expect, it } from 'vitest';
import { ISA_EXTENSIONS } from '../isa/extensions.ts';
import type { FdtNode } from './device.ts';
import { deviceTree } from './device-tree.ts';
import { Mswi, Mtimer, Sswi } from './devices/aclint.ts';
import { Plic } from './devices/plic.ts';
import { Syscon } from './devices/syscon.ts';
import { Uart16550 } from './devices/uart.ts';
import { MemoryMap } from './memory-map.ts';

const line = { set() {} };
const tree = (harts: number) =>
  deviceTree({
    memory: 0x1000_0000,
    harts,
    devices: [
      { device: new Syscon(() => {}), base: MemoryMap.syscon },
      { device: new Mswi(Array(harts).fill(line)), base: MemoryMap.mswi },
      { device: new Sswi(harts, () => {}), base: MemoryMap.sswi },
      { device: new Mtimer(() => 0, Array(harts).fill(line)), base: MemoryMap.mtimer },
      { device: new Uart16550({ onOutput() {} }), base: MemoryMap.uart, irq: 10 },
      { device: new Plic(Array(2 * harts).fill(line)), base: MemoryMap.plic },
    ],
    append: 'quiet',
    initrd: { start: 0x8800_0000, end: 0x8800_1000 },
    seed: Uint8Array.of(1, 2, 3),
  });

function* nodes(node: FdtNode, path = ''): Generator<[string, FdtNode]> {
  yield [path || '/', node];
  for (const child of node.children ?? []) yield* nodes(child, `${path}/${child.name}`);
}

describe('device tree', () => {
  it('says what was chosen', () => {
    const found = new Map(nodes(tree(1)));
    expect(found.get('/chosen')?.properties).toEqual({
      bootargs: 'quiet',
      'stdout-path': '/soc/serial@10000000',
      'rng-seed': Uint8Array.of(1, 2, 3),
      'linux,initrd-start': 0x8800_0000n,
      'linux,initrd-end': 0x8800_1000n,
    });
    expect(found.has('/soc/serial@10000000')).toBe(true);
    expect(found.get('/memory@80000000')?.properties.reg).toEqual([0x8000_0000n, 0x1000_0000n]);
  });

  it('names nodes after their first register, and keeps what has none off the bus', () => {
    const all = [...nodes(tree(2))];
    for (const [path, { name, properties }] of all) {
      const { reg } = properties;
      const [first] = Array.isArray(reg) ? reg : [reg];
      const [, unit] = name.split('@');
      expect(unit, path).toBe(first === undefined ? undefined : BigInt(`${first}`).toString(16));
      if (path.startsWith('/soc/')) expect(unit, path).toBeDefined();
    }
    const names = all.map(([path]) => path);
    expect(names).toEqual(expect.arrayContaining(['/poweroff', '/reboot', '/soc/test@100000']));
  });

  it('says of each interrupt controller how it is addressed', () => {
    const controllers = [...nodes(tree(2))].filter(
      ([, { properties }]) => properties['interrupt-controller'] === true,
    );
    expect(controllers).toHaveLength(2 * 1 + 3);
    for (const [path, { properties }] of controllers) {
      expect(properties['#address-cells'], path).toBe(0);
      expect(properties['#interrupt-cells'], path).toBeDefined();
    }
  });

  it('lists every extension of the core, and blocks of 64 bytes', () => {
    const cpu = new Map(nodes(tree(1))).get('/cpus/cpu@0')?.properties;
    expect(cpu?.['riscv,isa-extensions']).toEqual(ISA_EXTENSIONS);
    expect(cpu?.['riscv,isa']).toMatch(/^rv64imafdc_zicbom_/);
    expect(cpu?.['mmu-type']).toBe('riscv,sv48');
    for (const kind of ['cbom', 'cboz', 'cbop']) expect(cpu?.[`riscv,${kind}-block-size`]).toBe(64);
  });

  it.each([1, 4])(
    'gives each thing a handle of its own, and refers to those only: %i harts',
    (harts) => {
      const all = [...nodes(tree(harts))];
      const handles = all.flatMap(([, { phandle }]) => phandle ?? []);
      expect(new Set(handles).size).toBe(handles.length);
      const known = new Set(handles);
      for (const [path, { properties }] of all) {
        const parent = properties['interrupt-parent'];
        if (parent !== undefined) expect(known, path).toContain(parent);
        const extended = properties['interrupts-extended'];
        if (Array.isArray(extended)) {
          for (let i = 0; i < extended.length; i += 2) expect(known, path).toContain(extended[i]);
        }
        if (properties.regmap !== undefined) expect(known, path).toContain(properties.regmap);
      }
      expect(all.filter(([path]) => /^\/cpus\/cpu@\d$/.test(path))).toHaveLength(harts);
      const names = all.map(([path]) => path);
      expect(new Set(names).size).toBe(names.length);
    },
  );
});
