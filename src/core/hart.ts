/**
 * A hart's state in the VM's memory, by name. Everything that a snapshot of a hart holds goes
 * through `save` and `restore`, which walk the one description of fields in `layout.ts`.
 */
import { HART_FIELDS, type HartField, type HartFieldName, hartBase, hartOffset } from './layout.ts';

export class HartView {
  readonly #view: DataView;

  constructor(memory: WebAssembly.Memory, hart: number) {
    const end = HART_FIELDS.reduce(
      (most, field) => Math.max(most, field.offset + field.count * 8),
      0,
    );
    this.#view = new DataView(memory.buffer, hartBase(hart), end);
    this.#lines = new Int32Array(memory.buffer, hartBase(hart) + hartOffset('ext_pending'), 1);
  }

  readonly #lines: Int32Array;

  u64(name: HartFieldName, index = 0): bigint {
    return this.#view.getBigUint64(hartOffset(name, index), true);
  }

  setU64(name: HartFieldName, value: bigint, index = 0): void {
    this.#view.setBigUint64(hartOffset(name, index), BigInt.asUintN(64, value), true);
  }

  u32(name: HartFieldName): number {
    return this.#view.getUint32(hartOffset(name), true);
  }

  setU32(name: HartFieldName, value: number): void {
    this.#view.setUint32(hartOffset(name), value, true);
  }

  x(index: number): bigint {
    return index === 0 ? 0n : this.u64('x', index);
  }

  setX(index: number, value: bigint): void {
    if (index !== 0) this.setU64('x', value, index);
  }

  f(index: number): bigint {
    return this.u64('f', index);
  }

  setF(index: number, value: bigint): void {
    this.setU64('f', value, index);
  }

  get pc(): bigint {
    return this.u64('pc');
  }

  set pc(value: bigint) {
    this.setU64('pc', value);
  }

  /** Drives an interrupt line: `bit` as in mip. Safe from any thread that shares the memory. */
  setLine(bit: number, level: boolean): void {
    if (level) Atomics.or(this.#lines, 0, 1 << bit);
    else Atomics.and(this.#lines, 0, ~(1 << bit));
  }

  /** All fields that belong to a snapshot, in the order of the layout. */
  save(): Record<string, bigint[]> {
    return Object.fromEntries(
      HART_FIELDS.filter((field) => field.saved).map((field) => [field.name, this.words(field)]),
    );
  }

  /** Takes what `save` gave. The caller then calls the core's `refresh`. */
  restore(state: Readonly<Record<string, readonly bigint[]>>): void {
    for (const field of HART_FIELDS) {
      if (!field.saved) continue;
      const values = state[field.name];
      if (values?.length !== field.count) {
        throw new Error(`The saved hart lacks ${field.name} or has it in another size.`);
      }
      this.setWords(field, values);
    }
  }

  /** All values of a field. */
  words(field: HartField): bigint[] {
    return Array.from({ length: field.count }, (_, i) =>
      field.type === 'u64'
        ? this.#view.getBigUint64(field.offset + 8 * i, true)
        : BigInt(this.#view.getUint32(field.offset + 4 * i, true)),
    );
  }

  setWords(field: HartField, values: readonly bigint[]): void {
    values.forEach((value, i) => {
      if (field.type === 'u64') this.#view.setBigUint64(field.offset + 8 * i, value, true);
      else this.#view.setUint32(field.offset + 4 * i, Number(BigInt.asUintN(32, value)), true);
    });
  }
}
