/**
 * Platform-level interrupt controller (RISC-V PLIC specification 1.0.0) with 95 sources and two
 * contexts for each hart: M, then S. Sources are level-triggered: a gateway forwards a line once,
 * and again only after completion. It relies on devices keeping their line up until they are
 * served, and drives one output line for each context; an output changes only when its level does.
 */
import { type FdtNode, type FdtPlace, fdtName, type IrqLine, type MmioDevice } from '../device.ts';
import { type State, stateOf, u32Array } from '../state.ts';

/** Interrupt sources, numbered 1 to 95; 0 means none. */
export const PLIC_SOURCES = 95;
/** Highest priority: three bits, as on QEMU's virt machine. */
const MAX_PRIORITY = 7;
const WORDS = 3;

const PENDING = 0x1000;
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
const SIZE = 0x60_0000;

/** Cause numbers of external interrupts in mip, for the device tree. */
const M_EXTERNAL = 11;
const S_EXTERNAL = 9;

export class Plic implements MmioDevice {
  readonly name = 'plic';
  readonly size = SIZE;
  readonly state: State;
  readonly contexts: number;
  readonly #outputs: readonly IrqLine[];
  readonly #fields;

  /** `outputs` are the external interrupt lines of hart 0 M, hart 0 S, hart 1 M, and so on. */
  constructor(outputs: readonly IrqLine[]) {
    this.#outputs = outputs;
    this.contexts = outputs.length;
    this.#fields = {
      priority: new Uint32Array(PLIC_SOURCES + 1),
      /** One bit for each source, in these three: the line's level, waiting, being served. */
      level: new Uint32Array(WORDS),
      pending: new Uint32Array(WORDS),
      claimed: new Uint32Array(WORDS),
      enable: new Uint32Array(WORDS * this.contexts),
      threshold: new Uint32Array(this.contexts),
    };
    this.state = stateOf(
      1,
      this.#fields,
      {
        priority: u32Array(PLIC_SOURCES + 1, MAX_PRIORITY),
        level: u32Array(WORDS),
        pending: u32Array(WORDS),
        claimed: u32Array(WORDS),
        enable: u32Array(WORDS * this.contexts),
        threshold: u32Array(this.contexts, MAX_PRIORITY),
      },
      { restored: () => this.#update() },
    );
  }

  /** The line of one source, for the device that drives it. */
  line(source: number): IrqLine {
    if (!Number.isInteger(source) || source < 1 || source > PLIC_SOURCES) {
      throw new RangeError(
        `Interrupt source ${source} does not exist; there are 1 to ${PLIC_SOURCES}.`,
      );
    }
    return { set: (level) => this.setLevel(source, level) };
  }

  setLevel(source: number, level: boolean): void {
    const { level: levels } = this.#fields;
    const word = source >>> 5;
    const bit = 1 << (source & 31);
    if (((levels[word]! & bit) !== 0) === level) return;
    levels[word] = levels[word]! ^ bit;
    if (level) this.#forward(word, bit);
  }

  load(offset: number, size: number): number {
    if (size !== 4) return 0;
    const { priority, pending, enable, threshold } = this.#fields;
    if (offset < PENDING) return offset >>> 2 <= PLIC_SOURCES ? priority[offset >>> 2]! : 0;
    if (offset < ENABLE) {
      const word = (offset - PENDING) >>> 2;
      return word < WORDS ? pending[word]! : 0;
    }
    if (offset < CONTEXT) {
      const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
      const word = ((offset - ENABLE) % ENABLE_STRIDE) >>> 2;
      return context < this.contexts && word < WORDS ? enable[context * WORDS + word]! : 0;
    }
    const context = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
    if (context >= this.contexts) return 0;
    const register = (offset - CONTEXT) % CONTEXT_STRIDE;
    if (register === 0) return threshold[context]!;
    return register === 4 ? this.#claim(context) : 0;
  }

