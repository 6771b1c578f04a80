import { beforeEach, describe, expect, test } from 'vitest';
import { RAM_BASE } from '../memory.ts';
import { flag, stateOf } from '../state.ts';
import { checkState } from '../testing/state.ts';
import { virtioRig } from '../testing/virtio-rig.ts';
import { VirtioError } from './chain.ts';
import { FEATURE, INTERRUPT, REG, STATUS } from './constants.ts';
import type { VirtioDevice, VirtioLink } from './device.ts';

class Probe implements VirtioDevice {
  readonly name = 'probe';
  readonly deviceId = 42;
  readonly features = [0, 5, 40];
  readonly queueSizes = [16, 4];
  readonly config = Uint8Array.of(1, 2, 3, 4, 5, 6);
  readonly fields = { on: false };
  readonly state = stateOf(1, this.fields, { on: flag });
  readonly log: string[] = [];
  link!: VirtioLink;
  boom: Error | undefined;

  attach(link: VirtioLink): void {
    this.link = link;
  }
  activate(): void {
    this.log.push('activate');
  }
  onQueue(index: number): void {
    this.log.push(`queue ${index}`);
    if (this.boom !== undefined) throw this.boom;
  }
  writeConfig(offset: number, size: number, value: number): void {
    this.log.push(`config ${offset} ${size} ${value}`);
  }
  reset(): void {
    this.log.push('reset');
  }
}

let all: ReturnType<typeof rig>;
const rig = () => virtioRig(new Probe());

beforeEach(() => {
  all = rig();
});

describe('virtio-mmio registers', () => {
  test('identity, and all else reads zero', () => {
    const { driver } = all;
    expect(driver.get(REG.MAGIC)).toBe(0x7472_6976);
    expect(driver.get(REG.VERSION)).toBe(2);
    expect(driver.get(REG.DEVICE_ID)).toBe(42);
    expect(driver.get(REG.SHM_LEN_LOW)).toBe(0xffff_ffff);
    for (const write of [REG.QUEUE_NOTIFY, REG.QUEUE_DESC_LOW, REG.DRIVER_FEATURES, 0x0c0, 0x0f8]) {
      expect(driver.get(write)).toBe(0);
    }
  });

  test('control registers answer 32-bit accesses only', () => {
    const { transport, driver } = all;
    expect(transport.load(REG.MAGIC, 1)).toBe(0);
    expect(transport.load(REG.MAGIC, 2)).toBe(0);
    transport.store(REG.STATUS, 1, STATUS.ACKNOWLEDGE);
    transport.store(REG.STATUS, 2, STATUS.ACKNOWLEDGE);
    expect(driver.status).toBe(0);
  });

  test('the configuration space answers every width and ends where it ends', () => {
    const { transport, device } = all;
    expect(transport.load(REG.CONFIG, 1)).toBe(1);
    expect(transport.load(REG.CONFIG + 2, 2)).toBe(0x0403);
    expect(transport.load(REG.CONFIG, 4)).toBe(0x0403_0201);
    expect(transport.load(REG.CONFIG + 4, 4)).toBe(0x0605);
    expect(transport.load(0xffc, 4)).toBe(0);
    transport.store(REG.CONFIG + 4, 2, 7);
    transport.store(REG.CONFIG + 4, 4, 7);
    transport.store(0xffc, 4, 7);
    expect(device.log).toEqual(['config 4 2 7']);
  });

  test('a configuration change: new generation, interrupt once the driver is ready', () => {
    const { driver, device, irq } = all;
    device.link.configChanged();
    expect(irq.level).toBe(false);
    expect(driver.get(REG.CONFIG_GENERATION)).toBe(1);
    driver.start();
    device.link.configChanged();
    expect(driver.get(REG.CONFIG_GENERATION)).toBe(2);
    expect(driver.get(REG.INTERRUPT_STATUS)).toBe(INTERRUPT.CONFIG_CHANGE);
    driver.put(REG.INTERRUPT_ACK, INTERRUPT.USED_BUFFER);
    expect(irq.level).toBe(true);
    driver.put(REG.INTERRUPT_ACK, 0xffff_ffff);
    expect(irq.level).toBe(false);
  });
});

