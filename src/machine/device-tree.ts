/**
 * The device tree of a machine: processors, memory, what was chosen at boot, and the nodes that the
 * devices describe themselves with. Relies on `src/isa` for what a hart implements; guarantees that
 * phandles are unique.
 */
import { ISA_EXTENSIONS, ISA_STRING } from '../isa/extensions.ts';
import { type FdtNode, type FdtValue, fdtName, type MmioDevice } from './device.ts';
import { MemoryMap, RAM_BASE, TIMEBASE_HZ } from './memory-map.ts';

/** A device and where it was put. */
export interface Placed {
  readonly device: MmioDevice;
  readonly base: number;
  readonly irq?: number;
}

export interface TreeOptions {
  readonly memory: number;
  readonly harts: number;
  readonly devices: readonly Placed[];
  readonly append: string;
  /** Guest-physical addresses: first byte, and behind the last. */
  readonly initrd?: { readonly start: number; readonly end: number };
  /** Random bytes for the kernel's generator. */
  readonly seed: Uint8Array;
}

/** Bytes that a cbo instruction works on; the core's cache block (wasm). */
const CACHE_BLOCK = 64;
/** The platform name that kernels know this memory map by. */
const COMPATIBLE = 'riscv-virtio';

export function deviceTree(options: TreeOptions): FdtNode {
  const { memory, harts, devices } = options;
  let handles = 0;
  const nextHandle = () => ++handles;
  const hartHandles = Array.from({ length: harts }, nextHandle);
  const plic = nextHandle();
  const nodes = devices.flatMap(
    ({ device, base, irq }) =>
      device.fdt?.({
        base,
        irq,
        plic,
        phandle: device.name === 'plic' ? plic : nextHandle(),
        harts: hartHandles,
      }) ?? [],
  );
  // What has no registers has no place on the bus: the root holds it (Devicetree 0.4 §2.3.6, §4.5).
  const [onBus, elsewhere] = [true, false].map((has) =>
    nodes.filter(({ properties }) => 'reg' in properties === has),
  );
  return {
    name: '',
    properties: {
      '#address-cells': 2,
      '#size-cells': 2,
      compatible: COMPATIBLE,
      model: 'Tabvisor',
    },
    children: [
      { name: 'chosen', properties: chosen(options) },
      {
        name: fdtName('memory', RAM_BASE),
        properties: { device_type: 'memory', reg: [BigInt(RAM_BASE), BigInt(memory)] },
      },
      {
        name: 'cpus',
        properties: {
          '#address-cells': 1,
          '#size-cells': 0,
          'timebase-frequency': TIMEBASE_HZ,
        },
        children: hartHandles.map((handle, hart) => cpu(hart, handle)),
      },
      {
        name: 'soc',
        properties: {
          '#address-cells': 2,
          '#size-cells': 2,
          compatible: 'simple-bus',
          ranges: true,
        },
        children: onBus,
      },
      ...elsewhere!,
    ],
  };
}

function chosen({ append, initrd, seed }: TreeOptions): Record<string, FdtValue> {
  return {
    'stdout-path': `/soc/${fdtName('serial', MemoryMap.uart)}`,
    'rng-seed': seed,
    ...(append !== '' && { bootargs: append }),
    ...(initrd && {
      'linux,initrd-start': BigInt(initrd.start),
      'linux,initrd-end': BigInt(initrd.end),
    }),
  };
}

function cpu(hart: number, handle: number): FdtNode {
  return {
    name: `cpu@${hart.toString(16)}`,
    properties: {
      device_type: 'cpu',
      reg: hart,
      status: 'okay',
      compatible: 'riscv',
      'riscv,isa': ISA_STRING,
      'riscv,isa-base': 'rv64i',
      'riscv,isa-extensions': ISA_EXTENSIONS,
      'riscv,cbom-block-size': CACHE_BLOCK,
      'riscv,cboz-block-size': CACHE_BLOCK,
      'riscv,cbop-block-size': CACHE_BLOCK,
      'mmu-type': 'riscv,sv48',
    },
    children: [
      {
        name: 'interrupt-controller',
        phandle: handle,
        properties: {
          '#address-cells': 0,
          '#interrupt-cells': 1,
          'interrupt-controller': true,
          compatible: 'riscv,cpu-intc',
        },
      },
    ],
  };
}
