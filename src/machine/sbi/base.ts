/**
 * SBI base extension (SBI 2.0 §4): which specification, which implementation, which extensions.
 * Relies on the list of extensions it is made with.
 */
import { failure, SbiError, type SbiExtension, success } from './types.ts';

const SPECIFICATION = 2n << 24n; // major 2, minor 0
/** "TBVR": the specification's list of implementations has no entry for this one. */
const IMPLEMENTATION_ID = 0x5442_5652n;
const IMPLEMENTATION_VERSION = 1n;
const MVENDORID = 0xf11;
const MARCHID = 0xf12;
const MIMPID = 0xf13;

export function createBase(offers: (extension: bigint) => boolean): SbiExtension {
  return {
    name: 'base',
    id: 0x10n,
    call(_platform, hart, functionId, [extension]) {
      switch (functionId) {
        case 0n:
          return success(SPECIFICATION);
        case 1n:
          return success(IMPLEMENTATION_ID);
        case 2n:
          return success(IMPLEMENTATION_VERSION);
        case 3n:
          return success(offers(extension) ? 1n : 0n);
        case 4n:
          return success(hart.csr(MVENDORID));
        case 5n:
          return success(hart.csr(MARCHID));
        case 6n:
          return success(hart.csr(MIMPID));
        default:
          return failure(SbiError.NotSupported);
      }
    },
  };
}