describe('negotiation', () => {
  test('offers the device’s features and the transport’s', () => {
    expect(all.driver.offered()).toEqual([
      0,
      5,
      FEATURE.INDIRECT_DESC,
      FEATURE.EVENT_IDX,
      FEATURE.VERSION_1,
      40,
    ]);
  });

  test('FEATURES_OK only for a subset that has VERSION_1', () => {
    const { driver, device } = all;
    const attempt = (features: number[]) => {
      driver.reset();
      driver.addStatus(STATUS.ACKNOWLEDGE);
      driver.addStatus(STATUS.DRIVER);
      driver.chooseFeatures(features);
      driver.addStatus(STATUS.FEATURES_OK);
      return (driver.status & STATUS.FEATURES_OK) !== 0;
    };
    expect(attempt([0])).toBe(false);
    expect(attempt([FEATURE.VERSION_1, 1])).toBe(false);
    expect(attempt([FEATURE.VERSION_1, 63])).toBe(false);
    expect(attempt([FEATURE.VERSION_1, 31])).toBe(false);
    expect(attempt([FEATURE.VERSION_1])).toBe(true);
    expect(device.link.has(0)).toBe(false);
    expect(attempt([FEATURE.VERSION_1, 0, 40])).toBe(true);
    expect(device.link.has(0)).toBe(true);
    expect(device.link.has(40)).toBe(true);
    expect(device.link.has(5)).toBe(false);
  });

  test('a refused choice may be corrected', () => {
    const { driver } = all;
    driver.addStatus(STATUS.ACKNOWLEDGE);
    driver.addStatus(STATUS.DRIVER);
    driver.chooseFeatures([1]);
    driver.addStatus(STATUS.FEATURES_OK);
    expect(driver.status).toBe(STATUS.ACKNOWLEDGE | STATUS.DRIVER);
    driver.chooseFeatures([FEATURE.VERSION_1]);
    driver.addStatus(STATUS.FEATURES_OK);
    expect(driver.status & STATUS.FEATURES_OK).not.toBe(0);
  });

  test('features are frozen at FEATURES_OK and not heard before DRIVER', () => {
    const { driver, device } = all;
    driver.chooseFeatures([FEATURE.VERSION_1]);
    driver.addStatus(STATUS.ACKNOWLEDGE);
    driver.chooseFeatures([FEATURE.VERSION_1]);
    driver.addStatus(STATUS.DRIVER);
    driver.addStatus(STATUS.FEATURES_OK);
    expect(driver.status & STATUS.FEATURES_OK).toBe(0);
    expect(driver.negotiate([5])).toBe(true);
    driver.chooseFeatures([0, FEATURE.VERSION_1]);
    expect([device.link.has(5), device.link.has(0)]).toEqual([true, false]);
  });

  test('status bits come in order, and only a reset takes them away', () => {
    const { driver } = all;
    for (const bit of [
      STATUS.DRIVER,
      STATUS.FEATURES_OK,
      STATUS.DRIVER_OK,
      STATUS.NEEDS_RESET,
      16,
      32,
    ]) {
      driver.put(REG.STATUS, bit);
      expect(driver.status).toBe(0);
    }
    driver.addStatus(STATUS.ACKNOWLEDGE);
    driver.addStatus(STATUS.DRIVER_OK);
    driver.addStatus(STATUS.FEATURES_OK);
    expect(driver.status).toBe(STATUS.ACKNOWLEDGE);
    driver.addStatus(STATUS.DRIVER);
    driver.put(REG.STATUS, STATUS.DRIVER);
    expect(driver.status).toBe(STATUS.ACKNOWLEDGE | STATUS.DRIVER);
    driver.put(REG.STATUS, 0);
    expect(driver.status).toBe(0);
  });

  test('a driver that gave up gets nothing more', () => {
    const { driver, device } = all;
    driver.start();
    device.log.length = 0;
    driver.addStatus(STATUS.FAILED);
    driver.put(REG.QUEUE_NOTIFY, 0);
    expect(device.link.live).toBe(false);
    expect(device.log).toEqual([]);
  });
});

