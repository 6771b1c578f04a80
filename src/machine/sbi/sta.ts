/**
 * Steal-time accounting (SBI 2.0 §16): a guest names 64 bytes of its memory, and finds there how
 * long its hart had work and was not run. Relies on the platform to check that the bytes are RAM
 * each time: a guest may overwrite them, which harms itself only.
 */
import {
  failure,
  SbiError,
  type SbiExtension,
  type SbiHart,
  type SbiPlatform,
  success,
} from './types.ts';

/** Bytes of the shared memory, and what it is aligned to. */
const SIZE = 64;
const SEQUENCE = 0;
const STEAL = 8;
const NONE = 0xffff_ffff_ffff_ffffn;

export const sta: SbiExtension = {
  name: 'STA',
  id: 0x535441n,
  call(platform, hart, functionId, [low, high, flags]) {
    if (functionId !== 0n) return failure(SbiError.NotSupported);
    if (flags !== 0n) return failure(SbiError.InvalidParam);
    if (low === NONE && high === NONE) {
      hart.stealMemory = undefined;
      return success();
    }
    if (low % BigInt(SIZE) !== 0n) return failure(SbiError.InvalidParam);
    if (high !== 0n || !platform.writeMemory(low, new Uint8Array(SIZE))) {
      return failure(SbiError.InvalidAddress);
    }
    hart.stealMemory = low;
    return success();
  },
};

/** Adds nanoseconds to what a hart is told; it is not running meanwhile. */
export function addSteal(platform: SbiPlatform, hart: SbiHart, ns: bigint): void {
  const address = hart.stealMemory;
  if (address === undefined) return;
  const bytes = platform.readMemory(address, BigInt(SIZE));
  if (!bytes) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SIZE);
  // Odd while the time is written; nobody sees it, for all is written at once, but it is even again.
  view.setUint32(SEQUENCE, view.getUint32(SEQUENCE, true) + 2, true);
  view.setBigUint64(STEAL, view.getBigUint64(STEAL, true) + ns, true);
  platform.writeMemory(address, bytes);
}
