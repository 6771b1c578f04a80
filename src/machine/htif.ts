/**
 * The host-target interface of bare-metal programs: two words in their memory, `tohost` and
 * `fromhost`, as Spike and QEMU serve them. Relies on the core to report stores to tohost's page;
 * guarantees that whatever is written there is answered or ignored, and that nothing but RAM is
 * touched. Served: ending with an exit code, the console device, and the proxied system calls
 * `write` and `exit` of the RISC-V tests.
 */
import type { Htif } from './loader/boot.ts';
import { type GuestMemory, GuestMemoryFault, type RamOffset } from './memory.ts';
import { flag, type State, stateOf } from './state.ts';

export interface HtifHost {
  consoleWrite(data: Uint8Array): void;
  consoleRead(most: number): Uint8Array;
  exit(code: number): void;
}

/** Instructions after a store to tohost until a command in two halves must be complete. */
export const HTIF_SETTLE = 32;
const SYSTEM = 0n;
const CONSOLE = 1n;
const GETCHAR = 0n;
const PUTCHAR = 1n;
const SYS_WRITE = 64n;
const SYS_EXIT = 93n;
const MAX_WRITE = 65536n;
const PAYLOAD = 0xffff_ffff_ffffn;

export class HtifDevice {
  readonly #memory: GuestMemory;
  readonly #host: HtifHost;
  readonly #tohost: RamOffset;
  /** Guest-physical address of the first byte after tohost. */
  readonly #end: bigint;
  readonly #fromhost: RamOffset | undefined;
  /** `reading`: a getchar that has found nothing yet. */
  readonly #fields = { reading: false };
  readonly state: State = stateOf(1, this.#fields, { reading: flag });

  constructor(memory: GuestMemory, { tohost, fromhost }: Htif, host: HtifHost) {
    this.#memory = memory;
    this.#host = host;
    this.#end = BigInt(tohost) + 8n;
    this.#tohost = memory.locate64(BigInt(tohost), 8);
    this.#fromhost = fromhost === undefined ? undefined : memory.locate64(BigInt(fromhost), 8);
  }

  /**
   * Serves what a store of `size` bytes at `address` has put into tohost. A program may write it in
   * two halves, the lower first, and then a command for the console looks like one to the system:
   * such a command is left alone, and the answer is false, until `settle`. A store that completes
   * the word is served at once, so that nothing runs after the one that ends the program.
   */
  serve(address: bigint, size: number): boolean {
    return this.#serve(address + BigInt(size) === this.#end);
  }

  /** Serves what is in tohost: its other half does not come. */
  settle(): void {
    this.#serve(true);
  }

  #serve(settled: boolean): boolean {
    const command = this.#read64(this.#tohost);
    if (command === 0n) return true;
    const device = command >> 56n;
    if (device === SYSTEM && !settled) return false;
    this.#write64(this.#tohost, 0n);
    const payload = command & PAYLOAD;
    const action = (command >> 48n) & 0xffn;
    if (device === SYSTEM && action === 0n) this.#system(payload);
    else if (device === CONSOLE && action === PUTCHAR) {
      this.#host.consoleWrite(Uint8Array.of(Number(payload & 0xffn)));
      this.#answer(command & ~PAYLOAD);
    } else if (device === CONSOLE && action === GETCHAR) {
      this.#fields.reading = true;
      this.input();
    }
    return true;
  }

  reset(): void {
    this.#fields.reading = false;
  }

  /** Something was typed: answers a getchar that waits for it. */
  input(): void {
    if (!this.#fields.reading || !this.#fromhostFree()) return;
    const [character] = this.#host.consoleRead(1);
    if (character === undefined) return;
    this.#fields.reading = false;
    this.#answer((CONSOLE << 56n) | (GETCHAR << 48n) | BigInt(character));
  }

  #system(payload: bigint): void {
    if (payload & 1n) {
      this.#host.exit(Number(BigInt.asIntN(32, payload >> 1n)));
      return;
    }
    // The address of a system call: its number, arguments, and later its result.
    try {
      const call = this.#memory.locate64(payload, 32);
      const [number, fd, address, length] = [0, 8, 16, 24].map((at) => this.#read64(call, at));
      let result = -38n; // ENOSYS
      if (number === SYS_EXIT) this.#host.exit(Number(BigInt.asIntN(32, fd!)));
      if (number === SYS_WRITE) {
        const size = Number(length! < MAX_WRITE ? length! : MAX_WRITE);
        const data = new Uint8Array(size);
        this.#memory.read(this.#memory.locate64(address!, size), 0, data);
        this.#host.consoleWrite(data);
        result = BigInt(size);
      }
      this.#write64(call, BigInt.asUintN(64, result));
      this.#answer(1n);
    } catch (error) {
      // A call that is not in memory is the program's mistake: it gets no answer, as on Spike.
      if (!(error instanceof GuestMemoryFault)) throw error;
    }
  }

  #answer(value: bigint): void {
    if (this.#fromhost !== undefined) this.#write64(this.#fromhost, value);
  }

  #fromhostFree(): boolean {
    return this.#fromhost !== undefined && this.#read64(this.#fromhost) === 0n;
  }

  #read64(at: RamOffset, plus = 0): bigint {
    const low = BigInt(this.#memory.readU32(at, plus));
    return (BigInt(this.#memory.readU32(at, plus + 4)) << 32n) | low;
  }

  #write64(at: RamOffset, value: bigint): void {
    this.#memory.writeU32(at, 0, Number(value & 0xffff_ffffn));
    this.#memory.writeU32(at, 4, Number(value >> 32n));
  }
}
