/**
 * The machine's address decoder: gives each load and store outside RAM to the device that owns the
 * address, as an offset. It relies on devices never overlapping, which `attach` enforces, and
 * guarantees them aligned accesses that lie inside them. Nothing there, or an access that does not
 * fit, is reported to the caller (BUS_FAULT, false), who raises the guest's access fault. A device
 * that throws becomes a call of `onError`; the access then reads zero.
 */
import type { AccessSize, MmioDevice } from './device.ts';

/** What a load returns where no device answers; no 32-bit value equals it. */
export const BUS_FAULT = -1;
/** The same for 64-bit loads. */
export const BUS_FAULT64 = -1n;

/** A device at its place. */
export interface Attachment {
  readonly base: number;
  readonly end: number;
  readonly device: MmioDevice;
}

export interface BusOptions {
  /** A device threw: `error` is a fault of the device model, not of the guest. */
  readonly onError?: (device: MmioDevice, error: unknown) => void;
  /** Ranges that no device may take, such as RAM. */
  readonly reserved?: readonly { name: string; base: number; size: number }[];
}

export class Bus {
  /** In ascending order of address. */
  readonly #attachments: Attachment[] = [];
  readonly #reserved: readonly { name: string; base: number; size: number }[];
  readonly #onError: (device: MmioDevice, error: unknown) => void;
  /** The device of the last access: most accesses come in runs to one device. */
  #last: Attachment | undefined;

  constructor({ onError = () => {}, reserved = [] }: BusOptions = {}) {
    this.#onError = onError;
    this.#reserved = reserved;
  }

  get attachments(): readonly Attachment[] {
    return this.#attachments;
  }

  /** Puts `device` at guest-physical address `base`; refuses what would overlap. */
  attach(base: number, device: MmioDevice): void {
    const end = base + device.size;
    if (
      !Number.isSafeInteger(base) ||
      base < 0 ||
      base % 8 !== 0 ||
      !(device.size > 0) ||
      end > 2 ** 53
    ) {
      throw new RangeError(`${device.name} cannot sit at ${hex(base)} with ${device.size} bytes.`);
    }
    const taken = [
      ...this.#attachments.map((a) => ({ name: a.device.name, base: a.base, end: a.end })),
      ...this.#reserved.map((r) => ({ name: r.name, base: r.base, end: r.base + r.size })),
    ].find((other) => base < other.end && other.base < end);
    if (taken !== undefined) {
      throw new RangeError(
        `${device.name} at ${hex(base)}-${hex(end - 1)} overlaps ${taken.name} at ` +
          `${hex(taken.base)}-${hex(taken.end - 1)}. Move one of them.`,
      );
    }
    this.#attachments.push({ base, end, device });
    this.#attachments.sort((a, b) => a.base - b.base);
  }

  /** Loads `size` bytes as an unsigned number, or BUS_FAULT. */
  load(address: number, size: AccessSize): number {
    const at = this.#find(address, size);
    if (at === undefined) return BUS_FAULT;
    try {
      const value = at.device.load(address - at.base, size);
      return size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
    } catch (error) {
      this.#onError(at.device, error);
      return 0;
    }
  }

  /** Stores the low `size` bytes of `value`; false where no device answers. */
  store(address: number, size: AccessSize, value: number): boolean {
    const at = this.#find(address, size);
    if (at === undefined) return false;
    const low = size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
    try {
      at.device.store(address - at.base, size, low);
    } catch (error) {
      this.#onError(at.device, error);
    }
    return true;
  }

  /** Loads 64 bits, or BUS_FAULT64. */
  load64(address: number): bigint {
    const at = this.#find(address, 8);
    if (at === undefined) return BUS_FAULT64;
    const offset = address - at.base;
    const { device } = at;
    try {
      if (device.load64 !== undefined) return BigInt.asUintN(64, device.load64(offset));
      const low = device.load(offset, 4) >>> 0;
      const high = device.load(offset + 4, 4) >>> 0;
      return (BigInt(high) << 32n) | BigInt(low);
    } catch (error) {
      this.#onError(device, error);
      return 0n;
    }
  }

  /** Stores 64 bits; false where no device answers. */
  store64(address: number, value: bigint): boolean {
    const at = this.#find(address, 8);
    if (at === undefined) return false;
    const offset = address - at.base;
    const { device } = at;
    try {
      if (device.store64 !== undefined) {
        device.store64(offset, BigInt.asUintN(64, value));
      } else {
        device.store(offset, 4, Number(value & 0xffff_ffffn));
        device.store(offset + 4, 4, Number((value >> 32n) & 0xffff_ffffn));
      }
    } catch (error) {
      this.#onError(device, error);
    }
    return true;
  }

  #find(address: number, size: number): Attachment | undefined {
    if (address % size !== 0) return undefined;
    let at = this.#last;
    if (at === undefined || address < at.base || address >= at.end) {
      at = this.#search(address);
      if (at === undefined) return undefined;
      this.#last = at;
    }
    return address + size <= at.end ? at : undefined;
  }

  #search(address: number): Attachment | undefined {
    const all = this.#attachments;
    let low = 0;
    let high = all.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const at = all[middle]!;
      if (address < at.base) high = middle - 1;
      else if (address >= at.end) low = middle + 1;
      else return at;
    }
    return undefined;
  }
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
