/**
 * SBI remote fences (SBI 2.0 §8). Relies on instructions being coherent with stores, so FENCE.I on
 * another hart needs nothing. A range or an address space ID only permits doing less: all
 * translations of the chosen harts are dropped. There is no hypervisor extension, so no HFENCE.
 */
import { failure, SbiError, type SbiExtension, selectHarts, success } from './types.ts';

const REMOTE_FENCE_I = 0n;
const REMOTE_SFENCE_VMA = 1n;
const REMOTE_SFENCE_VMA_ASID = 2n;

export const rfence: SbiExtension = {
  name: 'RFNC',
  id: 0x52464e43n,
  call(platform, _hart, functionId, [mask, base]) {
    if (functionId > REMOTE_SFENCE_VMA_ASID) return failure(SbiError.NotSupported);
    const harts = selectHarts(platform.harts, mask, base);
    if (!harts) return failure(SbiError.InvalidParam);
    if (functionId === REMOTE_FENCE_I) return success();
    if (functionId === REMOTE_SFENCE_VMA || functionId === REMOTE_SFENCE_VMA_ASID) {
      for (const hart of harts) hart.flushTranslations();
    }
    return success();
  },
};
