/** SBI system reset (SBI 2.0 §10): shut down or reboot, with a reason. */
import { failure, SbiError, type SbiExtension, success } from './types.ts';

const SHUTDOWN = 0n;
const WARM_REBOOT = 2n;
const NO_REASON = 0n;
const SYSTEM_FAILURE = 1n;
/** Types and reasons from here on belong to vendors. */
const VENDOR = 0xf000_0000n;
const U32 = 0xffff_ffffn;

export const srst: SbiExtension = {
  name: 'SRST',
  id: 0x53525354n,
  call(platform, _hart, functionId, [first, second]) {
    if (functionId !== 0n) return failure(SbiError.NotSupported);
    const type = first & U32;
    const reason = second & U32;
    if (type >= VENDOR || reason >= VENDOR) return failure(SbiError.NotSupported);
    if (type > WARM_REBOOT || (reason !== NO_REASON && reason !== SYSTEM_FAILURE)) {
      return failure(SbiError.InvalidParam);
    }
    platform.reset(type === SHUTDOWN ? 'shutdown' : 'reboot', reason === SYSTEM_FAILURE);
    // The guest never sees this: the machine stops before its next instruction.
    return success();
  },
};
