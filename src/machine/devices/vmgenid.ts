/**
 * The VM generation ID: 128 random bits that change when the guest goes on from a moment from which
 * another one has gone on too, and an interrupt that says so. Linux then mixes them into its random
 * numbers, which would else be the same in both (Linux, Documentation/devicetree/bindings/rng/
 * microsoft,vmgenid.yaml). The interrupt is a pulse: the driver has no register to lower it by.
 */
import {
  type AccessSize,
  type FdtNode,
  type FdtPlace,
  fdtName,
  type IrqLine,
  type MmioDevice,
  NO_IRQ,
} from '../device.ts';
import { type State, stateOf, u8Array } from '../state.ts';

const SIZE = 0x1000;
const ID_BYTES = 16;

export class VmGenerationId implements MmioDevice {
  readonly name = 'vmgenid';
  readonly size = SIZE;
  readonly state: State;
  readonly #id = new Uint8Array(ID_BYTES);
  readonly #entropy: (into: Uint8Array) => void;
  readonly #irq: IrqLine;

  constructor(entropy: (into: Uint8Array) => void, irq: IrqLine = NO_IRQ) {
    this.#entropy = entropy;
    this.#irq = irq;
    entropy(this.#id);
    this.state = stateOf(1, { id: this.#id }, { id: u8Array(ID_BYTES) });
  }

  /** Another ID, of which the guest is told. */
  renew(): void {
    this.#entropy(this.#id);
    this.#irq.set(true);
    this.#irq.set(false);
  }

  load(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#id[offset + i] ?? 0);
    return value;
  }

  store(): void {
    // Read-only.
  }

  /** A reboot is no new generation. */
  reset(): void {}

  fdt({ base, irq, plic }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('vmgenid', base),
        properties: {
          compatible: 'microsoft,vmgenid',
          reg: [BigInt(base), BigInt(SIZE)],
          ...(irq !== undefined && { 'interrupt-parent': plic, interrupts: irq }),
        },
      },
    ];
  }
}
