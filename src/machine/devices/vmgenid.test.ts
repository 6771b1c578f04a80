import { describe, expect, test } from 'vitest';
import { checkState } from '../testing/state.ts';
import { Plic } from './plic.ts';
import { VmGenerationId } from './vmgenid.ts';

const random = () => {
  let next = 1;
  return (into: Uint8Array) => {
    for (let i = 0; i < into.length; i++) into[i] = next++;
  };
};

describe('the VM generation ID', () => {
  test('is read in any size, the same after a reset, and not written', () => {
    const device = new VmGenerationId(random());
    device.reset();
    device.store();
    expect(device.load(0, 1)).toBe(1);
    expect(device.load(2, 2)).toBe(0x0403);
    expect(device.load(12, 4)).toBe(0x100f0e0d);
    expect(device.load(16, 4)).toBe(0);
  });

  test('a new generation is another ID and one interrupt', () => {
    const levels: boolean[] = [];
    const plic = new Plic([{ set: (level) => levels.push(level) }]);
    const device = new VmGenerationId(random(), plic.line(13));
    plic.store(4 * 13, 4, 1);
    plic.store(0x2000, 4, 1 << 13);
    levels.length = 0;
    device.renew();
    expect(device.load(0, 4)).toBe(0x14131211);
    expect(levels).toContain(true);
    expect(plic.load(0x20_0004, 4)).toBe(13);
    plic.store(0x20_0004, 4, 13);
    expect(plic.load(0x20_0004, 4)).toBe(0);
  });

  test('its state is whole', () => {
    checkState(() => new VmGenerationId(random()).state);
  });
});
