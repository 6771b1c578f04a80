/**
 * The machine as SBI 2.0 firmware: takes a hart's call to the extension that it names. Relies on
 * the extensions' files, one each; guarantees that every call ends in bounded time, whatever the
 * registers hold.
 */
import { createBase } from './base.ts';
import { dbcn } from './dbcn.ts';
import { hsm } from './hsm.ts';
import { ipi } from './ipi.ts';
import { legacyExtensions } from './legacy.ts';
import { rfence } from './rfence.ts';
import { srst } from './srst.ts';
import { sta } from './sta.ts';
import { time } from './time.ts';
import {
  failure,
  type SbiArguments,
  SbiError,
  type SbiExtension,
  type SbiHart,
  type SbiPlatform,
  type SbiResult,
} from './types.ts';

export interface SbiRegisters {
  x(index: number): bigint;
  setX(index: number, value: bigint): void;
  pc: bigint;
}

const A0 = 10;
const A1 = 11;
const A6 = 16;
const A7 = 17;
/** Length of ECALL, which has no compressed form. */
const ECALL_BYTES = 4n;

const extensions: ReadonlyMap<bigint, SbiExtension> = new Map<bigint, SbiExtension>(
  [
    createBase((id) => extensions.has(id)),
    ...legacyExtensions,
    time,
    ipi,
    rfence,
    hsm,
    srst,
    dbcn,
    sta,
  ].map((extension) => [extension.id, extension]),
);

export function sbiCall(
  platform: SbiPlatform,
  hart: SbiHart,
  extensionId: bigint,
  functionId: bigint,
  args: SbiArguments,
): SbiResult | undefined {
  const extension = extensions.get(extensionId);
  return extension
    ? extension.call(platform, hart, functionId, args)
    : failure(SbiError.NotSupported);
}

/** Serves the call of a hart whose pc is at its ECALL, and moves the hart past it. */
export function serveSbiCall(platform: SbiPlatform, hart: SbiHart, registers: SbiRegisters): void {
  const a = (index: number) => registers.x(A0 + index);
  const args: SbiArguments = [a(0), a(1), a(2), a(3), a(4), a(5)];
  const result = sbiCall(platform, hart, registers.x(A7), registers.x(A6), args);
  if (!result) return;
  registers.setX(A0, BigInt.asUintN(64, result.error));
  if (result.value !== undefined) registers.setX(A1, BigInt.asUintN(64, result.value));
  registers.pc += ECALL_BYTES;
}
