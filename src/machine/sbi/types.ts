/**
 * The Supervisor Binary Interface, version 2.0: what extensions and the machine agree on. Relies on
 * nothing. Extensions see harts and the platform only through these interfaces, so that each can be
 * tested with fakes; every number in them came out of a guest's registers and may be hostile.
 */

/** SBI 2.0 §3: standard error codes. */
export const SbiError = {
  Success: 0n,
  Failed: -1n,
  NotSupported: -2n,
  InvalidParam: -3n,
  Denied: -4n,
  InvalidAddress: -5n,
  AlreadyAvailable: -6n,
  AlreadyStarted: -7n,
  AlreadyStopped: -8n,
} as const;

export interface SbiResult {
  /** Goes to a0. */
  readonly error: bigint;
  /** Goes to a1; the legacy calls have none and keep a1. */
  readonly value?: bigint;
}

export const success = (value = 0n): SbiResult => ({ error: SbiError.Success, value });
export const failure = (error: bigint): SbiResult => ({ error, value: 0n });

/** SBI 2.0 §9: states of a hart, by number. */
export const HartStatus = {
  Started: 0,
  Stopped: 1,
  StartPending: 2,
  StopPending: 3,
  Suspended: 4,
} as const;
export type HartStatus = (typeof HartStatus)[keyof typeof HartStatus];

/** A hart as its firmware sees it. */
export interface SbiHart {
  readonly id: number;
  status: HartStatus;
  /** Physical address at which it is told of stolen time; undefined: it does not want to know. */
  stealMemory: bigint | undefined;
  /** A machine-mode CSR, read for the base extension. */
  csr(number: number): bigint;
  /** Sets when the supervisor timer interrupt is due, in ticks of `time`. */
  setTimer(deadline: bigint): void;
  /** Makes the supervisor software interrupt pending, or not. */
  setSoftwareInterrupt(pending: boolean): void;
  /** Drops cached address translations. Instructions are coherent: FENCE.I needs no more. */
  flushTranslations(): void;
  /** Supervisor mode at `address`, translation and interrupts off, a0 = hart ID, a1 = `opaque`. */
  enter(address: bigint, opaque: bigint): void;
  /** The same after a suspension: what the hart waits for (sie, its timer) stays as it is. */
  resume(address: bigint, opaque: bigint): void;
  /** The u64 at a virtual address as the hart's present mode would load it; undefined: a fault. */
  loadVirtual(address: bigint): bigint | undefined;
}

export type ResetType = 'shutdown' | 'reboot';

/** What an extension may do to the machine around the harts. */
export interface SbiPlatform {
  readonly harts: readonly SbiHart[];
  /** Copies guest memory out; undefined where the range is not RAM as a whole. */
  readMemory(address: bigint, length: bigint): Uint8Array | undefined;
  /** Copies into guest memory; false where the range is not RAM as a whole. */
  writeMemory(address: bigint, data: Uint8Array): boolean;
  /** Whether `length` bytes at `address` are RAM. */
  isMemory(address: bigint, length: bigint): boolean;
  consoleWrite(data: Uint8Array): void;
  /** Takes up to `most` bytes that a person typed; never waits. */
  consoleRead(most: number): Uint8Array;
  /** The whole machine: takes effect when the call is done. */
  reset(type: ResetType, failed: boolean): void;
}

/** a0 to a5 of a call, as unsigned 64-bit numbers. */
export type SbiArguments = readonly [bigint, bigint, bigint, bigint, bigint, bigint];

export interface SbiExtension {
  readonly name: string;
  readonly id: bigint;
  /** undefined: the hart does not return from the call; its registers are as they must be. */
  call(
    platform: SbiPlatform,
    hart: SbiHart,
    functionId: bigint,
    args: SbiArguments,
  ): SbiResult | undefined;
}

const ALL_HARTS = 0xffff_ffff_ffff_ffffn;

/** The harts that a mask names (SBI 2.0 §3.1), or undefined when one of them does not exist. */
export function selectHarts(
  harts: readonly SbiHart[],
  mask: bigint,
  base: bigint,
): SbiHart[] | undefined {
  if (base === ALL_HARTS) return [...harts];
  const selected: SbiHart[] = [];
  for (let bit = 0n; bit < 64n; bit++) {
    if (((mask >> bit) & 1n) === 0n) continue;
    const hart = findHart(harts, base + bit);
    if (!hart) return undefined;
    selected.push(hart);
  }
  return selected;
}

export function findHart(harts: readonly SbiHart[], id: bigint): SbiHart | undefined {
  return harts.find((hart) => BigInt(hart.id) === id);
}