describe('queues', () => {
  test('registers of a queue that is not there read zero and hold nothing', () => {
    const { driver, device } = all;
    driver.negotiate();
    for (const index of [2, 31, 0xffff_ffff]) {
      driver.put(REG.QUEUE_SEL, index);
      expect(driver.get(REG.QUEUE_NUM_MAX)).toBe(0);
      driver.put(REG.QUEUE_NUM, 4);
      driver.put(REG.QUEUE_READY, 1);
      expect(driver.get(REG.QUEUE_READY)).toBe(0);
    }
    driver.addStatus(STATUS.DRIVER_OK);
    device.log.length = 0;
    driver.put(REG.QUEUE_NOTIFY, 2);
    driver.put(REG.QUEUE_NOTIFY, 0xffff_ffff);
    expect(device.log).toEqual([]);
  });

  test('sizes: powers of two up to the maximum', () => {
    const { driver, device } = all;
    driver.negotiate();
    driver.put(REG.QUEUE_SEL, 1);
    expect(driver.get(REG.QUEUE_NUM_MAX)).toBe(4);
    for (const size of [0, 3, 5, 8, 0x8000_0000, 0xffff_ffff]) driver.put(REG.QUEUE_NUM, size);
    expect(device.link.queues[1]!.fields.size).toBe(4);
    driver.put(REG.QUEUE_NUM, 2);
    expect(device.link.queues[1]!.fields.size).toBe(2);
  });

  test('queues cannot be set up before FEATURES_OK', () => {
    const { driver } = all;
    driver.addStatus(STATUS.ACKNOWLEDGE);
    driver.addStatus(STATUS.DRIVER);
    driver.setupQueue(0);
    expect(driver.get(REG.QUEUE_READY)).toBe(0);
  });

  test('nothing of a queue changes after DRIVER_OK, except that it may be stopped', () => {
    const { driver, device } = all;
    driver.start();
    const { fields } = device.link.queues[0]!;
    const before = { ...fields };
    driver.put(REG.QUEUE_SEL, 0);
    for (const register of [0x038, 0x080, 0x084, 0x090, 0x094, 0x0a0, 0x0a4])
      driver.put(register, 8);
    expect({ ...fields }).toEqual(before);
    driver.put(REG.QUEUE_READY, 0);
    expect(driver.get(REG.QUEUE_READY)).toBe(0);
    driver.put(REG.QUEUE_DESC_LOW, RAM_BASE);
    driver.put(REG.QUEUE_READY, 1);
    expect(driver.get(REG.QUEUE_READY)).toBe(0);
    expect(fields.descLow).toBe(before.descLow);
    device.log.length = 0;
    driver.put(REG.QUEUE_NOTIFY, 0);
    expect(device.log).toEqual([]);
  });

  test('an enabled queue does not change before DRIVER_OK either', () => {
    const { driver, device } = all;
    driver.negotiate();
    driver.setupQueue(0);
    const before = { ...device.link.queues[0]!.fields };
    driver.put(REG.QUEUE_NUM, 2);
    driver.put(REG.QUEUE_DESC_LOW, RAM_BASE + 0x4000);
    expect({ ...device.link.queues[0]!.fields }).toEqual(before);
  });

  test('notifications before DRIVER_OK wait for it', () => {
    const { driver, device } = all;
    driver.negotiate();
    driver.setupQueue(0);
    driver.put(REG.QUEUE_NOTIFY, 0);
    device.link.poke(0);
    expect(device.log).toEqual(['reset']);
    driver.addStatus(STATUS.DRIVER_OK);
    expect(device.log).toEqual(['reset', 'activate', 'queue 0', 'queue 1']);
  });
});

