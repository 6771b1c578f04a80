/**
 * Joins the SBI (sbi/) to a board: what a hart and the platform are to the extensions. Relies on
 * the run loop to call `serve` for each exit of a hart with an SBI call.
 */
import type { CoreExports } from '../core/core.ts';
import type { HartView } from '../core/hart.ts';
import { PAGE_SIZE } from '../core/layout.ts';
import { AbsentMemory, type GuestMemory, GuestMemoryFault } from './memory.ts';
import { serveSbiCall } from './sbi/sbi.ts';
import { addSteal } from './sbi/sta.ts';
import { HartStatus, type ResetType, type SbiHart, type SbiPlatform } from './sbi/types.ts';
import { startSupervisorMode } from './start.ts';
import { choice, type State, stateOf, stateOfParts, u64 } from './state.ts';

const SSIP = 1n << 1n;
const MSTATUS_SIE = 1n << 1n;
const SATP = 0x180;
const STIMECMP = 0x14d;
const A0 = 10;
const LOAD = 0;
const PAGE = BigInt(PAGE_SIZE);
/** What `translate` gives when page tables have not come from a snapshot yet. */
const ABSENT = -2n;
/** Most bytes of memory that a call reaches for. */
const CALL_BYTES = 65536;

/** An address that no hart can have its stolen time written to: it is not aligned. */
const NO_STEAL = 0xffff_ffff_ffff_ffffn;

const STATUS = choice<HartStatus>(Object.values(HartStatus));

export interface FirmwareHost {
  consoleWrite(data: Uint8Array): void;
  consoleRead(most: number): Uint8Array;
  reset(type: ResetType, failed: boolean): void;
}

export class FirmwareHart implements SbiHart {
  readonly id: number;
  readonly fields: { status: HartStatus } = { status: HartStatus.Started };
  readonly steal = { address: NO_STEAL };
  readonly #exports: CoreExports;
  readonly #hart: HartView;
  readonly #memory: GuestMemory;

  constructor(id: number, exports: CoreExports, hart: HartView, memory: GuestMemory) {
    this.id = id;
    this.#exports = exports;
    this.#hart = hart;
    this.#memory = memory;
  }

  get status(): HartStatus {
    return this.fields.status;
  }

  set status(status: HartStatus) {
    this.fields.status = status;
  }

  get stealMemory(): bigint | undefined {
    return this.steal.address === NO_STEAL ? undefined : this.steal.address;
  }

  set stealMemory(address: bigint | undefined) {
    this.steal.address = address ?? NO_STEAL;
  }

  csr(number: number): bigint {
    return BigInt.asUintN(64, this.#exports.csr_read(this.id, number));
  }

  setTimer(deadline: bigint): void {
    this.#exports.csr_write(this.id, STIMECMP, deadline);
  }

  setSoftwareInterrupt(pending: boolean): void {
    const mip = this.#hart.u64('mip');
    this.#hart.setU64('mip', pending ? mip | SSIP : mip & ~SSIP);
  }

  flushTranslations(): void {
    this.#exports.flush_tlb(this.id);
  }

  enter(address: bigint, opaque: bigint): void {
    this.#exports.reset(this.id);
    startSupervisorMode(this.#exports, this.id, this.#hart, address, [this.id, opaque]);
  }

  resume(address: bigint, opaque: bigint): void {
    this.#exports.csr_write(this.id, SATP, 0n);
    this.#hart.setU64('mstatus', this.#hart.u64('mstatus') & ~MSTATUS_SIE);
    this.#hart.setX(A0, BigInt(this.id));
    this.#hart.setX(A0 + 1, opaque);
    this.#hart.pc = address;
  }

  loadVirtual(address: bigint): bigint | undefined {
    // In one page, or not at all: a mask on a page boundary would be a hostile one.
    if (address % PAGE > PAGE - 8n) return undefined;
    const physical = BigInt.asIntN(64, this.#exports.translate(this.id, address, LOAD));
    if (physical === ABSENT) {
      const offset = this.#hart.u32('absent_page') * PAGE_SIZE;
      throw new AbsentMemory([{ offset, length: PAGE_SIZE }]);
    }
    if (physical < 0n) return undefined;
    try {
      const at = this.#memory.locate64(physical, 8);
      return (BigInt(this.#memory.readU32(at, 4)) << 32n) | BigInt(this.#memory.readU32(at));
    } catch (error) {
      if (error instanceof GuestMemoryFault) return undefined;
      throw error;
    }
  }
}

export class Firmware {
  readonly harts: readonly FirmwareHart[];
  readonly state: State;
  readonly #platform: SbiPlatform;
  readonly #views: readonly HartView[];

  constructor(
    views: readonly HartView[],
    exports: CoreExports,
    memory: GuestMemory,
    host: FirmwareHost,
  ) {
    this.#views = views;
    this.harts = views.map((view, id) => new FirmwareHart(id, exports, view, memory));
    this.state = stateOfParts(
      1,
      Object.fromEntries(
        this.harts.flatMap((hart) => [
          [`hart${hart.id}`, stateOf(1, hart.fields, { status: STATUS })],
          [`steal${hart.id}`, stateOf(1, hart.steal, { address: u64 })],
        ]),
      ),
      // Snapshots of before it was there.
      { optional: this.harts.map(({ id }) => `steal${id}`) },
    );
    const inRam = (address: bigint, length: bigint): boolean => {
      if (length > BigInt(memory.size)) return false;
      const low = Number(address & 0xffff_ffffn);
      const high = Number(address >> 32n);
      if (!memory.contains(low, high, Number(length))) return false;
      // Before a call has done anything: it is made again when that has come.
      memory.need(memory.locate(low, high, Number(length)), Math.min(Number(length), CALL_BYTES));
      return true;
    };
    this.#platform = {
      harts: this.harts,
      isMemory: inRam,
      readMemory(address, length) {
        if (!inRam(address, length)) return undefined;
        const data = new Uint8Array(Number(length));
        memory.read(memory.locate64(address, data.length), 0, data);
        return data;
      },
      writeMemory(address, data) {
        if (!inRam(address, BigInt(data.length))) return false;
        memory.write(memory.locate64(address, data.length), 0, data);
        return true;
      },
      consoleWrite: (data) => host.consoleWrite(data),
      consoleRead: (most) => host.consoleRead(most),
      reset: (type, failed) => host.reset(type, failed),
    };
  }

  /** Answers the call at which hart `id` stopped. */
  serve(id: number): void {
    serveSbiCall(this.#platform, this.harts[id]!, this.#views[id]!);
  }

  /**
   * Hart `id` had work for so many nanoseconds and was not run; false: the memory in which it wants
   * to be told has not come yet.
   */
  addSteal(id: number, ns: bigint): boolean {
    try {
      addSteal(this.#platform, this.harts[id]!, ns);
      return true;
    } catch (error) {
      if (error instanceof AbsentMemory) return false;
      throw error;
    }
  }

  reset(): void {
    for (const hart of this.harts) {
      hart.status = HartStatus.Started;
      hart.stealMemory = undefined;
    }
  }
}
