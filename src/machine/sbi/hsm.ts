/**
 * SBI hart state management (SBI 2.0 §9): start, stop and suspend harts. Relies on the run loop to
 * leave harts alone that are not started, and to end a suspension at the next interrupt. Only the
 * default suspend types exist; others are refused.
 */
import { failure, findHart, HartStatus, SbiError, type SbiExtension, success } from './types.ts';

const HART_START = 0n;
const HART_STOP = 1n;
const HART_GET_STATUS = 2n;
const HART_SUSPEND = 3n;

const SUSPEND_RETENTIVE = 0n;
const SUSPEND_NON_RETENTIVE = 0x8000_0000n;
/** The suspend type is a u32; the reserved and platform's own types are not implemented. */
const U32 = 0xffff_ffffn;

export const hsm: SbiExtension = {
  name: 'HSM',
  id: 0x48534dn,
  call(platform, hart, functionId, [first, address, opaque]) {
    switch (functionId) {
      case HART_START: {
        const target = findHart(platform.harts, first);
        if (!target) return failure(SbiError.InvalidParam);
        if (target.status !== HartStatus.Stopped) return failure(SbiError.AlreadyAvailable);
        if (!isEntry(address)) return failure(SbiError.InvalidAddress);
        target.status = HartStatus.Started;
        target.enter(address, opaque);
        return success();
      }
      case HART_STOP:
        hart.status = HartStatus.Stopped;
        return undefined;
      case HART_GET_STATUS: {
        const target = findHart(platform.harts, first);
        return target ? success(BigInt(target.status)) : failure(SbiError.InvalidParam);
      }
      case HART_SUSPEND:
        switch (first & U32) {
          case SUSPEND_RETENTIVE:
            hart.status = HartStatus.Suspended;
            return success();
          case SUSPEND_NON_RETENTIVE:
            if (!isEntry(address)) return failure(SbiError.InvalidAddress);
            hart.status = HartStatus.Suspended;
            hart.resume(address, opaque);
            return undefined;
          default:
            return failure(SbiError.InvalidParam);
        }
      default:
        return failure(SbiError.NotSupported);
    }

    function isEntry(at: bigint): boolean {
      return at % 2n === 0n && platform.isMemory(at, 4n);
    }
  },
};
