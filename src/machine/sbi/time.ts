/** SBI timer extension (SBI 2.0 §6): the next supervisor timer interrupt of the calling hart. */
import { failure, SbiError, type SbiExtension, success } from './types.ts';

export const time: SbiExtension = {
  name: 'TIME',
  id: 0x54494d45n,
  call(_platform, hart, functionId, [deadline]) {
    if (functionId !== 0n) return failure(SbiError.NotSupported);
    hart.setTimer(deadline);
    return success();
  },
};