  store(offset: number, size: number, value: number): void {
    if (size !== 4) return;
    const { priority, enable, threshold } = this.#fields;
    if (offset < PENDING) {
      const source = offset >>> 2;
      if (source < 1 || source > PLIC_SOURCES) return;
      priority[source] = value & MAX_PRIORITY;
    } else if (offset < ENABLE) {
      return; // pending bits are read-only
    } else if (offset < CONTEXT) {
      const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
      const word = ((offset - ENABLE) % ENABLE_STRIDE) >>> 2;
      if (context >= this.contexts || word >= WORDS) return;
      // Source 0 does not exist: its bit stays 0.
      enable[context * WORDS + word] = word === 0 ? value & ~1 : value;
    } else {
      const context = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
      if (context >= this.contexts) return;
      const register = (offset - CONTEXT) % CONTEXT_STRIDE;
      if (register === 0) threshold[context] = value & MAX_PRIORITY;
      else if (register === 4) this.#complete(context, value);
      else return;
    }
    this.#update();
  }

  reset(): void {
    const { priority, pending, claimed, enable, threshold, level } = this.#fields;
    for (const array of [priority, pending, claimed, enable, threshold]) array.fill(0);
    // The lines belong to the devices, which lower them at their own reset.
    pending.set(level);
    this.#update();
  }

  fdt({ base, phandle, harts }: FdtPlace): FdtNode[] {
    return [
      {
        name: fdtName('plic', base),
        phandle,
        properties: {
          compatible: ['sifive,plic-1.0.0', 'riscv,plic0'],
          reg: [BigInt(base), BigInt(SIZE)],
          'interrupt-controller': true,
          '#interrupt-cells': 1,
          '#address-cells': 0,
          'interrupts-extended': harts.flatMap((hart) => [hart, M_EXTERNAL, hart, S_EXTERNAL]),
          'riscv,ndev': PLIC_SOURCES,
        },
      },
    ];
  }

  /** A gateway passes a high line on unless its source is waiting or being served. */
  #forward(word: number, bit: number): void {
    const { pending, claimed } = this.#fields;
    if (((pending[word]! | claimed[word]!) & bit) !== 0) return;
    pending[word] = pending[word]! | bit;
    this.#update();
  }

  #claim(context: number): number {
    const source = this.#best(context, 0);
    if (source === 0) return 0;
    const { pending, claimed } = this.#fields;
    const word = source >>> 5;
    const bit = 1 << (source & 31);
    pending[word] = pending[word]! & ~bit;
    claimed[word] = claimed[word]! | bit;
    this.#update();
    return source;
  }

  #complete(context: number, source: number): void {
    if (source < 1 || source > PLIC_SOURCES) return;
    const { enable, claimed, level } = this.#fields;
    const word = source >>> 5;
    const bit = 1 << (source & 31);
    // PLIC §10: a completion by a context for which the source is not enabled is ignored.
    if ((enable[context * WORDS + word]! & bit) === 0) return;
    claimed[word] = claimed[word]! & ~bit;
    if ((level[word]! & bit) !== 0) this.#forward(word, bit);
  }

  /** The enabled pending source of highest priority above `threshold`, the lowest number among equals. */
  #best(context: number, threshold: number): number {
    const { pending, enable, priority } = this.#fields;
    let best = 0;
    let bestPriority = threshold;
    for (let word = 0; word < WORDS; word++) {
      let waiting = pending[word]! & enable[context * WORDS + word]!;
      while (waiting !== 0) {
        const source = word * 32 + 31 - Math.clz32(waiting & -waiting);
        waiting &= waiting - 1;
        if (priority[source]! > bestPriority) {
          best = source;
          bestPriority = priority[source]!;
        }
      }
    }
    return best;
  }

  #update(): void {
    const { threshold } = this.#fields;
    for (let context = 0; context < this.contexts; context++) {
      this.#outputs[context]!.set(this.#best(context, threshold[context]!) !== 0);
    }
  }
}
