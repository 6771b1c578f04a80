import { describe, expect, test } from 'vitest';
import { BUS_FAULT, BUS_FAULT64, Bus } from './bus.ts';
import type { MmioDevice } from './device.ts';
import { NO_STATE } from './state.ts';

function recorder(name: string, size = 0x100): MmioDevice & { log: string[] } {
  const log: string[] = [];
  return {
    name,
    size,
    log,
    load: (offset, width) => {
      log.push(`load ${offset} ${width}`);
      return 0x1_dead_beef;
    },
    store: (offset, width, value) => log.push(`store ${offset} ${width} ${value.toString(16)}`),
    reset() {},
    state: NO_STATE,
  };
}

describe('bus', () => {
  test('gives each access to the owner of the address, as an offset', () => {
    const bus = new Bus();
    const devices = [0x9000, 0x1000, 0x5000].map((base) => {
      const device = recorder(`d${base}`);
      bus.attach(base, device);
      return { base, device };
    });
    for (const { base, device } of devices) {
      expect(bus.load(base + 4, 4)).toBe(0xdead_beef);
      expect(bus.load(base, 2)).toBe(0xbeef);
      expect(bus.load(base + 0xff, 1)).toBe(0xef);
      expect(bus.store(base + 8, 2, -1)).toBe(true);
      expect(bus.store(base + 8, 4, -1)).toBe(true);
      expect(device.log).toEqual([
        'load 4 4',
        'load 0 2',
        'load 255 1',
        'store 8 2 ffff',
        'store 8 4 ffffffff',
      ]);
    }
  });

  test('reports what is unmapped, misaligned or crosses the end', () => {
    const bus = new Bus();
    bus.attach(0x1000, recorder('one', 0x10));
    bus.attach(0x1010, recorder('two', 0x10));
    for (const address of [0, 0xfff, 0x1020, 0xffff_ffff, 2 ** 52, -1, -4096]) {
      expect(bus.load(address, 1)).toBe(BUS_FAULT);
      expect(bus.store(address, 1, 0)).toBe(false);
    }
    expect(bus.load(0x1002, 4)).toBe(BUS_FAULT);
    expect(bus.load64(0x100c)).toBe(BUS_FAULT64);
    expect(bus.store64(0x1020, 0n)).toBe(false);
    bus.attach(0x2000, recorder('odd', 6));
    expect(bus.load(0x2004, 4)).toBe(BUS_FAULT);
  });

  test('splits 64 bits, low word first, unless the device takes them whole', () => {
    const bus = new Bus();
    const split = recorder('split');
    const whole = {
      ...recorder('whole'),
      load64: () => -1n,
      store64(offset: number, value: bigint) {
        this.log.push(`store64 ${offset} ${value.toString(16)}`);
      },
    };
    bus.attach(0x1000, split);
    bus.attach(0x2000, whole);
    expect(bus.load64(0x1008)).toBe(0xdead_beef_dead_beefn);
    bus.store64(0x1010, 0x1122_3344_5566_7788n);
    expect(split.log).toEqual([
      'load 8 4',
      'load 12 4',
      'store 16 4 55667788',
      'store 20 4 11223344',
    ]);
    expect(bus.load64(0x2008)).toBe(0xffff_ffff_ffff_ffffn);
    bus.store64(0x2008, -1n);
    expect(whole.log).toEqual(['store64 8 ffffffffffffffff']);
  });

  test('refuses overlaps and says with what', () => {
    const bus = new Bus({ reserved: [{ name: 'RAM', base: 0x8000_0000, size: 0x1000 }] });
    bus.attach(0x1000, recorder('first'));
    expect(() => bus.attach(0x10f8, recorder('second'))).toThrow(
      'second at 0x10f8-0x11f7 overlaps first at 0x1000-0x10ff. Move one of them.',
    );
    expect(() => bus.attach(0xf08, recorder('second'))).toThrow(/overlaps first/);
    expect(() => bus.attach(0x8000_0ff8, recorder('second'))).toThrow(/overlaps RAM/);
    bus.attach(0x1100, recorder('second'));
    bus.attach(0xf00, recorder('third'));
    expect(bus.attachments.map((a) => a.base)).toEqual([0xf00, 0x1000, 0x1100]);
  });

  test('a device that throws becomes an error report, not an exception', () => {
    const errors: string[] = [];
    const bus = new Bus({
      onError: (device, error) => errors.push(`${device.name}: ${String(error)}`),
    });
    bus.attach(0x1000, {
      ...recorder('broken'),
      load() {
        throw new Error('load');
      },
      store() {
        throw new Error('store');
      },
    });
    expect(bus.load(0x1000, 4)).toBe(0);
    expect(bus.store(0x1000, 4, 1)).toBe(true);
    expect(bus.load64(0x1000)).toBe(0n);
    expect(bus.store64(0x1000, 1n)).toBe(true);
    expect(errors).toEqual([
      'broken: Error: load',
      'broken: Error: store',
      'broken: Error: load',
      'broken: Error: store',
    ]);
  });
});
