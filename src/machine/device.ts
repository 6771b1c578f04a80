/**
 * What every device is to the machine: an address range to load from and store to, interrupt lines
 * to drive, a description of its state, and its own device-tree node. A device does not know where
 * it sits; the bus (bus.ts) gives it offsets, and whoever assembles the machine tells it its place
 * only when it asks for the device-tree node.
 */
import type { State } from './state.ts';

export interface MmioDevice {
  /** Name for people: error messages, the event log, traces. */
  readonly name: string;
  /** Bytes of address space. */
  readonly size: number;
  /** Reads `size` bytes; the bus guarantees that the access is aligned and inside the device. */
  load(offset: number, size: AccessSize): number;
  /** Writes the low `size` bytes of `value`, which is an unsigned 32-bit number. */
  store(offset: number, size: AccessSize, value: number): void;
  /** A 64-bit access. Without these two the bus makes two 32-bit accesses, low word first. */
  load64?(offset: number): bigint;
  store64?(offset: number, value: bigint): void;
  /** Back to the state after power-on. */
  reset(): void;
  /** The device's own device-tree nodes, the first of which is the device itself. */
  fdt?(at: FdtPlace): FdtNode[];
  /** All that the device holds. */
  readonly state: State;
}

export type AccessSize = 1 | 2 | 4;

/** One level-triggered interrupt line; the device may set the same level again at no cost. */
export interface IrqLine {
  set(level: boolean): void;
}

/** An interrupt line that leads nowhere. */
export const NO_IRQ: IrqLine = { set() {} };

/** Where the machine put a device, in the terms of the device tree. */
export interface FdtPlace {
  /** Guest-physical address of the device's first byte. */
  readonly base: number;
  /** Number of the device's interrupt source at the PLIC, when it has one. */
  readonly irq?: number;
  /** Phandle of the PLIC. */
  readonly plic: number;
  /** Phandle that is this device's own, for those that other nodes refer to. */
  readonly phandle: number;
  /** Phandle of each hart's local interrupt controller, in the order of hart ids. */
  readonly harts: readonly number[];
}

/**
 * Value of a device-tree property: `true` is an empty property, a number one 32-bit cell, a bigint
 * two cells, an array of these their concatenation, a string (or several) NUL-terminated text, and
 * bytes are taken as they are.
 */
export type FdtValue =
  | true
  | number
  | bigint
  | string
  | readonly (number | bigint)[]
  | readonly string[]
  | Uint8Array;

export interface FdtNode {
  /** Node name with its unit address, such as `serial@10000000`. */
  readonly name: string;
  readonly properties: Readonly<Record<string, FdtValue>>;
  readonly children?: readonly FdtNode[];
  /** Written as the property `phandle` when given. */
  readonly phandle?: number;
}

/** Name of a device-tree node at an address: `fdtName('plic', 0xc000000)` is `plic@c000000`. */
export function fdtName(kind: string, base: number): string {
  return `${kind}@${base.toString(16)}`;
}
