import { expect, test } from 'vitest';
import { type Finish, Syscon } from './syscon.ts';

function syscon() {
  const finishes: Finish[] = [];
  return { finishes, device: new Syscon((finish) => finishes.push(finish)) };
}

test('the three commands and nothing else end the machine', () => {
  const { device, finishes } = syscon();
  device.store(0, 4, 0x5555);
  device.store(0, 4, 0x7777);
  device.store(0, 4, 0x002a_3333);
  device.store(0, 2, 0x5555);
  for (const value of [0, 0x5554, 0x3332, 0xffff_ffff]) device.store(0, 4, value);
  device.store(4, 4, 0x5555);
  device.store(0, 1, 0x55);
  expect(finishes).toEqual([
    { kind: 'poweroff' },
    { kind: 'reboot' },
    { kind: 'fail', code: 42 },
    { kind: 'poweroff' },
  ]);
  expect(device.load()).toBe(0);
});

test('its nodes let a kernel power off and reboot', () => {
  const nodes = syscon().device.fdt({ base: 0x10_0000, plic: 1, phandle: 4, harts: [] });
  expect(nodes.map((node) => node.name)).toEqual(['test@100000', 'poweroff', 'reboot']);
  expect(nodes[0]!.phandle).toBe(4);
  expect(nodes[1]!.properties).toEqual({
    compatible: 'syscon-poweroff',
    regmap: 4,
    offset: 0,
    value: 0x5555,
  });
  expect(nodes[2]!.properties.value).toBe(0x7777);
});
