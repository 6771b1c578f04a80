/** SBI inter-processor interrupts (SBI 2.0 §7): a supervisor software interrupt on chosen harts. */
import { failure, SbiError, type SbiExtension, selectHarts, success } from './types.ts';

export const ipi: SbiExtension = {
  name: 'sPI',
  id: 0x735049n,
  call(platform, _hart, functionId, [mask, base]) {
    if (functionId !== 0n) return failure(SbiError.NotSupported);
    const harts = selectHarts(platform.harts, mask, base);
    if (!harts) return failure(SbiError.InvalidParam);
    for (const hart of harts) hart.setSoftwareInterrupt(true);
    return success();
  },
};
