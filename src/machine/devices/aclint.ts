/**
 * Timer and software interrupts: the MTIMER, MSWI and SSWI devices of the RISC-V ACLINT
 * specification 1.0, laid out so that the first two together look like a SiFive CLINT. The clock is
 * handed in; nothing here runs by itself. The machine asks `nextDeadline` how long it may sleep and
 * calls `update` when time has passed.
 */
import { type FdtNode, type FdtPlace, fdtName, type IrqLine, type MmioDevice } from '../device.ts';
import { count, NO_STATE, type State, stateOf, u32Array } from '../state.ts';

/** Ticks since an arbitrary moment, a whole number that never decreases. */
export type TickClock = () => number;

const MTIMER_SIZE = 0x8000;
const MTIME = 0x7ff8;
const SWI_SIZE = 0x4000;
const WORD = 0x1_0000_0000;
const M_TIMER = 7;
const M_SOFTWARE = 3;

/**
 * mtime and each hart's mtimecmp. mtime holds 53 bits (28 years at 10 MHz), so that it is an exact
 * number; what a guest writes above them is cut off.
 */
export class Mtimer implements MmioDevice {
  readonly name = 'mtimer';
  readonly size = MTIMER_SIZE;
  readonly state: State;
  readonly #clock: TickClock;
  readonly #outputs: readonly IrqLine[];
  readonly #compare: { low: Uint32Array; high: Uint32Array };
  /** mtime = clock + offset. */
  #offset: number;

  /** `outputs` are the machine timer interrupt lines, one for each hart. */
  constructor(clock: TickClock, outputs: readonly IrqLine[]) {
    this.#clock = clock;
    this.#outputs = outputs;
    this.#offset = -clock();
    const low = new Uint32Array(outputs.length).fill(0xffff_ffff);
    const high = new Uint32Array(outputs.length).fill(0xffff_ffff);
    this.#compare = { low, high };
    const timer = this;
    this.state = stateOf(
      1,
      {
        low,
        high,
        get mtime() {
          return timer.time();
        },
        set mtime(ticks) {
          timer.#setTime(ticks);
        },
      },
      { low: u32Array(outputs.length), high: u32Array(outputs.length), mtime: count },
      { restored: () => this.update() },
    );
  }

  /** mtime, in ticks. */
  time(): number {
    return this.#clock() + this.#offset;
  }

  /** mtime at which a timer interrupt that is not pending now will be; Infinity if none will. */
  nextDeadline(): number {
    const now = this.time();
    let next = Number.POSITIVE_INFINITY;
    for (let hart = 0; hart < this.#outputs.length; hart++) {
      const at = this.#compareOf(hart);
      if (at > now && at <= Number.MAX_SAFE_INTEGER && at < next) next = at;
    }
    return next;
  }

  /** Sets the interrupt lines to what they are at the present time. */
  update(): void {
    const now = this.time();
    for (let hart = 0; hart < this.#outputs.length; hart++) {
      this.#outputs[hart]!.set(now >= this.#compareOf(hart));
    }
  }

  load(offset: number, size: number): number {
    if (size !== 4) return 0;
    if (offset >= MTIME) {
      const now = this.time();
      return offset === MTIME ? now % WORD : Math.floor(now / WORD);
    }
    const hart = offset >>> 3;
    if (hart >= this.#outputs.length) return 0;
    return (offset & 4) === 0 ? this.#compare.low[hart]! : this.#compare.high[hart]!;
  }

  store(offset: number, size: number, value: number): void {
    if (size !== 4) return;
    if (offset >= MTIME) {
      const now = this.time();
      const low = offset === MTIME ? value : now % WORD;
      const high = offset === MTIME ? Math.floor(now / WORD) : value;
      this.#setTime((high & 0x1f_ffff) * WORD + low);
    } else {
      const hart = offset >>> 3;
      if (hart >= this.#outputs.length) return;
      if ((offset & 4) === 0) this.#compare.low[hart] = value;
      else this.#compare.high[hart] = value;
    }
    this.update();
  }

  load64(offset: number): bigint {
    if (offset === MTIME) return BigInt(this.time());
    return (BigInt(this.load(offset + 4, 4)) << 32n) | BigInt(this.load(offset, 4));
  }

  /** In one step: in two, a comparison with half of the new value could raise the interrupt. */
  store64(offset: number, value: bigint): void {
    const hart = offset >>> 3;
    if (offset === MTIME) {
      this.#setTime(Number(BigInt.asUintN(53, value)));
    } else if (hart < this.#outputs.length) {
      this.#compare.low[hart] = Number(value & 0xffff_ffffn);
      this.#compare.high[hart] = Number(value >> 32n);
    }
    this.update();
  }

  reset(): void {
    this.#compare.low.fill(0xffff_ffff);
    this.#compare.high.fill(0xffff_ffff);
    this.#setTime(0);
    this.update();
  }

  fdt({ base, harts }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('mtimer', base + MTIME),
        properties: {
          compatible: 'riscv,aclint-mtimer',
          reg: [BigInt(base + MTIME), 8n, BigInt(base), BigInt(MTIME)],
          'interrupts-extended': harts.flatMap((hart) => [hart, M_TIMER]),
        },
      },
    ];
  }