describe('failures', () => {
  test('an exception of the device model stops the device, not the machine', () => {
    const { driver, device, faults, irq } = all;
    driver.start();
    device.boom = new TypeError('undefined is not a function');
    driver.put(REG.QUEUE_NOTIFY, 0);
    expect(driver.needsReset).toBe(true);
    expect(irq.level).toBe(true);
    expect(faults[0]!.reason).toBe('probe failed and was stopped: undefined is not a function');
    expect(faults[0]!.error).toBe(device.boom);
    device.boom = undefined;
    driver.start();
    expect(device.link.live).toBe(true);
  });

  test('a driver that fails in a loop does not fill the log', () => {
    const { driver, device, faults } = all;
    device.boom = new VirtioError('The driver did it again.');
    for (let i = 0; i < 1000; i++) driver.start();
    expect(faults).toHaveLength(10);
    expect(faults.at(-1)!.reason).toMatch(/did it again\. \(512 times so far\)/);
    device.boom = new Error('our own');
    driver.start();
    expect(faults.at(-1)!.error).toBe(device.boom);
  });

  test('work that the device kicks while it works is done afterwards, once each', () => {
    const { driver, device } = all;
    driver.start();
    device.log.length = 0;
    device.link.run(() => {
      device.link.poke(1);
      device.link.poke(0);
      device.link.poke(1);
      device.log.push('work');
    });
    expect(device.log).toEqual(['work', 'queue 0', 'queue 1']);
  });

  test('a reset in the middle of work ends it', () => {
    const { driver, device, transport } = all;
    driver.start();
    device.log.length = 0;
    device.link.run(() => {
      device.link.poke(0);
      transport.reset();
    });
    expect(device.log).toEqual(['reset']);
    expect(driver.status).toBe(0);
  });
});

describe('state', () => {
  test('every field of transport, queues and device', () => {
    checkState(() => rig().transport.state);
  });

  test('a restored transport carries on: features, queues, interrupt', () => {
    const { driver, transport, memory, device } = all;
    driver.start([5]);
    device.link.configChanged();
    const saved = transport.state.save();
    const other = rig();
    const ram = new Uint8Array(memory.size);
    memory.read(memory.locate(RAM_BASE, 0, memory.size), 0, ram);
    other.memory.write(memory.locate(RAM_BASE, 0, memory.size), 0, ram);
    other.transport.state.restore(saved);
    expect(other.irq.level).toBe(true);
    expect(other.device.link.live).toBe(true);
    expect([0, 5].map((bit) => other.device.link.has(bit))).toEqual([false, true]);
    expect(other.device.link.queues[1]!.ready).toBe(true);
  });

  test('a restored ring outside RAM fails the device when it is used, nothing else', () => {
    const { driver, transport } = all;
    driver.start();
    const saved = transport.state.save() as unknown as {
      parts: { queue0: { fields: { descHigh: number } } };
    };
    saved.parts.queue0.fields.descHigh = 1;
    const other = rig();
    other.transport.state.restore(saved);
    const { link } = other.device;
    link.run(() => link.queues[0]!.pop());
    expect(other.driver.needsReset).toBe(true);
    expect(other.faults).toHaveLength(1);
    expect(other.guardsIntact()).toBe(true);
  });
});

test('its device-tree node', () => {
  expect(all.transport.fdt({ base: 0x1000_2000, irq: 2, plic: 7, phandle: 8, harts: [] })).toEqual([
    {
      name: 'virtio_mmio@10002000',
      properties: {
        compatible: 'virtio,mmio',
        reg: [0x1000_2000n, 0x1000n],
        'interrupt-parent': 7,
        interrupts: 2,
      },
    },
  ]);
});