  #setTime(ticks: number): void {
    this.#offset = ticks - this.#clock();
  }

  /** mtimecmp as a number; exact as far as mtime reaches. */
  #compareOf(hart: number): number {
    return this.#compare.high[hart]! * WORD + this.#compare.low[hart]!;
  }
}

/** Machine software interrupts: bit 0 of a hart's word is its MSIP line. */
export class Mswi implements MmioDevice {
  readonly name = 'mswi';
  readonly size = SWI_SIZE;
  readonly state: State;
  readonly #outputs: readonly IrqLine[];
  readonly #pending: Uint32Array;

  constructor(outputs: readonly IrqLine[]) {
    this.#outputs = outputs;
    this.#pending = new Uint32Array(outputs.length);
    this.state = stateOf(
      1,
      { pending: this.#pending },
      { pending: u32Array(outputs.length, 1) },
      { restored: () => this.#update() },
    );
  }

  load(offset: number, size: number): number {
    return size === 4 ? (this.#pending[offset >>> 2] ?? 0) : 0;
  }

  store(offset: number, size: number, value: number): void {
    const hart = offset >>> 2;
    if (size !== 4 || hart >= this.#pending.length) return;
    this.#pending[hart] = value & 1;
    this.#outputs[hart]!.set((value & 1) !== 0);
  }

  reset(): void {
    this.#pending.fill(0);
    this.#update();
  }

  fdt({ base, harts }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('mswi', base),
        properties: {
          compatible: 'riscv,aclint-mswi',
          reg: [BigInt(base), BigInt(SWI_SIZE)],
          'interrupt-controller': true,
          '#address-cells': 0,
          '#interrupt-cells': 0,
          'interrupts-extended': harts.flatMap((hart) => [hart, M_SOFTWARE]),
        },
      },
    ];
  }

  #update(): void {
    for (let hart = 0; hart < this.#pending.length; hart++) {
      this.#outputs[hart]!.set(this.#pending[hart] === 1);
    }
  }
}

/**
 * Supervisor software interrupts: writing 1 sets the hart's SSIP, which the hart itself clears; the
 * register reads zero and there is nothing to hold.
 */
export class Sswi implements MmioDevice {
  readonly name = 'sswi';
  readonly size = SWI_SIZE;
  readonly state = NO_STATE;
  readonly #harts: number;
  readonly #setSsip: (hart: number) => void;

  constructor(harts: number, setSsip: (hart: number) => void) {
    this.#harts = harts;
    this.#setSsip = setSsip;
  }

  load(): number {
    return 0;
  }

  store(offset: number, size: number, value: number): void {
    const hart = offset >>> 2;
    if (size === 4 && hart < this.#harts && (value & 1) !== 0) this.#setSsip(hart);
  }

  reset(): void {}

  fdt({ base, harts }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('sswi', base),
        properties: {
          compatible: 'riscv,aclint-sswi',
          reg: [BigInt(base), BigInt(SWI_SIZE)],
          'interrupt-controller': true,
          '#address-cells': 0,
          '#interrupt-cells': 0,
          'interrupts-extended': harts.flatMap((hart) => [hart, 1]),
        },
      },
    ];
  }
}
